// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/math_broadcast.h"

namespace sealpack::nn {

bool broadcasts_to(const Shape& from, const Shape& to) {
  const Result<Shape> both = broadcast(from, to);
  return both.ok() && *both == to;
}

}  // namespace sealpack::nn
