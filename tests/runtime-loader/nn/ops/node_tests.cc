// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <map>

#include "tests/runtime-loader/nn/ops/node_test_cases.h"

// node_tests FOLDER LEAST: runs every ONNX node test under FOLDER that applies, and fails if one
// fails or fewer than LEAST apply. Skips, with status 77, where FOLDER is not there.
namespace sealpack::nn::testing {
namespace {

constexpr int kSkipped = 77;

Status check_outputs(const DataSet& data, const std::vector<OwnedTensor>& outputs) {
  // Some tests leave out the last of the optional outputs.
  if (outputs.size() < data.outputs.size()) {
    return Error(ErrorCode::kMalformed, std::to_string(outputs.size()) + " outputs, not " +
                                            std::to_string(data.outputs.size()));
  }
  for (std::size_t i = 0; i < data.outputs.size(); ++i) {
    TRY(compare(outputs[i], data.outputs[i]).within("output " + std::to_string(i)));
  }
  return done();
}

Status interpret_test(const NodeTest& test) {
  const MemorySource model(test.model);
  const Graph graph = TRY(load_without_files(model));
  for (const DataSet& data : test.data) {
    TRY(check_outputs(data, TRY(interpret(graph, model, data.inputs))));
  }
  return done();
}

struct Counts {
  std::size_t total = 0;
  std::size_t applicable = 0;
  std::size_t passed = 0;
  std::map<std::string, std::size_t> not_applicable;
};

void run_one(const std::filesystem::path& folder, Counts& counts) {
  ++counts.total;
  const std::string name = folder.filename().string();
  Result<NodeTestOrReason> loaded = load_node_test(folder);
  if (loaded.ok() && !loaded->test) {
    ++counts.not_applicable[loaded->why_not];
    return;
  }
  ++counts.applicable;
  const Status status = loaded.ok() ? interpret_test(*loaded->test) : Status(loaded.error());
  if (status.ok()) {
    ++counts.passed;
  } else {
    std::printf("FAILED %s: %s\n", name.c_str(), status.error().message().c_str());
  }
}

int run_all(const std::filesystem::path& root, std::size_t least) {
  if (!std::filesystem::is_directory(root)) {
    std::printf("SKIPPED: no ONNX node tests at %s (Debian package libonnx-testdata)\n",
                root.c_str());
    return kSkipped;
  }
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  Counts counts;
  for (const std::filesystem::path& folder : folders) run_one(folder, counts);
  std::printf("\nnot applicable:\n");
  for (const auto& [reason, count] : counts.not_applicable) {
    std::printf("%5zu  %s\n", count, reason.c_str());
  }
  std::printf("\ninterpreter: %zu/%zu/%zu (passed/applicable/total)\n", counts.passed,
              counts.applicable, counts.total);
  if (counts.applicable < least) {
    std::printf("FAILED: %zu apply, fewer than %zu\n", counts.applicable, least);
    return 1;
  }
  return counts.passed == counts.applicable ? 0 : 1;
}

}  // namespace
}  // namespace sealpack::nn::testing

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: node_tests FOLDER LEAST\n");
    return 2;
  }
  return sealpack::nn::testing::run_all(argv[1], std::stoul(argv[2]));
}
