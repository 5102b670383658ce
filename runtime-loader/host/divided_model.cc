// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/host/divided_model.h"

#include <algorithm>

namespace sealpack::host {
namespace {

using loader::Port;

const Port* find_port(const std::vector<Port>& ports, const std::string& name) {
  const auto found =
      std::find_if(ports.begin(), ports.end(), [&](const Port& port) { return port.name == name; });
  return found == ports.end() ? nullptr : &*found;
}

void add_port(std::vector<Port>& ports, const Port& port) {
  if (find_port(ports, port.name) == nullptr) ports.push_back(port);
}

Error no_value(const std::string& name) {
  return Error(ErrorCode::kMalformed, "no part of the model computes " + printable(name));
}

Result<layers::Parameters> plan_of(const bundle::Content& content) {
  if (content.plan.scheme == "whole") return layers::Parameters{};
  if (content.plan.scheme == layers::kSchemeName && content.plan.version <= layers::kVersion) {
    return layers::parse_parameters(content.plan.parameters);
  }
  return Error(ErrorCode::kUnsupported, "this host cannot feed scheme " +
                                            printable(content.plan.scheme) + " version " +
                                            std::to_string(content.plan.version))
      .with_hint("it needs a newer sealpack");
}

}  // namespace

Result<DividedModel> DividedModel::create(TeeClient& tee, loader::BundleId bundle,
                                          const unpacker::VerifiedBundle& verified,
                                          nn::Workers& workers) {
  DividedModel model(tee, bundle, verified, workers);
  model.plan_ = TRY(plan_of(verified.content()));
  return model;
}

Result<std::vector<std::string>> DividedModel::leaving_outputs(
    const bundle::Content& content, const std::vector<std::string>& wanted) {
  if (wanted.empty()) return wanted;
  const layers::Parameters plan = TRY(plan_of(content));
  std::vector<std::string> leaving;
  if (plan.secure.empty()) {
    leaving = wanted;
  } else {
    for (const std::string& name : wanted) {
      const bool known =
          std::find(plan.results.begin(), plan.results.end(), name) != plan.results.end();
      if (!known) return Error(ErrorCode::kUsage, "the model has no output " + printable(name));
    }
    for (const layers::Crossing& answer : plan.answers) {
      if (std::find(wanted.begin(), wanted.end(), answer.name) != wanted.end()) {
        leaving.push_back(answer.name);
      }
    }
    for (const layers::Crossing& value : plan.returned) leaving.push_back(value.name);
  }
  std::sort(leaving.begin(), leaving.end());
  leaving.erase(std::unique(leaving.begin(), leaving.end()), leaving.end());
  return leaving;
}

std::string DividedModel::source_of_tap(const std::string& tap) const {
  for (const layers::Crossing& crossing : plan_.taps) {
    if (crossing.name == tap) return crossing.source;
  }
  return {};
}

// The secure output that an input of `after` is, or nothing.
std::string DividedModel::source_of_after(const std::string& input) const {
  for (const layers::Crossing& crossing : plan_.returned) {
    if (crossing.source == input) return crossing.name;
  }
  return {};
}

Status DividedModel::load(const InputShapes& shapes, const loader::LoadOptions& options) {
  before_.reset();
  after_.reset();
  loader::LoadOptions secure = options;
  secure.input_shapes = shapes;
  if (!plan_.before.empty()) {
    before_ = TRY(PublicPart::load(*verified_, plan_.before, shapes, *workers_));
    secure.input_shapes.clear();
    for (const layers::Crossing& tap : plan_.taps) {
      if (tap.source.empty()) {
        const auto given = shapes.find(tap.name);
        if (given != shapes.end()) secure.input_shapes.insert(*given);
        continue;
      }
      const Port* output = find_port(before_->outputs(), tap.source);
      if (output == nullptr) return no_value(tap.source);
      secure.input_shapes.emplace(tap.name, output->type.shape);
    }
  }
  secure_ = TRY(tee_->load(bundle_, secure));
  if (!plan_.after.empty()) TRY(load_after(shapes));
  describe();
  return done();
}

Status DividedModel::load_after(const InputShapes& shapes) {
  InputShapes known = shapes;
  if (before_) {
    for (const Port& port : before_->outputs()) {
      known.insert_or_assign(port.name, port.type.shape);
    }
  }
  for (const layers::Crossing& value : plan_.returned) {
    const Port* output = find_port(secure_.outputs, value.name);
    if (output == nullptr) return no_value(value.name);
    known.insert_or_assign(value.source, output->type.shape);
  }
  after_ = TRY(PublicPart::load(*verified_, plan_.after, known, *workers_));
  return done();
}

void DividedModel::describe() {
  inputs_.clear();
  outputs_.clear();
  if (before_) {
    for (const Port& port : before_->inputs()) add_port(inputs_, port);
  }
  for (const Port& port : secure_.inputs) add_port(inputs_, port);
  if (after_) {
    for (const Port& port : after_->inputs()) {
      const bool computed = !source_of_after(port.name).empty() ||
                            (before_ && find_port(before_->outputs(), port.name) != nullptr);
      if (!computed) add_port(inputs_, port);
    }
  }
  if (plan_.results.empty()) {
    outputs_ = secure_.outputs;
    return;
  }
  for (const std::string& name : plan_.results) {
    const Port* port = find_port(secure_.outputs, name);
    if (port == nullptr && after_) port = find_port(after_->outputs(), name);
    if (port == nullptr && before_) port = find_port(before_->outputs(), name);
    if (port != nullptr) outputs_.push_back(*port);
  }
}

Result<std::vector<HostTensor>> DividedModel::run_before(const Values& inputs) {
  std::vector<const HostTensor*> ordered;
  for (const Port& port : before_->inputs()) {
    const auto value = inputs.find(port.name);
    if (value == inputs.end()) return no_value(port.name);
    ordered.push_back(value->second);
  }
  return before_->run(ordered);
}

Result<HostAnswer> DividedModel::run(const std::map<std::string, HostTensor>& inputs) {
  Values values;
  for (const auto& [name, tensor] : inputs) values[name] = &tensor;
  std::vector<HostTensor> computed;
  if (before_) {
    computed = TRY(run_before(values));
    for (const HostTensor& tensor : computed) values[tensor.port.name] = &tensor;
  }
  std::vector<HostTensor> crossing;
  const auto give = [&](const Port& port, const std::string& source) -> Status {
    const auto value = values.find(source);
    if (value == values.end()) return no_value(source);
    crossing.push_back({port, value->second->bytes});
    return done();
  };
  for (const Port& port : secure_.inputs) TRY(give(port, port.name));
  for (const Port& port : secure_.taps) TRY(give(port, source_of_tap(port.name)));
  HostAnswer answer = TRY(tee_->run(bundle_, crossing, nullptr));
  if (after_) TRY(run_after(std::move(values), answer));
  if (plan_.results.empty() || !answer.sealed.empty()) return answer;
  // What the public parts made is part of the answer; what only went back is not.
  std::vector<HostTensor> ordered;
  for (const Port& port : outputs_) {
    const auto made = std::find_if(answer.tensors.begin(), answer.tensors.end(),
                                   [&](const auto& one) { return one.port.name == port.name; });
    if (made != answer.tensors.end()) {
      ordered.push_back(std::move(*made));
      continue;
    }
    const auto before = std::find_if(computed.begin(), computed.end(),
                                     [&](const auto& one) { return one.port.name == port.name; });
    if (before == computed.end()) return no_value(port.name);
    ordered.push_back(*before);
  }
  answer.tensors = std::move(ordered);
  return answer;
}

Status DividedModel::run_after(Values values, HostAnswer& answer) {
  std::vector<const HostTensor*> ordered;
  for (const Port& port : after_->inputs()) {
    const std::string source = source_of_after(port.name);
    if (source.empty()) {
      const auto value = values.find(port.name);
      if (value == values.end()) return no_value(port.name);
      ordered.push_back(value->second);
      continue;
    }
    const auto returned = std::find_if(answer.tensors.begin(), answer.tensors.end(),
                                       [&](const auto& one) { return one.port.name == source; });
    if (returned == answer.tensors.end()) return no_value(source);
    ordered.push_back(&*returned);
  }
  for (HostTensor& tensor : TRY(after_->run(ordered))) answer.tensors.push_back(std::move(tensor));
  return done();
}

}  // namespace sealpack::host
