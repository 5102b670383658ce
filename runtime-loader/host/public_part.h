// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>

#include "runtime-loader/host/tee_client.h"
#include "runtime-loader/nn/program/program.h"
#include "unpacker/core/file_reader.h"

namespace sealpack::host {

using InputShapes = std::map<std::string, nn::Shape, std::less<>>;

// An ONNX graph that is ready to run in the normal world.
class PublicPart {
 public:
  // A file of the public part of a bundle, compared with the signed tree as it is read. `path` is
  // below public/; shapes of inputs it does not have are left alone. The bundle must
  // outlive it. kMalformed, kUnsupported, kLimit as nn::Program::compile, with the path.
  static Result<std::unique_ptr<PublicPart>> load(const unpacker::VerifiedBundle& bundle,
                                                  const std::string& path,
                                                  const InputShapes& input_shapes,
                                                  nn::Workers& workers);
  // A file that nothing protects, with external data files beside it.
  static Result<std::unique_ptr<PublicPart>> load_file(const std::filesystem::path& path,
                                                       const InputShapes& input_shapes,
                                                       nn::Workers& workers);
  virtual ~PublicPart() = default;

  virtual const std::vector<loader::Port>& inputs() const = 0;
  virtual const std::vector<loader::Port>& outputs() const = 0;
  // `inputs` in the order of inputs(), of exactly those types.
  virtual Result<std::vector<HostTensor>> run(const std::vector<const HostTensor*>& inputs) = 0;
};

}  // namespace sealpack::host
