// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/content.h"

#include "formats/base/path_rules.h"
#include "formats/bundle/labels.h"
#include "formats/bundle/message_reader.h"

namespace sealpack::bundle {
namespace {

// Appends `element` to a list that has a limit.
template <typename T>
Status append(std::vector<T>& list, T element, std::size_t limit, const char* what) {
  if (list.size() == limit) {
    return Error(ErrorCode::kLimit,
                 "more than " + std::to_string(limit) + " " + what + " in a content manifest");
  }
  list.push_back(std::move(element));
  return done();
}

Result<std::uint64_t> parse_size(MessageReader& in, std::uint32_t field) {
  const std::uint64_t size = TRY(in.u64(field, "size"));
  if (size > kMaxFileSize) {
    return Error(ErrorCode::kLimit, "a file of " + std::to_string(size) + " bytes, at most " +
                                        std::to_string(kMaxFileSize) + " are allowed");
  }
  return size;
}

Result<std::string> parse_path(MessageReader& in, std::uint32_t field) {
  std::string path = TRY(in.text(field, "path", 1024));
  TRY(check_path(path));
  return path;
}

Result<PublicFile> parse_public_file(Bytes message) {
  MessageReader in(message, "public file");
  PublicFile file;
  file.path = TRY(parse_path(in, 1));
  file.size = TRY(parse_size(in, 2));
  file.root = TRY(in.digest(3, "root"));
  TRY(in.finish());
  return file;
}

Result<Segment> parse_segment(Bytes message) {
  MessageReader in(message, "segment");
  Segment segment;
  switch (TRY(in.u32(1, "segment kind"))) {
    case 1:
      segment.kind = SegmentKind::kHeader;
      break;
    case 2:
      segment.kind = SegmentKind::kData;
      break;
    default:
      return in.malformed("unknown segment kind");
  }
  segment.size = TRY(in.u64(2, "segment size"));
  segment.salt = TRY(in.array<24>(3, "salt"));
  segment.commitment = TRY(in.array<32>(4, "commitment"));
  segment.root = TRY(in.digest(5, "root"));
  TRY(in.finish());
  if (segment.size == 0) return in.malformed("an empty segment");
  // A header segment holds a whole header, which may exceed the size at which data are cut.
  const std::uint64_t limit =
      segment.kind == SegmentKind::kHeader ? 4 * kMaxSegmentSize : kMaxSegmentSize;
  if (segment.size > limit) {
    return Error(ErrorCode::kLimit, "a segment of " + std::to_string(segment.size) +
                                        " bytes, at most " + std::to_string(limit) +
                                        " are allowed");
  }
  return segment;
}

Result<SealedFile> parse_sealed_file(Bytes message, std::size_t& segment_count) {
  MessageReader in(message, "sealed file");
  SealedFile file;
  file.path = TRY(parse_path(in, 1));
  switch (TRY(in.u32(2, "sealed kind"))) {
    case 1:
      file.kind = SealedKind::kModel;
      break;
    case 2:
      file.kind = SealedKind::kResidue;
      break;
    default:
      return in.malformed("unknown kind of sealed file");
  }
  while (TRY(in.at(3))) {
    if (++segment_count > kMaxSegments) return Error(ErrorCode::kLimit, "too many segments");
    Segment segment = TRY(parse_segment(TRY(in.element(3, "segment"))));
    if (segment.kind == SegmentKind::kHeader && !file.segments.empty()) {
      return in.malformed("a header segment that is not the first");
    }
    file.segments.push_back(segment);
  }
  TRY(in.finish());
  if (file.size() > kMaxFileSize) return Error(ErrorCode::kLimit, "sealed file too large");
  return file;
}

Result<Extent> parse_extent(Bytes message) {
  MessageReader in(message, "extent");
  Extent extent;
  extent.file = TRY(in.u32(1, "file number"));
  extent.offset = TRY(in.u64(2, "offset"));
  extent.size = TRY(in.u64(3, "size"));
  TRY(in.finish());
  return extent;
}

Result<OriginalFile> parse_original(Bytes message, std::size_t& extent_count) {
  MessageReader in(message, "original file");
  OriginalFile file;
  file.path = TRY(parse_path(in, 1));
  file.size = TRY(parse_size(in, 2));
  while (TRY(in.at(3))) {
    if (++extent_count > kMaxExtents) return Error(ErrorCode::kLimit, "too many extents");
    file.extents.push_back(TRY(parse_extent(TRY(in.element(3, "extent")))));
  }
  TRY(in.finish());
  return file;
}

Result<ExcludedFile> parse_excluded(Bytes message) {
  MessageReader in(message, "excluded file");
  ExcludedFile file;
  file.path = TRY(parse_path(in, 1));
  file.because = TRY(in.text(2, "reason", kMaxTextSize));
  TRY(in.finish());
  return file;
}

Result<CardTensor> parse_card_tensor(Bytes message) {
  MessageReader in(message, "card tensor");
  CardTensor tensor;
  tensor.name = TRY(in.text(1, "tensor name", kMaxTextSize));
  tensor.dtype = TRY(in.text(2, "tensor dtype", 64));
  tensor.shape = TRY(in.packed(3, "tensor shape", kMaxDimensions));
  tensor.file = TRY(in.u32(4, "file number"));
  TRY(in.finish());
  return tensor;
}

Result<Fact> parse_fact(Bytes message) {
  MessageReader in(message, "fact");
  Fact fact;
  fact.key = TRY(in.text(1, "key", 256));
  fact.value = TRY(in.text(2, "value", kMaxTextSize));
  TRY(in.finish());
  if (fact.key.empty()) return in.malformed("a fact without a key");
  return fact;
}

Result<Card> parse_card(Bytes message) {
  MessageReader in(message, "card");
  Card card;
  switch (TRY(in.u32(1, "redaction"))) {
    case 0:
      card.redaction = Redaction::kNone;
      break;
    case 1:
      card.redaction = Redaction::kNames;
      break;
    case 2:
      card.redaction = Redaction::kAll;
      break;
    default:
      return in.malformed("unknown redaction");
  }
  while (TRY(in.at(2))) {
    CardTensor tensor = TRY(parse_card_tensor(TRY(in.element(2, "tensor"))));
    TRY(append(card.tensors, std::move(tensor), kMaxTensors, "tensors"));
  }
  while (TRY(in.at(3))) {
    Fact fact = TRY(parse_fact(TRY(in.element(3, "fact"))));
    if (!card.facts.empty() && !(card.facts.back().key < fact.key)) {
      return in.malformed("facts are not ascending");
    }
    TRY(append(card.facts, std::move(fact), 1024, "facts"));
  }
  card.sealed_parameters = TRY(in.u64(4, "sealed parameters"));
  TRY(in.finish());
  return card;
}

Result<Plan> parse_plan(Bytes message) {
  MessageReader in(message, "plan");
  Plan plan;
  plan.scheme = TRY(in.text(1, "scheme", 64));
  plan.version = TRY(in.u32(2, "scheme version"));
  plan.parameters = to_vector(TRY(in.bytes(3, "scheme parameters", 16U << 20U)));
  TRY(in.finish());
  if (plan.scheme.empty() || plan.version == 0) return in.malformed("no scheme");
  return plan;
}

template <typename File>
Status check_ascending(const std::vector<File>& files, const char* what) {
  std::vector<std::string> paths;
  for (const File& file : files) {
    if (!paths.empty() && !(paths.back() < file.path)) {
      return Error(ErrorCode::kMalformed,
                   std::string(what) + " are not ascending by path: " + printable(file.path));
    }
    paths.push_back(file.path);
  }
  return check_no_collisions(paths);
}

// FORMAT.md §5.4: the extents of an original tile it and lie inside the files they name.
Status check_extents(const Content& content) {
  std::vector<std::uint64_t> sizes;
  for (const PublicFile& file : content.public_files) sizes.push_back(file.size);
  for (const SealedFile& file : content.sealed_files) sizes.push_back(file.size());
  std::uint64_t left = 0;  // what is stored; each byte belongs to one original at most
  for (const std::uint64_t size : sizes) left += size;  // at most 2^18 files of 2^46 bytes
  for (const OriginalFile& original : content.originals) {
    std::uint64_t covered = 0;
    for (const Extent& extent : original.extents) {
      const auto end = checked_add(extent.offset, extent.size);
      const auto sum = checked_add(covered, extent.size);
      if (extent.file >= sizes.size() || extent.size == 0 || !sum || !end ||
          *end > sizes[extent.file]) {
        return Error(ErrorCode::kMalformed, "an extent of original " + printable(original.path) +
                                                " lies outside the files of the bundle");
      }
      covered = *sum;
    }
    if (covered != original.size) {
      return Error(ErrorCode::kMalformed, "the extents of original " + printable(original.path) +
                                              " cover " + std::to_string(covered) + " of " +
                                              std::to_string(original.size) + " bytes");
    }
    if (covered > left) {
      return Error(ErrorCode::kMalformed, "the originals are larger than what the bundle stores");
    }
    left -= covered;
  }
  return done();
}

Status check_content(const Content& content) {
  TRY(check_ascending(content.public_files, "public files"));
  TRY(check_ascending(content.sealed_files, "sealed files"));
  TRY(check_ascending(content.originals, "original files"));
  TRY(check_ascending(content.excluded, "excluded files"));
  TRY(check_extents(content));
  const std::size_t files = content.public_files.size() + content.sealed_files.size();
  for (const CardTensor& tensor : content.card.tensors) {
    if (tensor.file >= files) {
      return Error(ErrorCode::kMalformed, "a tensor of the card lies in no file");
    }
  }
  const std::uint32_t head = content.head_size;
  if (head < kMinHeadSize || head > kMaxHeadSize || (head & (head - 1)) != 0) {
    return Error(ErrorCode::kMalformed, "impossible head size " + std::to_string(head));
  }
  return done();
}

// Fields 8 to 11: everything that is a file.
Status parse_files(MessageReader& in, Content& content) {
  std::size_t segment_count = 0;
  std::size_t extent_count = 0;
  while (TRY(in.at(8))) {
    PublicFile file = TRY(parse_public_file(TRY(in.element(8, "public file"))));
    TRY(append(content.public_files, std::move(file), kMaxFiles, "public files"));
  }
  while (TRY(in.at(9))) {
    const Bytes element = TRY(in.element(9, "sealed file"));
    SealedFile file = TRY(parse_sealed_file(element, segment_count));
    TRY(append(content.sealed_files, std::move(file), kMaxFiles, "sealed files"));
  }
  while (TRY(in.at(10))) {
    const Bytes element = TRY(in.element(10, "original file"));
    OriginalFile file = TRY(parse_original(element, extent_count));
    TRY(append(content.originals, std::move(file), kMaxFiles, "original files"));
  }
  while (TRY(in.at(11))) {
    ExcludedFile file = TRY(parse_excluded(TRY(in.element(11, "excluded file"))));
    TRY(append(content.excluded, std::move(file), kMaxFiles, "excluded files"));
  }
  return done();
}

}  // namespace

std::uint64_t SealedFile::size() const {
  std::uint64_t sum = 0;  // cannot overflow: 2^20 segments of at most 2^28 bytes
  for (const Segment& segment : segments) sum += segment.size;
  return sum;
}

std::uint64_t Content::file_size(std::uint32_t file) const {
  if (file < public_files.size()) return public_files[file].size;
  return sealed_files[file - public_files.size()].size();
}

Result<Content> parse_content(Bytes bytes) {
  MessageReader in(bytes, "content manifest");
  const std::uint32_t format = TRY(in.u32(1, "format"));
  if (format != kFormat) {
    return Error(ErrorCode::kUnsupported, "content manifest of format " + std::to_string(format));
  }
  const std::uint32_t suite = TRY(in.u32(2, "suite"));
  if (suite != kSuite) {
    return Error(ErrorCode::kUnsupported, "cipher suite " + std::to_string(suite));
  }
  Content content;
  content.uuid = TRY(in.array<16>(3, "uuid"));
  content.authority = TRY(in.digest(4, "authority"));
  content.product = TRY(in.text(5, "product", kMaxTextSize));
  content.head_size = TRY(in.u32(6, "head size"));
  if (TRY(in.at(7))) content.parent = TRY(in.digest(7, "parent"));
  TRY(parse_files(in, content));
  content.card = TRY(parse_card(TRY(in.element(12, "card"))));
  content.plan = TRY(parse_plan(TRY(in.element(13, "plan"))));
  TRY(in.finish());
  if (content.product.empty()) return in.malformed("no product");
  TRY(check_content(content));
  return content;
}

ByteVector segment_context(const Uuid& uuid, std::uint64_t number, SegmentKind kind,
                           std::uint64_t size) {
  return LengthPrefixed()
      .add(kSegmentLabel)
      .add(Bytes(uuid))
      .add(number)
      .add(static_cast<std::uint64_t>(kind))
      .add(size)
      .bytes();
}

}  // namespace sealpack::bundle
