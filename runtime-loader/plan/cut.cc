// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/cut.h"

#include <algorithm>
#include <set>

#include "formats/base/bytes.h"

namespace sealpack::plan {
namespace {

// Draws another number every time, so that it is not what its inputs alone say.
bool is_random(std::string_view op) {
  return op.starts_with("Random") || op == "Multinomial" || op == "Bernoulli";
}

enum class Side : std::uint8_t { kFollows, kBefore, kSecure, kAfter };

class Cutter {
 public:
  Cutter(const Dataflow& flow, const std::vector<bool>& secure)
      : flow_(flow), sides_(flow.nodes.size(), Side::kFollows) {
    const std::vector<bool> fixed = fixed_nodes(flow);
    for (std::size_t i = 0; i < fixed.size(); ++i) {
      if (fixed[i]) sides_[i] = secure[i] ? Side::kSecure : Side::kBefore;
    }
  }

  Result<Cut> run() {
    TRY(find_after());
    Cut cut;
    cut.before = part(Side::kBefore);
    cut.secure = part(Side::kSecure);
    cut.after = part(Side::kAfter);
    find_outputs(cut);
    for (const std::uint32_t value : cut.after.inputs) {
      if (contains(cut.secure.outputs, value)) cut.returned.push_back(value);
    }
    find_shared(cut);
    return cut;
  }

 private:
  static bool contains(const std::vector<std::uint32_t>& list, std::uint32_t item) {
    return std::find(list.begin(), list.end(), item) != list.end();
  }

  // Outside nodes that need something from inside come after it.
  Status find_after() {
    std::vector<bool> from_secure(flow_.values.size());
    std::vector<bool> from_after(flow_.values.size());
    for (std::size_t i = 0; i < sides_.size(); ++i) {
      bool reads_secure = false;
      bool reads_after = false;
      for (const std::uint32_t value : flow_.nodes[i].reads) {
        reads_secure = reads_secure || from_secure[value];
        reads_after = reads_after || from_after[value];
      }
      Side& side = sides_[i];
      if (side == Side::kSecure && reads_after) {
        return Error(ErrorCode::kUnsupported,
                     "the secure part would run twice: node " + printable(flow_.key(index(i))) +
                         " needs what is computed outside from its earlier output")
            .with_hint("protect the nodes in between as well");
      }
      if (side == Side::kBefore && reads_secure) side = Side::kAfter;
      for (const std::uint32_t value : flow_.nodes[i].makes) {
        from_secure[value] = reads_secure || side == Side::kSecure;
        from_after[value] = reads_after || side == Side::kAfter;
      }
    }
    return done();
  }

  static std::uint32_t index(std::size_t i) { return static_cast<std::uint32_t>(i); }

  // The nodes of one side with all that follow them.
  Part part(Side side) const {
    std::vector<bool> in(flow_.nodes.size());
    for (std::size_t i = flow_.nodes.size(); i-- > 0;) {
      if (sides_[i] == side || (sides_[i] == Side::kFollows && side == side_of_output(i))) {
        in[i] = true;
      }
      if (!in[i]) continue;
      for (const std::uint32_t value : flow_.nodes[i].reads) {
        const std::uint32_t producer = flow_.values[value].producer;
        if (producer != kNobody && sides_[producer] == Side::kFollows) in[producer] = true;
      }
    }
    Part part;
    std::set<std::uint32_t> read;
    std::set<std::uint32_t> made;
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (!in[i]) continue;
      part.nodes.push_back(index(i));
      read.insert(flow_.nodes[i].reads.begin(), flow_.nodes[i].reads.end());
      made.insert(flow_.nodes[i].makes.begin(), flow_.nodes[i].makes.end());
    }
    for (const std::uint32_t value : read) {
      if (flow_.values[value].is_constant) {
        part.constants.push_back(value);
      } else if (!made.contains(value)) {
        part.inputs.push_back(value);
      }
    }
    return part;
  }

