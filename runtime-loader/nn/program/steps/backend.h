// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/program/steps/step.h"

namespace sealpack::nn::program {

// A linear node that a LinearBackend computes while the run waits, or does something else.
class BackendStep final : public Step {
 public:
  BackendStep() { is_backend = true; }
  Status run(const Work&) const override { die("a backend's step is not run here"); }

  std::uint32_t node = 0;
  TensorType input_type, output_type;
};

}  // namespace sealpack::nn::program
