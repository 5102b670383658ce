// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "formats/models/model.h"

namespace sealpack::packer {

// Reads the plaintext of an output file from its pieces. File and inputs must outlive it. Calls may
// run in parallel.
class PieceReader {
 public:
  PieceReader(const models::OutputFile& file, const std::vector<models::InputFile>& inputs);

  // Fills `out` from byte `offset`; the range must lie within the file. kIo.
  Status read(std::uint64_t offset, MutableBytes out) const;

 private:
  Status read_piece(const models::Piece& piece, std::uint64_t skip, MutableBytes out) const;

  const models::OutputFile* file_;
  const std::vector<models::InputFile>* inputs_;
  std::vector<std::uint64_t> starts_;  // of each piece in the file
};

}  // namespace sealpack::packer
