// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "keymgmt/crypto/secret_bytes.h"
#include "runtime-loader/core/session_run.h"
#include "unpacker/core/card_check.h"

namespace sealpack::loader::internal {
namespace {

// Below this limit the readers' own memory counts: a quarter of the leaves at once.
constexpr std::uint64_t kSmallLimit = std::uint64_t{4} << 20U;
constexpr std::size_t kFewLeaves = 4;

std::uint64_t block_size(const nn::TensorType& type) {
  return (type.size() + 63) / 64 * 64;
}

std::uint64_t total_size(const std::vector<Port>& ports) {
  std::uint64_t total = 0;
  for (const Port& port : ports) total += block_size(port.type);
  return total;
}

bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// The names in `wanted` that are no port.
Status check_names(const std::vector<std::string>& wanted, const std::vector<Port>& ports,
                   const std::string& what) {
  for (const std::string& name : wanted) {
    const bool found = std::any_of(ports.begin(), ports.end(),
                                   [&](const Port& port) { return port.name == name; });
    if (!found) {
      return Error(ErrorCode::kMalformed, "the graph has no " + what + " " + printable(name));
    }
  }
  return done();
}

std::vector<Port> ports_of(const nn::Graph& graph, const std::vector<nn::ValueId>& values,
                           const std::vector<nn::TensorType>& types) {
  std::vector<Port> ports;
  for (std::size_t i = 0; i < values.size(); ++i) {
    ports.push_back({graph.values[values[i]].name, types[i]});
  }
  return ports;
}

struct ReadGraph {
  std::shared_ptr<const nn::Graph> graph;
  std::vector<ModelFile> files;  // as nn::WeightSource numbers them
};

Result<ReadGraph> read_graph(const unpacker::OpenBundle& bundle, const SecureModel& model,
                             std::size_t leaves) {
  const bundle::Content& content = bundle.verified().content();
  unpacker::FileReader reader(bundle, leaves);
  TRY(unpacker::check_card(content, reader));
  const auto external = [&](std::string_view path) {
    return std::find_if(model.externals.begin(), model.externals.end(),
                        [&](const auto& entry) { return entry.path == path; });
  };
  const auto external_size = [&](std::string_view path) -> Result<std::uint64_t> {
    const auto found = external(path);
    if (found == model.externals.end()) {
      return Error(ErrorCode::kMalformed,
                   "the bundle has no external data file " + printable(path));
    }
    return size_of(content, found->file);
  };
  nn::Graph graph =
      TRY(nn::load_graph(ModelFileSource(content, reader, model.graph), external_size));
  ReadGraph out;
  out.files.push_back(model.graph);
  for (const std::string& path : graph.external_files) {
    const auto found = external(path);
    if (found == model.externals.end()) {
      return Error(ErrorCode::kInternal, "an external data file was not asked for");
    }
    out.files.push_back(found->file);
  }
  out.graph = std::make_shared<const nn::Graph>(std::move(graph));
  return out;
}

}  // namespace

Result<SecureBlock> SecureBlock::allocate(nn::Memory& memory, std::uint64_t size) {
  // An empty tensor has a place too, so that nobody meets a null pointer.
  const MutableBytes bytes =
      TRY(memory.allocate(static_cast<std::size_t>(std::max<std::uint64_t>(size, 64))));
  return SecureBlock(memory, bytes);
}

Result<std::unique_ptr<LoadedModel>> LoadedModel::load(
    const unpacker::OpenBundle& bundle, const LoadOptions& options, const bundle::AnswerRule& rule,
    const Narrowing& narrowing, const Services& services, LoadFailure& failure) {
  const bundle::Content& content = bundle.verified().content();
  const Scheme* scheme = TRY(find_scheme(content.plan));
  const SecureModel secure = TRY(scheme->secure_model(content, options.model));
  const std::size_t leaves =
      options.memory_limit < kSmallLimit ? kFewLeaves : unpacker::FileReader::kMostLeaves;
  ReadGraph read = TRY(read_graph(bundle, secure, leaves));

  std::unique_ptr<LoadedModel> model(new LoadedModel);
  model->graph_ = std::move(read.graph);
  model->weights_ = std::make_unique<BundleWeights>(bundle, std::move(read.files), leaves);
  TRY(model->compile(options, services, failure));
  TRY(model->describe(secure, rule, narrowing));
  if (model->spilled_ != 0) {
    model->spill_ = std::make_unique<SealedSpill>(*services.spill);
  }
  TRY(model->take_blocks(services.memory));
  model->instance_ = TRY(nn::Instance::create(
      *model->program_, {*model->weights_, services.memory, model->spill_.get(), services.workers,
                         services.background}));
  return model;
}

// The limit holds for the program with its inputs and outputs, whose sizes the program tells, and
// for the answer that is made of the outputs.
Status LoadedModel::compile(const LoadOptions& options, const Services& services,
                            LoadFailure& failure) {
  nn::CompileOptions compile;
  compile.input_shapes = options.input_shapes;
  compile.threads = services.workers.count();
  compile.may_spill = options.may_spill && services.spill != nullptr;
  program_ = TRY(nn::Program::compile(graph_, *weights_, compile));
  graph_inputs_ = ports_of(*graph_, graph_->inputs, program_->input_types());
  graph_outputs_ = ports_of(*graph_, graph_->outputs, program_->output_types());
  const std::uint64_t around = total_size(graph_inputs_) + 2 * total_size(graph_outputs_);
  const std::uint64_t least = program_->costs().least_limit + around;
  if (options.memory_limit < least) {
    failure.least_limit = least;
    return Error(ErrorCode::kLimit, "the model needs " + format_size(least) +
                                        " of secure memory, " + format_size(options.memory_limit) +
                                        " are allowed")
        .with_hint("sealpack plan shows partitions that need less");
  }
  if (program_->costs().peak > options.memory_limit - around) {
    compile.memory_limit = options.memory_limit - around;
    program_.reset();
    program_ = TRY(nn::Program::compile(graph_, *weights_, compile));
  }
  // What the outputs are where the host chooses nothing: the measure of how many answers a run
  // gives. A model that cannot run so has no such measure.
  if (!options.input_shapes.empty()) {
    nn::CompileOptions least_shapes;
    const auto smallest = nn::Program::compile(graph_, *weights_, least_shapes);
    single_outputs_ = smallest.ok() ? smallest->output_types() : std::vector<nn::TensorType>();
  } else {
    single_outputs_ = program_->output_types();
  }
  const nn::ProgramCosts& costs = program_->costs();
  info_.peak = costs.peak + around;
  info_.unlimited_peak = costs.unlimited_peak + around;
  info_.least_limit = least;
  info_.resident_weights = costs.resident_weights;
  for (const nn::StepCost& step : costs.steps) {
    info_.streamed += step.streamed;
    spilled_ += step.spilled;
  }
  return done();
}

Status LoadedModel::describe(const SecureModel& model, const bundle::AnswerRule& rule,
                             const Narrowing& narrowing) {
  TRY(check_names(model.taps, graph_inputs_, "input"));
  TRY(check_names(model.outputs, graph_outputs_, "output"));
  for (const Port& port : graph_inputs_) {
    (contains(model.taps, port.name) ? info_.taps : info_.inputs).push_back(port);
  }
  TRY(check_names(model.returned, graph_outputs_, "output"));
  returned_ = model.returned;
  std::vector<std::string> declared = model.outputs;
  if (declared.empty()) {
    for (const Port& port : graph_outputs_) declared.push_back(port.name);
  }
  const std::vector<std::string> leaving = TRY(narrow_outputs(declared, narrowing));
  for (std::size_t i = 0; i < graph_outputs_.size(); ++i) {
    const Port& port = graph_outputs_[i];
    if (!contains(leaving, port.name)) continue;
    const auto type = is_returned(port.name) ? port.type : TRY(answer_type(rule, port.type));
    info_.outputs.push_back({port.name, type});
    answers_per_run_ = std::max(
        answers_per_run_,
        answer_count(port.type, i < single_outputs_.size() ? &single_outputs_[i] : nullptr));
  }
  return done();
}

Status LoadedModel::take_blocks(nn::Memory& memory) {
  for (const Port& port : graph_inputs_) {
    input_blocks_.push_back(TRY(SecureBlock::allocate(memory, port.type.size())));
  }
  for (const Port& port : graph_outputs_) {
    output_blocks_.push_back(TRY(SecureBlock::allocate(memory, port.type.size())));
  }
  return done();
}

void LoadedModel::wipe_blocks() {
  for (const SecureBlock& block : input_blocks_) crypto::wipe(block.bytes());
  for (const SecureBlock& block : output_blocks_) crypto::wipe(block.bytes());
}

bool LoadedModel::is_returned(const std::string& output) const {
  return contains(returned_, output);
}

RunCounters LoadedModel::counters() const {
  RunCounters counters;
  counters.weights_read = weights_->bytes_read();
  if (spill_ != nullptr) {
    counters.spill_stored = spill_->bytes_stored();
    counters.spill_loaded = spill_->bytes_loaded();
  }
  return counters;
}

}  // namespace sealpack::loader::internal
