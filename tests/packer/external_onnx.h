// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/formats/models/onnx_builder.h"
#include "tests/packer/packing.h"

namespace sealpack::packer::testing {

// TensorProto of FLOAT whose data are `count` elements at `offset` of the file `location`.
inline models::testing::Proto external_tensor(std::string_view name, std::uint64_t count,
                                              std::string_view location, std::uint64_t offset) {
  using models::testing::Proto;
  const auto entry = [](std::string_view key, std::string_view value) {
    return Proto().text(1, key).text(2, value);
  };
  return Proto()
      .packed(1, {count})
      .integer(2, 1)
      .text(8, name)
      .message(13, entry("location", location))
      .message(13, entry("offset", std::to_string(offset)))
      .message(13, entry("length", std::to_string(count * 4)))
      .integer(14, 1);
}

// y = x + w beside v, both of 300 floats that look random.
inline ByteVector noisy_onnx() {
  using models::testing::Proto;
  const auto tensor = [](std::string_view name, std::uint64_t seed) {
    return Proto().packed(1, {300}).integer(2, 1).text(8, name).bytes(9, noise(1200, seed));
  };
  return models::testing::model(Proto()
                                    .message(1, models::testing::node("Add", {"x", "w"}, "y"))
                                    .text(2, "g")
                                    .message(5, tensor("w", 1))
                                    .message(5, tensor("v", 2))
                                    .message(11, models::testing::value_info("x"))
                                    .message(12, models::testing::value_info("y")))
      .get();
}

struct ExternalTensor {
  std::string name;
  std::uint64_t count = 0;
  std::uint64_t offset = 0;
};

inline ByteVector external_onnx(const std::vector<ExternalTensor>& tensors,
                                std::string_view location) {
  using models::testing::Proto;
  Proto graph;
  graph.message(1, models::testing::node("Add", {"x", tensors[0].name}, "y")).text(2, "g");
  for (const ExternalTensor& tensor : tensors) {
    graph.message(5, external_tensor(tensor.name, tensor.count, location, tensor.offset));
  }
  graph.message(11, models::testing::value_info("x")).message(12, models::testing::value_info("y"));
  return models::testing::model(graph).get();
}

}  // namespace sealpack::packer::testing
