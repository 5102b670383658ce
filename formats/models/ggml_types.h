// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace sealpack::models {

// How a ggml type stores elements: `block_size` bytes for every `block_count` of them.
struct GgmlType {
  std::uint32_t id;
  std::string_view name;
  std::uint32_t block_count;
  std::uint32_t block_size;
};

// nullptr for an id we do not know (ggml.h, enum ggml_type; removed types are unknown).
const GgmlType* find_ggml_type(std::uint32_t id);

// Name of a general.file_type value ("mostly Q4_K_M"), empty for one we do not know.
std::string_view ggml_file_type_name(std::uint32_t file_type);

}  // namespace sealpack::models
