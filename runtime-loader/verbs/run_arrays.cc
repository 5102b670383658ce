// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/run_arrays.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace sealpack::loader {
namespace {

struct Pair {
  NpyType npy;
  nn::DType dtype;
};
constexpr Pair kTypes[] = {
    {NpyType::kF16, nn::DType::kF16}, {NpyType::kF32, nn::DType::kF32},
    {NpyType::kF64, nn::DType::kF64}, {NpyType::kI8, nn::DType::kI8},
    {NpyType::kI32, nn::DType::kI32}, {NpyType::kI64, nn::DType::kI64},
    {NpyType::kU8, nn::DType::kU8},   {NpyType::kBool, nn::DType::kBool},
};

}  // namespace

Result<NpyType> to_npy_type(nn::DType type) {
  for (const Pair& pair : kTypes) {
    if (pair.dtype == type) return pair.npy;
  }
  return Error(ErrorCode::kUnsupported,
               std::string("arrays of ") + nn::to_string(type) + " cannot be written as .npy");
}

nn::DType to_dtype(NpyType type) {
  for (const Pair& pair : kTypes) {
    if (pair.npy == type) return pair.dtype;
  }
  die("an npy type without a tensor type");
}

NamedPath parse_named_path(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || text.find('/') < equals) return {"", text};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

std::string describe_array(nn::DType type, const std::vector<std::uint64_t>& shape) {
  std::string text = std::string(nn::to_string(type)) + "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ",") + std::to_string(shape[i]);
  }
  return text + "]";
}
std::string describe_array(const nn::TensorType& type) {
  return nn::to_string(type.dtype) + nn::to_string(type.shape);
}
std::string describe_array(const NpyHeader& header) {
  return describe_array(to_dtype(header.type), header.shape);
}

Result<InputArray> InputArray::open(const NamedPath& what) {
  InputArray array("", NpyReader(FileDescriptor(), ""));
  if (what.path == "-") {
    FileDescriptor input(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
    if (input.get() < 0) return io_error("cannot read standard input", errno);
    array = InputArray(what.path, NpyReader(std::move(input), "standard input"));
  } else {
    array = InputArray(what.path, TRY(NpyReader::open(what.path)));
  }
  array.name = what.name;
  return array;
}

Result<bool> InputArray::next() {
  std::optional<NpyHeader> header = TRY(reader_.next());
  if (!header) return false;
  header_ = *std::move(header);
  return true;
}

Result<ByteVector> InputArray::read(std::uint64_t size) {
  ByteVector bytes(size);
  TRY(reader_.read(bytes));
  return bytes;
}

Status InputArray::expect_end() {
  if (!TRY(reader_.next()).has_value()) return done();
  return Error(ErrorCode::kMalformed, reader_.name() + ": something follows the array")
      .with_hint("several arrays in a row are taken from standard input: --input -");
}

Result<OutputArray> OutputArray::create(const NamedPath& what, Overwrite overwrite,
                                        std::ostream& out) {
  std::optional<OutputFile> file;
  if (what.path != "-") file.emplace(TRY(OutputFile::create(what.path, overwrite, 0644)));
  OutputArray array(what.path, std::move(file), out);
  array.name = what.name;
  return array;
}

Status OutputArray::put(Bytes bytes) {
  if (file_) {
    TRY(file_->write_at(at_, bytes));
    at_ += bytes.size();
    return done();
  }
  out_->write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  // Whoever reads the other end gets an answer as soon as it is there.
  out_->flush();
  if (!out_->good()) return Error(ErrorCode::kIo, "cannot write standard output");
  return done();
}

Status OutputArray::begin(NpyType type, const std::vector<std::uint64_t>& shape) {
  const ByteVector header = TRY(serialize_npy_header(type, shape));
  return put(header);
}
Status OutputArray::write(Bytes rows) {
  return put(rows);
}
Status OutputArray::commit() {
  return file_ ? file_->commit() : done();
}

}  // namespace sealpack::loader
