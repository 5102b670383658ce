// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <map>

#include "tests/runtime-loader/nn/ops/node_test_cases.h"
#include "tests/runtime-loader/nn/ops/program_engine.h"

// node_tests FOLDER LEAST [PART]: runs every ONNX node test under FOLDER (with PART in its name)
// that applies, node after node and as a program, and fails if one fails or fewer than LEAST apply.
// Skips, with status 77, where FOLDER is not there.
namespace sealpack::nn::testing {
namespace {

constexpr int kSkipped = 77;
constexpr std::size_t kMostBoundLate = 0;

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

struct Engine {
  const char* name;
  Result<std::vector<OwnedTensor>> (*run)(const Graph& graph, const BlockSource& model,
                                          const std::vector<OwnedTensor>& inputs);
  std::size_t passed = 0;
  std::size_t applicable = 0;
  std::size_t bound_late = 0;  // a shape is known only when it runs
};

// False where the test needs a shape that the engine cannot know in time.
Result<bool> run_test(const Engine& engine, const NodeTest& test) {
  const MemorySource model(test.model);
  const Graph graph = TRY(load_without_files(model));
  for (const DataSet& data : test.data) {
    auto outputs = engine.run(graph, model, data.inputs);
    if (!outputs.ok() && outputs.error().code() == ErrorCode::kUnsupported &&
        outputs.error().message().find("depends on") != std::string::npos) {
      return false;
    }
    TRY(check_outputs(data, TRY(std::move(outputs))));
  }
  return true;
}

void run_with(Engine& engine, const NodeTest& test) {
  const Result<bool> result = run_test(engine, test);
  if (result.ok() && !*result) {
    ++engine.bound_late;
    std::printf("%s leaves out %s: shape known only at run time\n", engine.name, test.name.c_str());
    return;
  }
  ++engine.applicable;
  if (result.ok()) {
    ++engine.passed;
  } else {
    std::printf("FAILED %s, %s: %s\n", engine.name, test.name.c_str(),
                result.error().message().c_str());
  }
}

std::vector<std::filesystem::path> folders_of(const std::filesystem::path& root,
                                              const std::string& part) {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    const bool wanted = entry.path().filename().string().find(part) != std::string::npos;
    if (wanted && entry.is_directory()) folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  return folders;
}

int run_all(const std::filesystem::path& root, std::size_t least, const std::string& part) {
  if (!std::filesystem::is_directory(root)) {
    std::printf("SKIPPED: no ONNX node tests at %s (Debian package libonnx-testdata)\n",
                root.c_str());
    return kSkipped;
  }
  Engine engines[] = {{"interpreter", interpret}, {"program", run_as_program}};
  std::map<std::string, std::size_t> not_applicable;
  std::size_t total = 0;
  std::size_t unreadable = 0;
  for (const std::filesystem::path& folder : folders_of(root, part)) {
    ++total;
    const Result<NodeTestOrReason> loaded = load_node_test(folder);
    if (!loaded.ok()) {
      ++unreadable;
      std::printf("FAILED to read %s: %s\n", folder.c_str(), loaded.error().message().c_str());
    } else if (!loaded->test) {
      ++not_applicable[loaded->why_not];
    } else {
      for (Engine& engine : engines) run_with(engine, *loaded->test);
    }
  }
  std::printf("\nnot applicable:\n");
  for (const auto& [reason, count] : not_applicable) {
    std::printf("%5zu  %s\n", count, reason.c_str());
  }
  std::printf("\n");
  bool ok = unreadable == 0;
  for (const Engine& engine : engines) {
    std::printf("%-11s %zu/%zu/%zu (passed/applicable/total)\n", engine.name, engine.passed,
                engine.applicable, total);
    ok = ok && engine.passed == engine.applicable && engine.bound_late <= kMostBoundLate;
  }
  if (engines[0].applicable >= least) return ok ? 0 : 1;
  std::printf("FAILED: %zu apply, fewer than %zu\n", engines[0].applicable, least);
  return 1;
}

}  // namespace
}  // namespace sealpack::nn::testing

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // what came before a crash is of interest
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: node_tests FOLDER LEAST [PART-OF-NAME]\n");
    return 2;
  }
  return sealpack::nn::testing::run_all(argv[1], std::stoul(argv[2]), argc == 4 ? argv[3] : "");
}
