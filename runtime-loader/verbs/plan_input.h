// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <vector>

#include "formats/cli/terminal.h"
#include "runtime-loader/plan/planner.h"

// What `sealpack plan` reads.
namespace sealpack::plan {

// The command line.
struct PlanArguments {
  std::string model;
  std::string target = "process";
  std::string memory;
  std::string protect;
  std::vector<std::string> sizes;  // NAME=N
  std::string calibration;         // file
  bool calibrate = false;
  std::string switch_cost;  // microseconds
  std::string score;
  std::string choose;
  std::string out;
  std::string svg;
  bool force = false;
};

struct LoadedModel {
  PlannedModel model;
  std::string name;  // of the file
  Digest digest;
};
// The ONNX file that `path` is or holds, alone of its kind. kUsage, kIo, what load_graph refuses.
Result<LoadedModel> load_model(const std::string& path);

// Where the speed of the machine comes from, as it is told to the user.
struct LoadedCalibration {
  Calibration calibration;
  std::string source;
};
Result<LoadedCalibration> load_calibration(const PlanArguments& arguments, cli::Terminal& terminal);

// Extra columns: a CSV file whose first column is "choice" (the id of a choice, or of a
// division for all of its choices).
struct Scores {
  std::vector<std::string> columns;
  std::map<std::string, std::vector<std::string>> rows;  // by choice
  // nullptr if there is none.
  const std::vector<std::string>* find(const Choice& choice) const;
};
Result<Scores> load_scores(const std::string& path);

Result<SymbolSizes> parse_sizes(const std::vector<std::string>& texts, const nn::Graph& graph);

}  // namespace sealpack::plan
