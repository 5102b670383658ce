// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/files/file_source.h"

namespace sealpack {

// NumPy's array files (.npy; numpy.lib.format), versions 1.0 to 3.0, strictly: little-endian
// numbers in C order, every key of the header once. Pickled objects, strings and records are
// refused.

enum class NpyType : std::uint8_t { kF16, kF32, kF64, kI8, kI32, kI64, kU8, kBool };
std::size_t npy_element_size(NpyType type);  // bytes
const char* npy_descriptor(NpyType type);    // "<f4"
const char* to_string(NpyType type);         // "float32"

struct NpyHeader {
  static constexpr std::size_t kMaxRank = 32;
  static constexpr std::size_t kPrologueSize = 12;  // enough for npy_header_size
  static constexpr std::size_t kMaxSize = 65536;    // of a whole header

  NpyType type = NpyType::kF32;
  std::vector<std::uint64_t> shape;
  std::uint64_t data_size = 0;  // bytes that follow the header; fits 63 bits
  bool operator==(const NpyHeader&) const = default;
};

// Bytes from the start of the file to its data, out of the first kPrologueSize bytes. kMalformed,
// kUnsupported for another version, kLimit.
Result<std::uint64_t> npy_header_size(Bytes prologue);

// `header` has exactly the size npy_header_size gave. kMalformed; kUnsupported for what NumPy may
// write and this reader does not take, with a hint how to write it anew; kLimit.
Result<NpyHeader> parse_npy_header(Bytes header);

// Version 1.0 as NumPy writes it, padded to 64 bytes. kLimit for a shape of more than 2^63 bytes or
// more than kMaxRank dimensions.
Result<ByteVector> serialize_npy_header(NpyType type, const std::vector<std::uint64_t>& shape);

// Arrays that follow one another in a file or a pipe, read from front to back.
class NpyReader {
 public:
  // `name` stands for the input in messages.
  NpyReader(FileDescriptor file, std::string name)
      : file_(std::move(file)), name_(std::move(name)) {}
  static Result<NpyReader> open(const std::string& path);

  // The header of the next array, nothing at the end. The data of the one before must have been
  // read.
  Result<std::optional<NpyHeader>> next();
  // The next bytes of the data of that array. kMalformed when the input ends before or when a bool
  // is neither 0 nor 1; kIo.
  Status read(MutableBytes out);
  std::uint64_t left() const { return left_; }  // bytes of data not yet read
  const std::string& name() const { return name_; }

 private:
  // Bytes read, fewer only where the input ends.
  Result<std::size_t> read_some(MutableBytes out);
  FileDescriptor file_;
  std::string name_;
  std::uint64_t left_ = 0;
  NpyType type_ = NpyType::kF32;
};

}  // namespace sealpack
