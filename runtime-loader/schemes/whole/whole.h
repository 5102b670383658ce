// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/core/scheme.h"

namespace sealpack::loader {

// Scheme `whole`: all weights are secure and the whole model runs in the TEE.
const Scheme& whole_scheme();

}  // namespace sealpack::loader
