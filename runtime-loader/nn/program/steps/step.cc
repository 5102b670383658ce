// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/steps/step.h"

namespace sealpack::nn::program {

Range Step::input_bytes(std::size_t input, Range) const {
  return {0, input_sizes[input]};
}

Range Step::output_bytes(std::size_t output, Range) const {
  return {0, output_sizes[output]};
}

std::uint64_t Step::scratch(unsigned) const {
  return 0;
}

std::uint64_t Step::constants() const {
  return 0;
}

}  // namespace sealpack::nn::program
