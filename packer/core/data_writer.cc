// SPDX-License-Identifier: Apache-2.0
#include "packer/core/data_writer.h"

#include <algorithm>

#include "formats/bundle/encode.h"
#include "formats/files/parallel.h"
#include "formats/models/split.h"
#include "packer/core/group_writer.h"

namespace sealpack::packer {
namespace {

// One chunk less than a segment may have: with the empty last chunk that is 4,096 leaves, whose
// nodes are all full.
constexpr std::uint64_t kCutSize = bundle::kMaxSegmentSize - crypto::SegmentCipher::kPlainChunk;

// The manifest with everything but salts, commitments and roots, which do not change its size.
Result<bundle::Content> describe(const Assembly& assembly, bundle::Content content) {
  for (const models::OutputFile& file : assembly.public_files) {
    content.public_files.push_back({file.path, models::total_size(file), {}});
  }
  for (const SealedOutput& file : assembly.sealed_files) {
    bundle::SealedFile entry;
    entry.path = file.file.path;
    entry.kind = file.kind;
    for (const SegmentCut& cut : TRY(cut_segments(file.file))) {
      bundle::Segment segment;
      segment.kind = cut.kind;
      segment.size = cut.size;
      entry.segments.push_back(segment);
    }
    content.sealed_files.push_back(std::move(entry));
  }
  content.originals = assembly.originals;
  content.excluded = assembly.excluded;
  content.card = assembly.card;
  return content;
}

Status write_members(const bundle::Layout& layout, const OutputFile& out) {
  for (const bundle::Member& member : layout.members) {
    TRY(out.write_at(member.header_offset, bundle::member_headers(member)));
  }
  // The end mark is zeros; writing its last byte gives the file its size.
  const std::uint8_t zero = 0;
  return out.write_at(layout.file_size - 1, Bytes(&zero, 1));
}

}  // namespace

Result<std::vector<SegmentCut>> cut_segments(const models::OutputFile& file) {
  std::vector<SegmentCut> cuts;
  if (file.header_size > 4 * bundle::kMaxSegmentSize) {
    return Error(ErrorCode::kLimit, printable(file.path) + " has a header of " +
                                        std::to_string(file.header_size) + " bytes");
  }
  if (file.header_size != 0) cuts.push_back({bundle::SegmentKind::kHeader, file.header_size});
  std::uint64_t header_left = file.header_size;
  std::uint64_t open = 0;  // size of the data segment under construction
  const auto close = [&] {
    if (open != 0) cuts.push_back({bundle::SegmentKind::kData, std::exchange(open, 0)});
  };
  for (const models::Piece& piece : file.pieces) {
    std::uint64_t size = models::piece_size(piece);
    const std::uint64_t in_header = std::min(size, header_left);
    header_left -= in_header;
    size -= in_header;
    if (open + size > kCutSize) close();
    while (size > kCutSize) {
      cuts.push_back({bundle::SegmentKind::kData, kCutSize});
      size -= kCutSize;
    }
    open += size;
  }
  close();
  return cuts;
}

Result<WrittenData> write_data(const Assembly& assembly, bundle::Content identity,
                               const crypto::ContentKey& key, const OutputFile& out,
                               const DataOptions& options) {
  WrittenData written;
  written.content = TRY(describe(assembly, std::move(identity)));
  const ByteVector draft = bundle::serialize_content(written.content);
  // What a reader would refuse must not be written; better to know before hours of encryption.
  TRY(bundle::parse_content(draft).within("the bundle to be written"));
  written.layout = TRY(bundle::layout_of(written.content, draft.size()));
  TRY(out.allocate(written.layout.file_size));

  StreamList streams(assembly, written.content, written.layout);
  TRY(run_parallel(options.threads, streams.unit_count(), [&] {
    return [&, writer = GroupWriter(key, out)](std::uint64_t unit) mutable -> Status {
      const auto [stream, group] = streams.find(unit);
      options.progress(TRY(writer.write(*stream, group)));
      return done();
    };
  }));

  streams.fill_in(written.content);
  written.content_bytes = bundle::serialize_content(written.content);
  written.content_digest = crypto::sha256(written.content_bytes);
  // Catches our own bugs before they ship.
  TRY(bundle::parse_content(written.content_bytes).within("the bundle under construction"));
  TRY(write_members(written.layout, out));
  TRY(out.write_at(bundle::content_offset(written.content.head_size), written.content_bytes));
  return written;
}

}  // namespace sealpack::packer
