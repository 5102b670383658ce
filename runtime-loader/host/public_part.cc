// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/host/public_part.h"

#include <algorithm>
#include <new>
#include <optional>

#include "runtime-loader/core/scheme.h"

namespace sealpack::host {
namespace {

// Ordinary memory: nothing in the normal world is secret.
class OrdinaryMemory final : public nn::Memory {
 public:
  Result<MutableBytes> allocate(std::size_t size) override {
    void* block = ::operator new(std::max<std::size_t>(size, 1), kAlignment, std::nothrow);
    if (block == nullptr) return Error(ErrorCode::kLimit, "no memory for " + format_size(size));
    return MutableBytes(static_cast<std::uint8_t*>(block), size);
  }
  void release(MutableBytes block) override { ::operator delete(block.data(), kAlignment); }

 private:
  static constexpr std::align_val_t kAlignment{64};
};

// Files of the bundle by the numbers of a graph.
class PublicWeights final : public nn::WeightSource {
 public:
  PublicWeights(unpacker::FileReader& reader, std::vector<std::uint32_t> files)
      : reader_(reader), files_(std::move(files)) {}
  Status read(std::uint32_t file, std::uint64_t offset, MutableBytes out) override {
    return reader_.read(files_[file], offset, out);
  }

 private:
  unpacker::FileReader& reader_;
  std::vector<std::uint32_t> files_;
};

class GraphPart final : public PublicPart {
 public:
  GraphPart(const unpacker::VerifiedBundle& bundle, nn::Workers& workers)
      : bundle_(bundle), workers_(workers), reader_(bundle) {}

  Status prepare(const std::string& path,
                 const std::map<std::string, nn::Shape, std::less<>>& input_shapes) {
    TRY(read_graph(path));
    nn::CompileOptions options;
    for (const nn::ValueId input : graph_->inputs) {
      const auto shape = input_shapes.find(graph_->values[input].name);
      if (shape != input_shapes.end()) options.input_shapes.insert(*shape);
    }
    options.threads = workers_.count();
    options.may_spill = false;
    program_ = TRY(nn::Program::compile(graph_, *weights_, options));
    instance_ = TRY(nn::Instance::create(*program_, {*weights_, memory_, nullptr, workers_}));
    inputs_ = ports(graph_->inputs, program_->input_types());
    outputs_ = ports(graph_->outputs, program_->output_types());
    return done();
  }

  const std::vector<loader::Port>& inputs() const override { return inputs_; }
  const std::vector<loader::Port>& outputs() const override { return outputs_; }

  Result<std::vector<HostTensor>> run(const std::vector<const HostTensor*>& inputs) override {
    std::vector<nn::ConstTensor> from;
    std::vector<Block> aligned;  // vectors are aligned to 16 bytes only
    for (const HostTensor* input : inputs) {
      aligned.push_back(TRY(Block::copy_of(memory_, input->bytes)));
      from.push_back({input->port.type, aligned.back().bytes.data()});
    }
    std::vector<nn::Tensor> to;
    for (const loader::Port& port : outputs_) {
      aligned.push_back(TRY(Block::of_size(memory_, port.type.size())));
      to.push_back({port.type, aligned.back().bytes.data()});
    }
    TRY(instance_->run(from, to));
    std::vector<HostTensor> results;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      results.push_back({outputs_[i], to_vector(aligned[inputs.size() + i].bytes)});
    }
    return results;
  }

 private:
  struct Block {
    nn::Memory* memory = nullptr;
    MutableBytes bytes;

    static Result<Block> of_size(nn::Memory& memory, std::uint64_t size) {
      Block block;
      block.bytes = TRY(memory.allocate(size));
      block.memory = &memory;
      return block;
    }
    static Result<Block> copy_of(nn::Memory& memory, Bytes from) {
      Block block = TRY(of_size(memory, from.size()));
      std::copy(from.begin(), from.end(), block.bytes.begin());
      return block;
    }
    Block() = default;
    Block(Block&& other) noexcept
        : memory(std::exchange(other.memory, nullptr)), bytes(other.bytes) {}
    Block& operator=(Block&&) = delete;
    ~Block() {
      if (memory != nullptr) memory->release(bytes);
    }
  };

  Result<std::uint32_t> file_number(const std::string& path) const {
    const auto file = loader::find_bundle_file(bundle_.content(), "public/" + path);
    if (file) return file->number;
    return Error(ErrorCode::kMalformed, "the bundle has no public file " + printable(path));
  }

  Status read_graph(const std::string& path) {
    // External data are named from the folder of the graph.
    const std::string folder = path.substr(0, path.rfind('/') + 1);
    std::vector<std::uint32_t> files = {TRY(file_number(path))};
    const loader::ModelFileSource source(bundle_.content(), reader_, {false, files[0]});
    const auto external_size = [&](std::string_view external) -> Result<std::uint64_t> {
      const std::uint32_t number = TRY(file_number(folder + std::string(external)));
      return bundle_.content().file_size(number);
    };
    nn::Graph graph = TRY(nn::load_graph(source, external_size));
    for (const std::string& external : graph.external_files) {
      files.push_back(TRY(file_number(folder + external)));
    }
    graph_ = std::make_shared<const nn::Graph>(std::move(graph));
    weights_ = std::make_unique<PublicWeights>(reader_, std::move(files));
    return done();
  }

  std::vector<loader::Port> ports(const std::vector<nn::ValueId>& values,
                                  const std::vector<nn::TensorType>& types) const {
    std::vector<loader::Port> all;
    for (std::size_t i = 0; i < values.size(); ++i) {
      all.push_back({graph_->values[values[i]].name, types[i]});
    }
    return all;
  }

  const unpacker::VerifiedBundle& bundle_;
  nn::Workers& workers_;
  unpacker::FileReader reader_;
  OrdinaryMemory memory_;
  std::shared_ptr<const nn::Graph> graph_;
  std::unique_ptr<PublicWeights> weights_;
  std::optional<nn::Program> program_;
  std::optional<nn::Instance> instance_;
  std::vector<loader::Port> inputs_;
  std::vector<loader::Port> outputs_;
};

}  // namespace

Result<std::unique_ptr<PublicPart>> PublicPart::load(
    const unpacker::VerifiedBundle& bundle, const std::string& path,
    const std::map<std::string, nn::Shape, std::less<>>& input_shapes, nn::Workers& workers) {
  auto part = std::make_unique<GraphPart>(bundle, workers);
  TRY(part->prepare(path, input_shapes).within("public part " + printable(path)));
  return std::unique_ptr<PublicPart>(std::move(part));
}

}  // namespace sealpack::host
