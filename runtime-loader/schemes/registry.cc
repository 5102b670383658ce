// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "runtime-loader/schemes/layers/layers.h"
#include "runtime-loader/schemes/whole/whole.h"

namespace sealpack::loader {

std::span<const Scheme* const> all_schemes() {
  static const std::array<const Scheme*, 2> kSchemes = {&whole_scheme(), &layers_scheme()};
  return kSchemes;
}

Result<const Scheme*> find_scheme(const bundle::Plan& plan) {
  for (const Scheme* scheme : all_schemes()) {
    if (scheme->name() != plan.scheme) continue;
    if (plan.version <= scheme->version()) return scheme;
    return Error(ErrorCode::kUnsupported, "scheme " + printable(plan.scheme) + " has version " +
                                              std::to_string(plan.version) +
                                              " in this bundle, this loader knows " +
                                              std::to_string(scheme->version()))
        .with_hint("it needs a newer sealpack");
  }
  return Error(ErrorCode::kUnsupported, "this loader cannot run scheme " + printable(plan.scheme));
}

}  // namespace sealpack::loader
