// SPDX-License-Identifier: Apache-2.0
#include "unpacker/core/card_check.h"

#include <algorithm>
#include <tuple>

namespace sealpack::unpacker {
namespace {

// What card and header both say of a tensor.
struct Row {
  std::string_view name;  // empty where names are redacted
  std::string_view dtype;
  const std::vector<std::uint64_t>* shape = nullptr;
  bool operator<(const Row& other) const {
    return std::tie(name, dtype, *shape) < std::tie(other.name, other.dtype, *other.shape);
  }
  bool operator==(const Row& other) const {
    return name == other.name && dtype == other.dtype && *shape == *other.shape;
  }
};

// A tensor name of a sealed header may be a secret: it stays out of messages when the card hides
// it.
std::string shown(const Row& row) {
  return row.name.empty() ? std::string("a tensor without name") : printable(row.name);
}

std::uint64_t header_size(const bundle::SealedFile& file) {
  std::uint64_t size = 0;
  for (const bundle::Segment& segment : file.segments) {
    if (segment.kind != bundle::SegmentKind::kHeader) break;
    size += segment.size;
  }
  return size;
}

Status check_file(const bundle::Content& content, std::uint32_t file, std::uint64_t size,
                  FileReader& reader) {
  ByteVector header(static_cast<std::size_t>(size));
  const auto check = [&]() -> Status {
    TRY(reader.read(file, 0, header));
    const models::SafetensorsHeader parsed =
        TRY(models::parse_safetensors(header, content.file_size(file)));
    return check_card(content, file, parsed);
  };
  Status status = check();
  crypto::wipe(header);
  return status;
}

}  // namespace

Status check_card(const bundle::Content& content, std::uint32_t file,
                  const models::SafetensorsHeader& header) {
  const bundle::Redaction redaction = content.card.redaction;
  const bool names = redaction == bundle::Redaction::kNone;
  std::vector<Row> claimed;
  for (const bundle::CardTensor& tensor : content.card.tensors) {
    if (tensor.file == file) claimed.push_back({tensor.name, tensor.dtype, &tensor.shape});
  }
  std::vector<Row> sealed;
  if (redaction != bundle::Redaction::kAll) {
    for (const models::SafetensorsEntry& entry : header.entries) {
      sealed.push_back({names ? std::string_view(entry.name) : "", entry.dtype, &entry.shape});
    }
  }
  std::sort(claimed.begin(), claimed.end());
  std::sort(sealed.begin(), sealed.end());
  const auto [a, b] = std::mismatch(claimed.begin(), claimed.end(), sealed.begin(), sealed.end());
  if (a == claimed.end() && b == sealed.end()) return done();
  return Error(ErrorCode::kMalformed, "the card disagrees with the sealed header at " +
                                          shown(a != claimed.end() ? *a : *b))
      .with_hint("the vendor describes other weights than those inside; do not use the bundle");
}

bool has_safetensors_header(const bundle::SealedFile& file) {
  return file.kind == bundle::SealedKind::kModel && file.path.ends_with(".safetensors") &&
         header_size(file) != 0;
}

Status check_card(const bundle::Content& content, FileReader& reader) {
  for (std::size_t i = 0; i < content.sealed_files.size(); ++i) {
    const bundle::SealedFile& sealed = content.sealed_files[i];
    if (!has_safetensors_header(sealed)) continue;
    const auto file = static_cast<std::uint32_t>(content.public_files.size() + i);
    TRY(check_file(content, file, header_size(sealed), reader).within(printable(sealed.path)));
  }
  return done();
}

}  // namespace sealpack::unpacker
