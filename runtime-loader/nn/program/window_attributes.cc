// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/attributes.h"
#include "runtime-loader/nn/program/lowering.h"

namespace sealpack::nn::program {
namespace {

Result<std::array<std::uint64_t, 2>> pair(const Node& node, const char* name) {
  const auto* given = TRY(ints_attribute(node, name));
  if (given == nullptr) return std::array<std::uint64_t, 2>{1, 1};
  if (given->size() != 2 || (*given)[0] < 1 || (*given)[1] < 1) {
    return Error(ErrorCode::kMalformed, std::string("attribute ") + name + " needs two numbers");
  }
  return std::array<std::uint64_t, 2>{static_cast<std::uint64_t>((*given)[0]),
                                      static_cast<std::uint64_t>((*given)[1])};
}

}  // namespace

// Shapes have been checked when the node's outputs were typed.
Result<WindowAttributes> window_attributes(const Node& node, const Shape& in, const Shape& out,
                                           std::array<std::uint64_t, 2> kernel) {
  WindowAttributes window;
  window.kernel = kernel;
  window.stride = TRY(pair(node, "strides"));
  window.dilation = TRY(pair(node, "dilations"));
  const std::string automatic = TRY(text_attribute(node, "auto_pad", "NOTSET"));
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    for (std::size_t i = 0; i < 2; ++i) {
      const auto from = static_cast<std::uint64_t>(in[2 + i]);
      const std::uint64_t reach = (static_cast<std::uint64_t>(out[2 + i]) - 1) * window.stride[i] +
                                  (kernel[i] - 1) * window.dilation[i] + 1;
      const std::uint64_t total = reach > from ? reach - from : 0;
      window.pad[i] = automatic == "SAME_UPPER" ? total / 2 : (total + 1) / 2;
    }
  } else if (automatic != "VALID") {
    const auto* pads = TRY(ints_attribute(node, "pads"));
    for (std::size_t i = 0; pads != nullptr && i < 2; ++i) {
      if (pads->size() != 4 || (*pads)[i] < 0) {
        return Error(ErrorCode::kMalformed, "attribute pads needs four numbers of at least 0");
      }
      window.pad[i] = static_cast<std::uint64_t>((*pads)[i]);
    }
  }
  return window;
}

}  // namespace sealpack::nn::program