  // A node that follows others but makes an output of the graph: outside, where its inputs are.
  Side side_of_output(std::size_t node) const {
    const auto& makes = flow_.nodes[node].makes;
    const bool is_output = std::any_of(makes.begin(), makes.end(),
                                       [&](std::uint32_t v) { return flow_.values[v].is_output; });
    if (!is_output) return Side::kFollows;
    std::vector<std::size_t> open = {node};
    while (!open.empty()) {
      const std::size_t at = open.back();
      open.pop_back();
      if (sides_[at] == Side::kSecure || sides_[at] == Side::kAfter) return Side::kAfter;
      for (const std::uint32_t value : flow_.nodes[at].reads) {
        const std::uint32_t producer = flow_.values[value].producer;
        if (producer != kNobody) open.push_back(producer);
      }
    }
    return Side::kBefore;
  }

  void find_outputs(Cut& cut) const {
    Part* parts[] = {&cut.before, &cut.secure, &cut.after};
    const Side sides[] = {Side::kBefore, Side::kSecure, Side::kAfter};
    for (std::size_t p = 0; p < 3; ++p) {
      for (const std::uint32_t node : parts[p]->nodes) {
        for (const std::uint32_t value : flow_.nodes[node].makes) {
          bool wanted = flow_.values[value].is_output &&
                        (sides_[node] == sides[p] ||
                         (sides_[node] == Side::kFollows && side_of_output(node) == sides[p]));
          for (std::size_t q = p + 1; q < 3; ++q) {
            wanted = wanted || contains(parts[q]->inputs, value);
          }
          if (wanted) parts[p]->outputs.push_back(value);
        }
      }
    }
  }

  void find_shared(Cut& cut) const {
    for (const std::uint32_t value : cut.secure.constants) {
      if (!flow_.values[value].is_weight) continue;
      if (contains(cut.before.constants, value) || contains(cut.after.constants, value)) {
        cut.shared_weights.push_back(value);
      }
    }
    for (const std::uint32_t node : cut.secure.nodes) {
      if (!flow_.nodes[node].holds_weight) continue;
      if (contains(cut.before.nodes, node) || contains(cut.after.nodes, node)) {
        cut.shared_weights.push_back(flow_.nodes[node].makes.at(0));
      }
    }
  }

  const Dataflow& flow_;
  std::vector<Side> sides_;
};

}  // namespace

std::vector<bool> fixed_nodes(const Dataflow& flow) {
  std::vector<bool> follows(flow.values.size());
  for (std::size_t i = 0; i < follows.size(); ++i) follows[i] = flow.values[i].is_constant;
  std::vector<bool> fixed(flow.nodes.size());
  for (std::size_t i = 0; i < fixed.size(); ++i) {
    const Dataflow::Node& node = flow.nodes[i];
    const bool computed = std::any_of(node.reads.begin(), node.reads.end(),
                                      [&](std::uint32_t value) { return !follows[value]; });
    const bool is_shape = node.op == "Shape" || node.op == "Size";
    fixed[i] = (computed && !is_shape) || is_random(node.op);
    for (const std::uint32_t value : node.makes) follows[value] = !fixed[i];
  }
  return fixed;
}

Result<Cut> cut(const Dataflow& flow, const std::vector<bool>& secure) {
  Cut result = TRY(Cutter(flow, secure).run());
  if (result.secure.empty()) {
    return Error(ErrorCode::kUsage, "no node that computes with data would be secure");
  }
  return result;
}

Result<Cut> cut_apart(const Dataflow& flow, const std::vector<bool>& secure) {
  Cut result = TRY(cut(flow, secure));
  if (result.shared_weights.empty()) return result;
  std::string names;
  constexpr std::size_t kShown = 4;
  for (std::size_t i = 0; i < result.shared_weights.size() && i < kShown; ++i) {
    names += (i == 0 ? "" : ", ") + printable(flow.values[result.shared_weights[i]].name);
  }
  if (result.shared_weights.size() > kShown) names += ", …";
  return Error(ErrorCode::kUnsupported,
               "weights that secure and public nodes share would be public: " + names)
      .with_hint("protect all nodes that read them, or give each side a copy of its own");
}

}  // namespace sealpack::plan
