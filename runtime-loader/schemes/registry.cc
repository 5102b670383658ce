// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "runtime-loader/schemes/whole/whole.h"

namespace sealpack::loader {

std::span<const Scheme* const> all_schemes() {
  static const std::array<const Scheme*, 1> schemes = {&whole_scheme()};
  return schemes;
}

}  // namespace sealpack::loader
