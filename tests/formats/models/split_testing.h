// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "formats/models/model.h"

// Puts the outputs of a split together, for tests and fuzz targets.
namespace sealpack::models::testing {

// A piece that reaches beyond its input ends the program: splits must never make one.
inline ByteVector assemble(const OutputFile& file, std::span<const InputFile> inputs) {
  ByteVector out;
  for (const Piece& piece : file.pieces) {
    if (const auto* literal = std::get_if<ByteVector>(&piece)) {
      out.insert(out.end(), literal->begin(), literal->end());
      continue;
    }
    const auto& range = std::get<SourceRange>(piece);
    const std::size_t begin = out.size();
    out.resize(begin + static_cast<std::size_t>(range.size));
    const auto read =
        inputs[range.file].source->read_at(range.offset, MutableBytes(out).subspan(begin));
    if (!read.ok()) die("a piece reaches beyond its input");
  }
  return out;
}

inline InputFile memory_input(std::string path, ByteVector bytes) {
  return {std::move(path), std::make_shared<MemorySource>(std::move(bytes))};
}

using TensorBytes = std::map<std::string, ByteVector>;

}  // namespace sealpack::models::testing
