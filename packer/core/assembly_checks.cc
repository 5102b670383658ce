// SPDX-License-Identifier: Apache-2.0
#include "packer/core/assembly_checks.h"

#include <algorithm>
#include <set>

#include "formats/files/file_source.h"

namespace sealpack::packer {
namespace {

using Ranges = std::vector<models::SourceRange>;

// The ranges that `file` copies, without its first `skip` bytes.
void collect(const models::OutputFile& file, std::uint64_t skip, Ranges& ranges) {
  for (const models::Piece& piece : file.pieces) {
    const auto* range = std::get_if<models::SourceRange>(&piece);
    const std::uint64_t size = range != nullptr ? range->size : std::get<ByteVector>(piece).size();
    const std::uint64_t skipped = std::min(size, skip);
    skip -= skipped;
    if (range == nullptr || size == skipped) continue;
    ranges.push_back({range->file, range->offset + skipped, size - skipped});
  }
}

// Sorted, and what overlaps or touches made one.
Ranges merged(Ranges ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) {
    return std::pair(a.file, a.offset) < std::pair(b.file, b.offset);
  });
  Ranges result;
  for (const models::SourceRange& range : ranges) {
    if (result.empty() || result.back().file != range.file ||
        result.back().offset + result.back().size < range.offset) {
      result.push_back(range);
      continue;
    }
    models::SourceRange& last = result.back();
    last.size = std::max(last.size, range.offset + range.size - last.offset);
  }
  return result;
}

}  // namespace

Status check_is_no_private_key(const models::InputFile& input) {
  constexpr std::string_view kStart = "sealpack-key:";
  constexpr std::uint64_t kMaxKeyFileSize = 65536;
  std::string text(static_cast<std::size_t>(std::min(input.source->size(), kMaxKeyFileSize)), '\0');
  const auto bytes = [&](std::size_t size) {
    return MutableBytes(reinterpret_cast<std::uint8_t*>(text.data()), size);
  };
  if (text.size() < kStart.size()) return done();
  TRY(input.source->read_at(0, bytes(kStart.size())));
  if (!text.starts_with(kStart)) return done();
  TRY(input.source->read_at(0, bytes(text.size())));
  if (text.find("PRIVATE KEY") == std::string::npos) return done();
  return Error(ErrorCode::kRefused, printable(input.path) + " is a private key of sealpack")
      .with_hint("leave it out with --exclude, or better keep keys out of the model's folder");
}

Status check_nothing_sealed_is_public(const Assembly& assembly) {
  Ranges open;
  Ranges sealed;
  for (const models::OutputFile& file : assembly.public_files) collect(file, 0, open);
  // Headers say what a file is: both halves of a GGUF file name the architecture.
  for (const SealedOutput& output : assembly.sealed_files) {
    collect(output.file, output.file.header_size, sealed);
  }
  open = merged(std::move(open));
  sealed = merged(std::move(sealed));
  auto at = open.begin();
  for (const models::SourceRange& range : sealed) {
    while (at != open.end() && (at->file < range.file || (at->file == range.file &&
                                                          at->offset + at->size <= range.offset))) {
      ++at;
    }
    if (at == open.end() || at->file != range.file || at->offset >= range.offset + range.size) {
      continue;
    }
    return Error(ErrorCode::kUnsupported,
                 "bytes of " + printable(assembly.inputs[range.file].path) + " from byte " +
                     std::to_string(std::max(at->offset, range.offset)) +
                     " would be both sealed and public")
        .with_hint("models that share a file of external data must be sealed, or public, together");
  }
  return done();
}

Status check_inputs_unchanged(const Assembly& assembly) {
  std::set<std::string_view> excluded;
  for (const bundle::ExcludedFile& file : assembly.excluded) excluded.insert(file.path);
  for (const models::InputFile& input : assembly.inputs) {
    if (excluded.contains(input.path)) continue;
    // What comes out of an archive lies in a file that nobody else can name.
    if (const auto* file = dynamic_cast<const FileSource*>(input.source.get())) {
      TRY(file->check_unchanged("while it was being sealed"));
    }
  }
  return done();
}

}  // namespace sealpack::packer
