// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/host/tee_client.h"

namespace sealpack::host {

// A model as somebody in the normal world uses it, wherever its parts run.
class Model {
 public:
  virtual ~Model() = default;

  // What one run takes and gives.
  virtual const std::vector<loader::Port>& inputs() const = 0;
  virtual const std::vector<loader::Port>& outputs() const = 0;
  // Of the outputs, what a query budget counts.
  virtual const std::vector<loader::Port>& answers() const = 0;

  // One run; `inputs` has all of inputs(), by name, of exactly those types. The answer has
  // outputs() in their order, or is sealed.
  virtual Result<HostAnswer> run(const std::map<std::string, HostTensor>& inputs) = 0;
};

}  // namespace sealpack::host
