// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "runtime-loader/plan/cut.h"

// Small graphs for tests: who feeds whom, without data.
namespace sealpack::plan::testing {

class FlowBuilder {
 public:
  FlowBuilder& input(const std::string& name) {
    const std::uint32_t value = flow_.add_value(name);
    flow_.values[value].is_input = true;
    flow_.inputs.push_back(value);
    return *this;
  }
  FlowBuilder& weight(const std::string& name) { return constant(name, 1000, true); }
  FlowBuilder& structure(const std::string& name) { return constant(name, 2, false); }
  // op, what it reads, what it makes.
  FlowBuilder& node(const std::string& op, const std::vector<std::string>& reads,
                    const std::vector<std::string>& makes) {
    Dataflow::Node node;
    node.op = op;
    node.name = "node_" + makes.at(0);
    for (const std::string& name : reads) node.reads.push_back(flow_.add_value(name));
    for (const std::string& name : makes) {
      const std::uint32_t value = flow_.add_value(name);
      flow_.values[value].producer = static_cast<std::uint32_t>(flow_.nodes.size());
      node.makes.push_back(value);
    }
    flow_.nodes.push_back(std::move(node));
    return *this;
  }
  FlowBuilder& holds_weight() {
    flow_.nodes.back().holds_weight = true;
    return *this;
  }
  FlowBuilder& output(const std::string& name) {
    const std::uint32_t value = flow_.add_value(name);
    flow_.values[value].is_output = true;
    flow_.outputs.push_back(value);
    return *this;
  }
  Dataflow done() { return std::move(flow_); }

 private:
  FlowBuilder& constant(const std::string& name, std::uint64_t elements, bool is_weight) {
    Dataflow::Value& value = flow_.values[flow_.add_value(name)];
    value.is_constant = true;
    value.is_weight = is_weight;
    value.elements = elements;
    return *this;
  }
  Dataflow flow_;
};

// x → conv1 → relu → conv2 → flat → fc → y
inline Dataflow chain() {
  return FlowBuilder()
      .input("x")
      .weight("w1")
      .weight("w2")
      .weight("w3")
      .node("Conv", {"x", "w1"}, {"c1"})
      .node("Relu", {"c1"}, {"r1"})
      .node("Conv", {"r1", "w2"}, {"c2"})
      .node("Flatten", {"c2"}, {"flat"})
      .node("Gemm", {"flat", "w3"}, {"y"})
      .output("y")
      .done();
}

// x → stem, then two branches of two convolutions, added, then fc.
inline Dataflow branches() {
  return FlowBuilder()
      .input("x")
      .weight("ws")
      .weight("wa1")
      .weight("wa2")
      .weight("wb1")
      .weight("wb2")
      .weight("wf")
      .node("Conv", {"x", "ws"}, {"s"})
      .node("Conv", {"s", "wa1"}, {"a1"})
      .node("Conv", {"a1", "wa2"}, {"a2"})
      .node("Conv", {"s", "wb1"}, {"b1"})
      .node("Conv", {"b1", "wb2"}, {"b2"})
      .node("Add", {"a2", "b2"}, {"sum"})
      .node("Gemm", {"sum", "wf"}, {"y"})
      .output("y")
      .done();
}

// One element a node: those whose first value is listed.
inline std::vector<bool> choose(const Dataflow& flow, const std::vector<std::string>& keys) {
  std::vector<bool> secure(flow.nodes.size());
  for (const std::string& key : keys) {
    secure.at(flow.values[flow.value_of.find(key)->second].producer) = true;
  }
  return secure;
}

inline std::vector<std::string> names(const Dataflow& flow,
                                      const std::vector<std::uint32_t>& values) {
  std::vector<std::string> list;
  for (const std::uint32_t value : values) list.push_back(flow.values[value].name);
  return list;
}
inline std::vector<std::string> keys(const Dataflow& flow, const Part& part) {
  std::vector<std::string> list;
  for (const std::uint32_t node : part.nodes) list.push_back(flow.key(node));
  return list;
}

}  // namespace sealpack::plan::testing
