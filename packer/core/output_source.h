// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/block_source.h"
#include "packer/core/piece_reader.h"

namespace sealpack::packer {

// An output file as it will be, before it is written. File and inputs must outlive it.
class OutputSource final : public BlockSource {
 public:
  OutputSource(const models::OutputFile& file, const std::vector<models::InputFile>& inputs)
      : reader_(file, inputs), size_(models::total_size(file)) {}
  std::uint64_t size() const override { return size_; }
  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    if (offset > size_ || out.size() > size_ - offset) {
      return Error(ErrorCode::kIo, "read past the end of an output");
    }
    return reader_.read(offset, out);
  }

 private:
  PieceReader reader_;
  std::uint64_t size_;
};

}  // namespace sealpack::packer
