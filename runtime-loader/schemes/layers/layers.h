// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/core/scheme.h"

namespace sealpack::loader {

// Scheme `layers`: chosen layers are secure and run in the TEE, the others run outside and feed
// them.
const Scheme& layers_scheme();

}  // namespace sealpack::loader
