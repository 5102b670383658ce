// SPDX-License-Identifier: Apache-2.0
// nn_run MODEL.onnx IN.npy… OUT.npy… [--limit BYTES] [--threads N] [--time N] [--costs] [--plain]
// [--no-fetch-thread]
// Runs a plain ONNX file with the program that a bundle would be run with: for comparisons with
// other engines and for measurements. Inputs and outputs in the order of the graph.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "formats/files/npy.h"
#include "runtime-loader/nn/program/program.h"
#include "tests/runtime-loader/nn/ops/interpreter.h"
#include "tests/runtime-loader/nn/program/services_in_memory.h"

namespace sealpack::nn::testing {
namespace {

struct Arguments {
  std::string model;
  std::vector<std::string> arrays;
  std::uint64_t limit = ~std::uint64_t{0};
  unsigned threads = 1;
  int runs = 0;
  bool costs = false, plain = false, fetch_thread = true;
};

std::optional<Arguments> parse(std::span<char*> words) {
  Arguments arguments;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string word = words[i];
    const auto number = [&] { return ++i < words.size() ? std::stoull(words[i]) : 0; };
    if (word == "--limit") {
      arguments.limit = number();
    } else if (word == "--threads") {
      arguments.threads = static_cast<unsigned>(number());
    } else if (word == "--time") {
      arguments.runs = static_cast<int>(number());
    } else if (word == "--costs") {
      arguments.costs = true;
    } else if (word == "--plain") {
      arguments.plain = true;
    } else if (word == "--no-fetch-thread") {
      arguments.fetch_thread = false;
    } else if (word.starts_with("--")) {
      return std::nullopt;
    } else if (arguments.model.empty()) {
      arguments.model = word;
    } else {
      arguments.arrays.push_back(word);
    }
  }
  if (arguments.model.empty()) return std::nullopt;
  return arguments;
}

Result<OwnedTensor> load_array(const std::string& path) {
  NpyReader reader = TRY(NpyReader::open(path));
  const auto header = TRY(reader.next());
  if (!header) return Error(ErrorCode::kMalformed, path + " is empty");
  static constexpr std::array<DType, 8> kTypes = {DType::kF16, DType::kF32, DType::kF64,
                                                  DType::kI8,  DType::kI32, DType::kI64,
                                                  DType::kU8,  DType::kBool};
  std::vector<std::int64_t> dims(header->shape.begin(), header->shape.end());
  OwnedTensor tensor({kTypes[static_cast<std::size_t>(header->type)], TRY(Shape::make(dims))});
  TRY(reader.read({tensor.view().data, tensor.type().size()}));
  return tensor;
}

Status store_array(const std::string& path, const OwnedTensor& tensor) {
  static const std::map<DType, NpyType> kTypes = {
      {DType::kF16, NpyType::kF16}, {DType::kF32, NpyType::kF32},  {DType::kF64, NpyType::kF64},
      {DType::kI8, NpyType::kI8},   {DType::kI32, NpyType::kI32},  {DType::kI64, NpyType::kI64},
      {DType::kU8, NpyType::kU8},   {DType::kBool, NpyType::kBool}};
  const auto type = kTypes.find(tensor.type().dtype);
  if (type == kTypes.end()) return Error(ErrorCode::kUnsupported, "no such array type");
  const auto dims = tensor.type().shape.dims();
  const ByteVector header = TRY(serialize_npy_header(type->second, {dims.begin(), dims.end()}));
  std::ofstream file(path, std::ios::binary);
  file.write(as_text(header).data(), static_cast<std::streamsize>(header.size()));
  file.write(as_text(tensor.bytes()).data(), static_cast<std::streamsize>(tensor.bytes().size()));
  if (!file.flush()) return Error(ErrorCode::kIo, "cannot write " + path);
  return done();
}

void print_costs(const ProgramCosts& costs) {
  std::printf("%-28s %12s %12s %12s %12s %12s %12s\n", "step", "MAC", "moved", "weights",
              "streamed", "spilled", "peak");
  for (const StepCost& step : costs.steps) {
    std::printf("%-28s %12lu %12lu %12lu %12lu %12lu %12lu\n", step.what.c_str(),
                step.multiply_adds, step.moved, step.weights, step.streamed, step.spilled,
                step.peak);
  }
}

void print_summary(const ProgramCosts& costs) {
  std::uint64_t streamed = 0, spilled = 0;
  for (const StepCost& step : costs.steps) {
    streamed += step.streamed;
    spilled += step.spilled;
  }
  std::printf("peak %lu unlimited %lu least %lu resident %lu streamed %lu spilled %lu\n",
              costs.peak, costs.unlimited_peak, costs.least_limit, costs.resident_weights, streamed,
              spilled);
}

struct Opened {
  std::vector<std::unique_ptr<FileSource>> files;
  std::vector<const BlockSource*> sources;
  std::shared_ptr<const Graph> graph;
};

Result<Opened> open_model(const std::string& path) {
  Opened opened;
  opened.files.push_back(TRY(FileSource::open(path)));
  const auto folder = std::filesystem::path(path).parent_path();
  const auto size = [&](std::string_view name) -> Result<std::uint64_t> {
    return TRY(FileSource::open(folder / name))->size();
  };
  opened.graph = std::make_shared<const Graph>(TRY(load_graph(*opened.files[0], size)));
  for (const std::string& name : opened.graph->external_files) {
    opened.files.push_back(TRY(FileSource::open(folder / name)));
  }
  for (const auto& file : opened.files) opened.sources.push_back(file.get());
  return opened;
}

void time_runs(Instance& instance, int runs, std::span<const ConstTensor> in,
               std::span<const Tensor> out) {
  double best = 1e30, total = 0;
  for (int i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (!instance.run(in, out).ok()) return;
    const std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - start;
    best = std::min(best, spent.count());
    total += spent.count();
  }
  std::printf("best %.4f ms, mean %.4f ms\n", best, total / runs);
}

Status run(const Arguments& arguments) {
  const Opened opened = TRY(open_model(arguments.model));
  const Graph& graph = *opened.graph;
  std::vector<OwnedTensor> inputs, outputs;
  CompileOptions options;
  options.memory_limit = arguments.limit;
  options.threads = arguments.threads;
  for (std::size_t i = 0; i < graph.inputs.size() && i < arguments.arrays.size(); ++i) {
    inputs.push_back(TRY(load_array(arguments.arrays[i])));
    options.input_shapes[graph.values[graph.inputs[i]].name] = inputs[i].type().shape;
  }
  PlainWeights weights(opened.sources);
  const Program program = TRY(Program::compile(opened.graph, weights, options));
  for (std::size_t i = inputs.size(); i < graph.inputs.size(); ++i) {
    inputs.emplace_back(program.input_types()[i]);  // zeros where no array is given
  }
  if (arguments.costs) print_costs(program.costs());
  print_summary(program.costs());
  for (const TensorType& type : program.output_types()) outputs.emplace_back(type);
  if (arguments.plain) {
    outputs = TRY(interpret(graph, *opened.files[0], inputs));
  } else {
    BudgetMemory memory(arguments.limit);
    MapSpill spill;
    ThreadWorkers workers(arguments.threads);
    ThreadBackground background;
    Instance instance =
        TRY(Instance::create(program, {weights, memory, &spill, workers,
                                       arguments.fetch_thread ? static_cast<Background&>(background)
                                                              : no_background()}));
    std::vector<ConstTensor> in;
    std::vector<Tensor> out;
    for (const OwnedTensor& each : inputs) in.push_back(each.view());
    for (OwnedTensor& each : outputs) out.push_back(each.view());
    TRY(instance.run(in, out));
    if (arguments.runs > 0) time_runs(instance, arguments.runs, in, out);
    std::printf("held %lu\n", memory.peak());
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::size_t at = graph.inputs.size() + i;
    if (at < arguments.arrays.size()) TRY(store_array(arguments.arrays[at], outputs[i]));
  }
  return done();
}

}  // namespace
}  // namespace sealpack::nn::testing

int main(int count, char** words) {
  using namespace sealpack::nn::testing;
  const auto arguments = parse({words, static_cast<std::size_t>(count)});
  if (!arguments) {
    std::fprintf(stderr, "usage: nn_run MODEL.onnx IN.npy... OUT.npy... [--limit BYTES]\n");
    return 2;
  }
  const auto status = run(*arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "nn_run: %s\n", status.error().message().c_str());
  return static_cast<int>(status.error().code());
}
