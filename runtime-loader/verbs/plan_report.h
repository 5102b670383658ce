// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>

#include "formats/cli/json_output.h"
#include "runtime-loader/verbs/plan_input.h"

namespace sealpack::plan {

// What `sealpack plan` tells.
struct PlanReport {
  const LoadedModel* model = nullptr;
  const PlanOptions* options = nullptr;
  const LoadedCalibration* calibration = nullptr;
  const PlanResult* result = nullptr;
  const Scores* scores = nullptr;  // may be nullptr
  std::uint64_t layers = 0;
};
void print_plan(const PlanReport& report, std::ostream& out);
cli::Json plan_json(const PlanReport& report);
std::string plan_svg(const PlanReport& report);

}  // namespace sealpack::plan
