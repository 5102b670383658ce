// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/json_output.h"
#include "runtime-loader/host/tee_client.h"

namespace sealpack::loader {

// What a run took, for people and for programs.
struct RunFigures {
  tee::Capabilities tee;
  tee::SecureUse use;
  std::uint64_t least_cap = 0;  // the smallest that the model runs under, whatever this one was
  tee::Traffic traffic;
  std::uint64_t shared_in = 0;  // bytes of inputs, in the shared buffer
  std::uint64_t shared_out = 0;
  ModelInfo model;
  RunCounters counters;
  std::uint64_t rows = 0;
  std::uint64_t runs = 0;
  Digest measurement;
  std::uint64_t total_nanoseconds = 0;
  std::uint64_t first_answer_nanoseconds = 0;
};

cli::Json figures_json(const RunFigures& figures);
void print_figures(const RunFigures& figures, std::ostream& out);

}  // namespace sealpack::loader
