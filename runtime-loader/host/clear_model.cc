// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/host/clear_model.h"

namespace sealpack::host {

Status ClearModel::load(const InputShapes& shapes) {
  part_ = TRY(PublicPart::load_file(path_, shapes, workers_));
  return done();
}

Result<HostAnswer> ClearModel::run(const std::map<std::string, HostTensor>& inputs) {
  std::vector<const HostTensor*> ordered;
  for (const loader::Port& port : part_->inputs()) {
    const auto input = inputs.find(port.name);
    if (input == inputs.end()) {
      return Error(ErrorCode::kUsage, "input " + printable(port.name) + " is missing");
    }
    ordered.push_back(&input->second);
  }
  HostAnswer answer;
  answer.tensors = TRY(part_->run(ordered));
  return answer;
}

}  // namespace sealpack::host
