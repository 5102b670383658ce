// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "runtime-loader/nn/graph.h"
#include "runtime-loader/nn/kernels/kernels.h"
#include "runtime-loader/nn/services.h"

namespace sealpack::nn {

struct CompileOptions {
  // Shapes of graph inputs with symbolic dimensions, by name; a symbolic dimension that is not
  // given is 1.
  std::map<std::string, Shape, std::less<>> input_shapes;
  // Bytes of Memory that a run may hold at any time.
  std::uint64_t memory_limit = ~std::uint64_t{0};
  unsigned threads = 1;
  bool may_spill = true;                      // a SpillStore will be there
  const kernels::Kernels* kernels = nullptr;  // nullptr: the best this machine has
  // Conv, Gemm and MatMul with known weights, as indexes into Graph::nodes, that a LinearBackend
  // computes. kUsage for any other node.
  std::set<std::uint32_t> backend_nodes;
};

// Computes chosen linear nodes elsewhere: on a coprocessor, or on machines that see only blinded
// operands. It knows the graph and the weights by its own means. Called from the thread that runs.
class LinearBackend {
 public:
  using Ticket = std::uint64_t;
  virtual ~LinearBackend() = default;
  // Starts to compute the output of node `node` (bias and all) from its first input, both as ONNX
  // has them. They stay where they are until poll says true or fails, or until cancel.
  virtual Result<Ticket> submit(std::uint32_t node, const ConstTensor& input,
                                const Tensor& output) = 0;
  // Whether the output is there. After a failure the ticket is over.
  virtual Result<bool> poll(Ticket ticket) = 0;
  virtual void cancel(Ticket ticket) = 0;
};

// What one step costs, for the planner. All per run of the program.
struct StepCost {
  std::string what;                  // "conv 3x3 winograd", "gemm", "pointwise"
  std::vector<std::uint32_t> nodes;  // indexes into Graph::nodes it does
  std::uint64_t multiply_adds = 0;
  std::uint64_t moved = 0;     // bytes of activations read and written
  std::uint64_t weights = 0;   // bytes of weights it uses
  std::uint64_t streamed = 0;  // bytes of weights fetched again in every run
  std::uint64_t reads = 0;     // of the weight source, for that
  std::uint64_t spilled = 0;   // bytes stored to and loaded from the spill store
  std::uint64_t peak = 0;      // bytes of Memory held while it runs
};

struct ProgramCosts {
  std::vector<StepCost> steps;
  std::uint64_t peak = 0;              // bytes of Memory, at most memory_limit
  std::uint64_t unlimited_peak = 0;    // what it would hold with no limit
  std::uint64_t least_limit = 0;       // smallest memory_limit that compiles
  std::uint64_t resident_weights = 0;  // bytes kept from run to run
};

// A graph made ready to run for given input shapes under a memory limit: folded, fused, laid out,
// planned. Independent of the weights' bytes, except that small constants are folded through
// `weights`. Results are the same, bit for bit, for every memory_limit and thread count.
class Program {
 public:
  // kUnsupported, kMalformed as load_graph; kLimit when memory_limit is below least_limit, saying
  // what is needed.
  static Result<Program> compile(std::shared_ptr<const Graph> graph, WeightSource& weights,
                                 const CompileOptions& options);
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  ~Program();

  const Graph& graph() const;
  const ProgramCosts& costs() const;
  std::vector<TensorType> input_types() const;   // in the order of Graph::inputs
  std::vector<TensorType> output_types() const;  // in the order of Graph::outputs

 private:
  friend class Instance;
  struct State;
  explicit Program(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct InstanceServices {
  WeightSource& weights;
  Memory& memory;
  SpillStore* spill = nullptr;  // needed if costs().spilled is not 0
  Workers& workers = no_workers();
  Background& background = no_background();
  LinearBackend* backend = nullptr;  // needed if the program was compiled with backend_nodes
};

// A program with its memory. The program and the services must outlive it.
class Instance {
 public:
  // Takes the memory and packs the resident weights.
  static Result<Instance> create(const Program& program, const InstanceServices& services);
  Instance(Instance&&) noexcept;
  Instance& operator=(Instance&&) noexcept;
  ~Instance();  // wipes and releases

  // One run. `inputs` in the order of Graph::inputs with the types the program was compiled for;
  // `outputs` likewise. On failure the outputs are zero.
  Status run(std::span<const ConstTensor> inputs, std::span<const Tensor> outputs);

  // The same in pieces, for callers that cannot block: begin, then advance until it says true.
  // When advance fails because a service failed, calling it again tries that piece again.
  Status begin(std::span<const ConstTensor> inputs, std::span<const Tensor> outputs);
  Result<bool> advance();
  // Whether the last advance found a LinearBackend still at work: there is time for something else.
  bool is_waiting() const;
  void abandon();

  // Between two runs: `parameter` (an initializer that the weights' source now answers with other
  // bytes of the same size) has changed; what was packed of it is read anew. kUnsupported for a
  // value that was folded when the program was compiled: parameters that shall change and are
  // small, such as a bias, are inputs of the graph instead. A failure may be tried again.
  Status reload(ValueId parameter);

 private:
  struct State;
  explicit Instance(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sealpack::nn
