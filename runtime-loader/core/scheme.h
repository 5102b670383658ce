// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>

#include "formats/base/block_source.h"
#include "unpacker/core/file_reader.h"

// The half of a protection scheme that runs in the TEE: from an open bundle to the graph that is
// run there. The other half is packer/schemes/NAME. Adding a scheme is a folder in
// runtime-loader/schemes and a row in its registry.
namespace sealpack::loader {

// A file that the secure side reads: one of the bundle, or an input file put together again from
// wherever its bytes are now (public tensors and sealed ones).
struct ModelFile {
  bool is_original = false;
  std::uint32_t number = 0;  // as in Extent::file, or the index in Content::originals
  bool operator==(const ModelFile&) const = default;
};
std::uint64_t size_of(const bundle::Content& content, const ModelFile& file);

// The input file with this path, or the file of the bundle with this path ("public/a", "sealed/b").
std::optional<ModelFile> find_original(const bundle::Content& content, std::string_view path);
std::optional<ModelFile> find_bundle_file(const bundle::Content& content, std::string_view path);

// What the secure side runs.
struct SecureModel {
  ModelFile graph;  // an ONNX file
  // External data files as the graph names them, in any order; others are refused.
  struct External {
    std::string path;
    ModelFile file;
  };
  std::vector<External> externals;
  // Graph inputs that the public part computes in the normal world, one way in. The inputs that are
  // not taps come from the caller.
  std::vector<std::string> taps;
  // Outputs of the graph that may leave, as the answer rule shapes them. Empty: all.
  std::vector<std::string> outputs;
  // Those of them that leave as they are, because the public part computes on: the vendor signed
  // that with the plan, and accepted what it gives away.
  std::vector<std::string> returned;
};

class Scheme {
 public:
  virtual ~Scheme() = default;
  virtual std::string_view name() const = 0;  // as in Plan::scheme
  virtual std::uint32_t version() const = 0;  // highest Plan::version it knows
  // `wanted` names the model among several, empty if there is one. kUnsupported when the bundle has
  // no graph to run, saying what it has; kUsage when `wanted` is needed or names nothing;
  // kMalformed for parameters.
  virtual Result<SecureModel> secure_model(const bundle::Content& content,
                                           std::string_view wanted) const = 0;
};

// Every scheme this loader knows (runtime-loader/schemes/registry.cc).
std::span<const Scheme* const> all_schemes();
// The one that a bundle's plan names. kUnsupported for another scheme or a newer version.
Result<const Scheme*> find_scheme(const bundle::Plan& plan);

// A file of an open bundle as a BlockSource: verified and decrypted as it is read, through one
// FileReader, so for one thread. The reader must outlive it.
class ModelFileSource final : public BlockSource {
 public:
  ModelFileSource(const bundle::Content& content, unpacker::FileReader& reader, ModelFile file);
  std::uint64_t size() const override { return size_; }
  Status read_at(std::uint64_t offset, MutableBytes out) const override;

 private:
  const bundle::Content* content_;
  unpacker::FileReader* reader_;
  ModelFile file_;
  std::uint64_t size_;
};

}  // namespace sealpack::loader
