// SPDX-License-Identifier: Apache-2.0
#include "packer/core/piece_reader.h"

#include <algorithm>

#include "formats/models/split.h"

namespace sealpack::packer {

PieceReader::PieceReader(const models::OutputFile& file,
                         const std::vector<models::InputFile>& inputs)
    : file_(&file), inputs_(&inputs) {
  std::uint64_t start = 0;
  for (const models::Piece& piece : file.pieces) {
    starts_.push_back(start);
    start += models::piece_size(piece);
  }
}

Status PieceReader::read(std::uint64_t offset, MutableBytes out) const {
  auto at = std::upper_bound(starts_.begin(), starts_.end(), offset) - starts_.begin() - 1;
  while (!out.empty()) {
    const auto index = static_cast<std::size_t>(at++);
    const models::Piece& piece = file_->pieces.at(index);
    const std::uint64_t skip = offset - starts_[index];
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(out.size(), models::piece_size(piece) - skip));
    TRY(read_piece(piece, skip, out.first(count)));
    out = out.subspan(count);
    offset += count;
  }
  return done();
}

Status PieceReader::read_piece(const models::Piece& piece, std::uint64_t skip,
                               MutableBytes out) const {
  if (const auto* range = std::get_if<models::SourceRange>(&piece)) {
    return (*inputs_)[range->file].source->read_at(range->offset + skip, out);
  }
  const auto& bytes = std::get<ByteVector>(piece);
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(skip), out.size(), out.begin());
  return done();
}

}  // namespace sealpack::packer
