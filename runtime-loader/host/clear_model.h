// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/host/model.h"
#include "runtime-loader/host/public_part.h"

namespace sealpack::host {

// An ONNX file that is not sealed, run in this process: what a sealed model is compared with.
class ClearModel final : public Model {
 public:
  ClearModel(std::filesystem::path path, nn::Workers& workers)
      : path_(std::move(path)), workers_(workers) {}

  // May be called again with other shapes. As PublicPart::load_file.
  Status load(const InputShapes& shapes);

  const std::vector<loader::Port>& inputs() const override { return part_->inputs(); }
  const std::vector<loader::Port>& outputs() const override { return part_->outputs(); }
  const std::vector<loader::Port>& answers() const override { return part_->outputs(); }
  Result<HostAnswer> run(const std::map<std::string, HostTensor>& inputs) override;

 private:
  std::filesystem::path path_;
  nn::Workers& workers_;
  std::unique_ptr<PublicPart> part_;
};

}  // namespace sealpack::host
