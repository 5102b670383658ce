// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "runtime-loader/host/tee_client.h"
#include "runtime-loader/nn/program/program.h"
#include "unpacker/core/file_reader.h"

namespace sealpack::host {

// An ONNX file of the public part of a bundle, ready to run in the normal world. Its bytes are
// compared with the signed tree as they are read.
class PublicPart {
 public:
  // `path` is below public/; shapes of inputs it does not have are left alone. The bundle must
  // outlive it. kMalformed, kUnsupported, kLimit as nn::Program::compile, with the path.
  static Result<std::unique_ptr<PublicPart>> load(
      const unpacker::VerifiedBundle& bundle, const std::string& path,
      const std::map<std::string, nn::Shape, std::less<>>& input_shapes, nn::Workers& workers);
  virtual ~PublicPart() = default;

  virtual const std::vector<loader::Port>& inputs() const = 0;
  virtual const std::vector<loader::Port>& outputs() const = 0;
  // `inputs` in the order of inputs(), of exactly those types.
  virtual Result<std::vector<HostTensor>> run(const std::vector<const HostTensor*>& inputs) = 0;
};

}  // namespace sealpack::host
