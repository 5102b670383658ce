// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/host/public_part.h"

#include <algorithm>
#include <new>
#include <optional>

#include "formats/files/file_source.h"
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

// The files of a graph: file 0 is the graph itself.
class GraphFiles : public nn::WeightSource {
 public:
  // The next file: the graph, then its external data files as it names them; its size.
  virtual Result<std::uint64_t> add(const std::string& path) = 0;
  virtual const BlockSource& graph() const = 0;
};

class BundleFiles final : public GraphFiles {
 public:
  explicit BundleFiles(const unpacker::VerifiedBundle& bundle)
      : content_(bundle.content()), reader_(bundle) {}

  Result<std::uint64_t> add(const std::string& path) override {
    const auto file = loader::find_bundle_file(content_, "public/" + path);
    if (!file) {
      return Error(ErrorCode::kMalformed, "the bundle has no public file " + printable(path));
    }
    if (numbers_.empty()) graph_.emplace(content_, reader_, *file);
    numbers_.push_back(file->number);
    return content_.file_size(file->number);
  }
  const BlockSource& graph() const override { return *graph_; }
  Status read(std::uint32_t file, std::uint64_t offset, MutableBytes out) override {
    return reader_.read(numbers_[file], offset, out);
  }

 private:
  const bundle::Content& content_;
  unpacker::FileReader reader_;
  std::optional<loader::ModelFileSource> graph_;
  std::vector<std::uint32_t> numbers_;
};

class PlainFiles final : public GraphFiles {
 public:
  Result<std::uint64_t> add(const std::string& path) override {
    sources_.push_back(TRY(FileSource::open(path)));
    return sources_.back()->size();
  }
  const BlockSource& graph() const override { return *sources_[0]; }
  Status read(std::uint32_t file, std::uint64_t offset, MutableBytes out) override {
    return sources_[file]->read_at(offset, out);
  }

 private:
  std::vector<std::shared_ptr<FileSource>> sources_;
};

class GraphPart final : public PublicPart {
 public:
  GraphPart(std::unique_ptr<GraphFiles> files, nn::Workers& workers)
      : files_(std::move(files)), workers_(workers) {}

  Status prepare(const std::string& path, const InputShapes& input_shapes) {
    TRY(read_graph(path));
    nn::CompileOptions options;
    for (const nn::ValueId input : graph_->inputs) {
      const auto shape = input_shapes.find(graph_->values[input].name);
      if (shape != input_shapes.end()) options.input_shapes.insert(*shape);
    }
    options.threads = workers_.count();
    options.may_spill = false;
    program_ = TRY(nn::Program::compile(graph_, *files_, options));
    instance_ = TRY(nn::Instance::create(*program_, {*files_, memory_, nullptr, workers_}));
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

  Status read_graph(const std::string& path) {
    // External data are named from the folder of the graph. Each name is added once, in the order
    // of Graph::external_files.
    const std::string folder = path.substr(0, path.rfind('/') + 1);
    std::vector<std::uint64_t> sizes;
    std::vector<std::string> names;
    (void)TRY(files_->add(path));
    const auto external_size = [&](std::string_view external) -> Result<std::uint64_t> {
      const auto known = std::find(names.begin(), names.end(), external);
      if (known == names.end()) {
        sizes.push_back(TRY(files_->add(folder + std::string(external))));
        names.emplace_back(external);
        return sizes.back();
      }
      return sizes[static_cast<std::size_t>(known - names.begin())];
    };
    nn::Graph graph = TRY(nn::load_graph(files_->graph(), external_size));
    if (graph.external_files != names) {
      return Error(ErrorCode::kInternal, "external data files in another order than asked for");
    }
    graph_ = std::make_shared<const nn::Graph>(std::move(graph));
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

  std::unique_ptr<GraphFiles> files_;
  nn::Workers& workers_;
  OrdinaryMemory memory_;
  std::shared_ptr<const nn::Graph> graph_;
  std::optional<nn::Program> program_;
  std::optional<nn::Instance> instance_;
  std::vector<loader::Port> inputs_;
  std::vector<loader::Port> outputs_;
};

}  // namespace

Result<std::unique_ptr<PublicPart>> PublicPart::load(const unpacker::VerifiedBundle& bundle,
                                                     const std::string& path,
                                                     const InputShapes& input_shapes,
                                                     nn::Workers& workers) {
  auto part = std::make_unique<GraphPart>(std::make_unique<BundleFiles>(bundle), workers);
  TRY(part->prepare(path, input_shapes).within("public part " + printable(path)));
  return std::unique_ptr<PublicPart>(std::move(part));
}

Result<std::unique_ptr<PublicPart>> PublicPart::load_file(const std::filesystem::path& path,
                                                          const InputShapes& input_shapes,
                                                          nn::Workers& workers) {
  auto part = std::make_unique<GraphPart>(std::make_unique<PlainFiles>(), workers);
  TRY(part->prepare(path.string(), input_shapes).within(printable(path.string())));
  return std::unique_ptr<PublicPart>(std::move(part));
}

}  // namespace sealpack::host
