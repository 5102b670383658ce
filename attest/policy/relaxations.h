// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "formats/bundle/release.h"

namespace sealpack::policy {

// What a policy lets pass that a careful one would not, a line each for people: claims that are
// ignored, debug and migration, platforms out of date, SIMULATED environments. Empty where nothing
// is relaxed.
std::vector<std::string> relaxations(const bundle::MeasurementPolicy& policy);

}  // namespace sealpack::policy
