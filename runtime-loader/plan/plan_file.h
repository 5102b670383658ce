// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::plan {

// What one choice costs, as the cost model estimates it.
struct Estimate {
  double latency = 0;             // seconds an answer
  std::uint64_t secure_peak = 0;  // bytes
  std::uint64_t crossing = 0;     // bytes an answer, both ways
  std::uint64_t switches = 0;     // an answer
  double parameter_share = 0;     // of the model's parameters that are secure, 0 … 1
  double multiply_add_share = 0;  // likewise
  bool operator==(const Estimate&) const = default;
};

// A choice written down: what `sealpack plan --out` writes and `sealpack build --plan` reads.
// People may read and edit it.
struct PlanFile {
  std::string model;                    // name of the file, for people
  Digest digest;                        // SHA-256 of the ONNX file
  bool whole = false;                   // everything is secure
  std::vector<std::string> secure;      // nodes, each by the first value it makes
  std::string target;                   // "op-tee", …
  std::optional<std::uint64_t> memory;  // secure bytes it was planned for
  std::optional<Estimate> estimate;
  bool operator==(const PlanFile&) const = default;
};

// TOML 1.0 (docs/PLANNING.md §5).
std::string serialize_plan(const PlanFile& plan);
// kMalformed naming line and column, kUnsupported for a newer format. `name` is for messages.
Result<PlanFile> parse_plan(std::string_view text, const std::string& name);

}  // namespace sealpack::plan
