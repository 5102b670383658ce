// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <ostream>

#include "formats/files/npy.h"
#include "formats/files/output_file.h"
#include "runtime-loader/nn/tensor.h"

// Between NumPy's files and tensors of a model, for `sealpack run`.
namespace sealpack::loader {

// kUnsupported for a type that .npy files do not have here.
Result<NpyType> to_npy_type(nn::DType type);
nn::DType to_dtype(NpyType type);

// "NAME=FILE", or "FILE" with an empty name; FILE "-" is a standard stream. What has a slash before
// its first '=' is a file.
struct NamedPath {
  std::string name;
  std::string path;
};
NamedPath parse_named_path(const std::string& text);

// "float32[1,28,28]"
std::string describe_array(nn::DType type, const std::vector<std::uint64_t>& shape);
std::string describe_array(const nn::TensorType& type);
std::string describe_array(const NpyHeader& header);

// One input: arrays that are read in rows.
class InputArray {
 public:
  // "-" is standard input. kIo.
  static Result<InputArray> open(const NamedPath& what);

  const std::string& path() const { return path_; }
  bool is_stream() const { return path_ == "-"; }
  std::string name;  // of the model's input, once it is known

  // The next array; false at the end. kMalformed, kUnsupported, kLimit.
  Result<bool> next();
  const NpyHeader& header() const { return header_; }
  // The first dimension; 1 for a scalar.
  std::uint64_t rows() const { return header_.shape.empty() ? 1 : header_.shape[0]; }
  Result<ByteVector> read(std::uint64_t size);
  // kMalformed if something follows the array that was read.
  Status expect_end();

 private:
  InputArray(std::string path, NpyReader reader)
      : path_(std::move(path)), reader_(std::move(reader)) {}
  std::string path_;
  NpyReader reader_;
  NpyHeader header_;
};

// One output: a file that appears when everything went well, or standard output.
class OutputArray {
 public:
  static Result<OutputArray> create(const NamedPath& what, Overwrite overwrite, std::ostream& out);

  std::string name;  // of the model's output; empty: its only one
  const std::string& path() const { return path_; }

  // Starts an array; what is written after belongs to it.
  Status begin(NpyType type, const std::vector<std::uint64_t>& shape);
  Status write(Bytes rows);
  // Once, at the end.
  Status commit();

 private:
  OutputArray(std::string path, std::optional<OutputFile> file, std::ostream& out)
      : path_(std::move(path)), file_(std::move(file)), out_(&out) {}
  Status put(Bytes bytes);
  std::string path_;
  std::optional<OutputFile> file_;  // none: standard output
  std::ostream* out_;
  std::uint64_t at_ = 0;
};

}  // namespace sealpack::loader
