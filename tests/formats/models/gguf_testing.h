// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "formats/base/bytes.h"

// Writes GGUF files, right and wrong ones, independently of the code under test.
namespace sealpack::models::testing {

class GgufWriter {
 public:
  template <typename Integer>
  GgufWriter& put(Integer value) {
    for (unsigned i = 0; i < sizeof value; ++i) {
      out_.push_back(static_cast<std::uint8_t>(std::uint64_t{value} >> (8 * i)));
    }
    return *this;
  }
  GgufWriter& u32(std::uint32_t value) { return put(value); }
  GgufWriter& u64(std::uint64_t value) { return put(value); }
  GgufWriter& raw(std::string_view text) {
    out_.insert(out_.end(), text.begin(), text.end());
    return *this;
  }
  GgufWriter& string(std::string_view text) { return u64(text.size()).raw(text); }
  GgufWriter& start(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
    return raw("GGUF").u32(version).u64(tensors).u64(keys);
  }
  GgufWriter& key_string(std::string_view key, std::string_view value) {
    return string(key).u32(8).string(value);
  }
  GgufWriter& key_u32(std::string_view key, std::uint32_t value) {
    return string(key).u32(4).u32(value);
  }
  GgufWriter& tensor(std::string_view name, const std::vector<std::uint64_t>& dimensions,
                     std::uint32_t type, std::uint64_t offset) {
    string(name).u32(static_cast<std::uint32_t>(dimensions.size()));
    for (const std::uint64_t dimension : dimensions) u64(dimension);
    return u32(type).u64(offset);
  }
  GgufWriter& pad(std::size_t alignment = 32) {
    out_.resize((out_.size() + alignment - 1) / alignment * alignment);
    return *this;
  }
  // Bytes that repeat nowhere within 64 KiB.
  GgufWriter& data(std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      state_ = state_ * 6364136223846793005U + 1442695040888963407U;
      out_.push_back(static_cast<std::uint8_t>(state_ >> 56U));
    }
    return *this;
  }
  const ByteVector& bytes() const { return out_; }

 private:
  ByteVector out_;
  std::uint64_t state_ = 1;
};

// Q8_0, F32 and F16 tensors, one empty; `alignment` 0 leaves the key out.
inline ByteVector small_gguf(std::uint32_t alignment = 0) {
  const std::uint64_t step = alignment == 0 ? 32 : alignment;
  GgufWriter out;
  out.start(4, alignment == 0 ? 4 : 5).key_string("general.architecture", "llama");
  if (alignment != 0) out.key_u32("general.alignment", alignment);
  out.key_u32("general.file_type", 7);
  out.string("tokenizer.ggml.tokens").u32(9).u32(8).u64(3).string("a").string("").string("<s>");
  out.string("test.nested").u32(9).u32(9).u64(2).u32(7).u64(2).raw(std::string("\1\0", 2));
  out.u32(5).u64(1).u32(9);
  const auto aligned = [step](std::uint64_t at) { return (at + step - 1) / step * step; };
  const std::uint64_t second = aligned(68 * 2);
  const std::uint64_t third = aligned(second + 12);
  out.tensor("embed", {64, 2}, 8, 0).tensor("norm", {3}, 0, second);
  out.tensor("empty", {0, 5}, 0, third).tensor("head", {5, 7}, 1, third);
  out.pad(step).data(68 * 2).pad(step).data(12).pad(step).data(70).pad(step);
  return out.bytes();
}

}  // namespace sealpack::models::testing
