// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "runtime-loader/plan/planner.h"

namespace sealpack::plan {

// A scatter of the choices as an SVG 1.1 file: seconds an answer against the share of the
// computation that is inside; the area of a point is its secure memory, its colour what it is
// worth, its label its id. `title` and `subtitle` are shown as they are.
std::string draw_choices(std::span<const Choice> choices, const std::string& title,
                         const std::string& subtitle);

}  // namespace sealpack::plan
