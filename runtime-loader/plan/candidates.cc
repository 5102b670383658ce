// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/candidates.h"

#include <algorithm>
#include <set>

#include "formats/base/bytes.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::plan {
namespace {

bool is_layer_op(std::string_view op) {
  constexpr std::string_view kOps[] = {
      "Conv",        "ConvTranspose", "Gemm", "MatMul", "ConvInteger", "MatMulInteger",
      "QLinearConv", "QLinearMatMul", "LSTM", "GRU",    "RNN",         "Gather",
  };
  return std::find(std::begin(kOps), std::end(kOps), op) != std::end(kOps);
}

class Enumerator {
 public:
  explicit Enumerator(const Dataflow& flow)
      : flow_(flow), fixed_(fixed_nodes(flow)), layers_(weighted_layers(flow)) {
    find_descendants();
  }

  std::size_t layer_count() const { return layers_.size(); }
  const std::vector<std::uint32_t>& layers() const { return layers_; }
  const std::vector<bool>& fixed() const { return fixed_; }

  Candidate all() const {
    Candidate candidate = make(fixed_, "all");
    candidate.whole = true;
    return candidate;
  }

  // Everything that computes with what these nodes compute.
  std::vector<bool> closure(const std::vector<std::uint32_t>& nodes) const {
    std::vector<bool> secure(flow_.nodes.size());
    for (const std::uint32_t node : nodes) {
      for (std::size_t i = 0; i < secure.size(); ++i) {
        if (fixed_[i] && (i == node || descends_[node][i])) secure[i] = true;
      }
    }
    return secure;
  }

  // Adds what lies between two of them, which would otherwise run outside in the middle.
  std::vector<bool> with_between(std::vector<bool> secure) const {
    const std::vector<bool> after = reached(secure, true);
    const std::vector<bool> before = reached(secure, false);
    for (std::size_t i = 0; i < secure.size(); ++i) {
      secure[i] = secure[i] || (fixed_[i] && after[i] && before[i]);
    }
    return secure;
  }

  std::vector<bool> last(std::uint64_t count) const {
    return closure({layers_.end() - static_cast<std::ptrdiff_t>(count), layers_.end()});
  }

  // Everything before the layer behind the first `count`.
  std::vector<bool> first(std::uint64_t count) const {
    std::vector<bool> secure(flow_.nodes.size());
    const std::size_t end = count < layers_.size() ? layers_[count] : flow_.nodes.size();
    for (std::size_t i = 0; i < end; ++i) secure[i] = fixed_[i];
    return secure;
  }

  Candidate make(std::vector<bool> secure, std::string label) const {
    Candidate candidate;
    candidate.secure = std::move(secure);
    std::string keys;
    for (std::size_t i = 0; i < candidate.secure.size(); ++i) {
      if (!candidate.secure[i]) continue;
      keys += flow_.key(static_cast<std::uint32_t>(i));
      keys += '\0';
    }
    for (const std::uint32_t layer : layers_) candidate.layers += candidate.secure[layer] ? 1U : 0U;
    candidate.id = to_hex(Bytes(crypto::sha256(as_bytes(keys)).bytes).first(4));
    candidate.label = std::move(label);
    return candidate;
  }

  std::string layers_text(const std::vector<bool>& secure, const char* word) const {
    std::uint64_t count = 0;
    for (const std::uint32_t layer : layers_) count += secure[layer] ? 1U : 0U;
    return word + std::to_string(count) + " of " + std::to_string(layers_.size()) + " layers";
  }

  // Downstream from every place in the order in which nodes run.
  std::vector<Candidate> suffixes() const {
    std::vector<Candidate> list;
    std::vector<bool> secure = fixed_;
    for (std::size_t i = 0; i < flow_.nodes.size(); ++i) {
      if (!fixed_[i]) continue;
      secure[i] = false;
      if (std::none_of(layers_.begin(), layers_.end(),
                       [&](std::uint32_t layer) { return secure[layer]; })) {
        break;
      }
      list.push_back(make(secure, layers_text(secure, "last ")));
    }
    return list;
  }

  // Downstream from one layer, or from two of which neither needs the other, where that is no
  // suffix.
  std::vector<Candidate> branches(std::size_t limit) const {
    std::vector<Candidate> list;
    for (const std::uint32_t layer : layers_) {
      std::vector<bool> secure = closure({layer});
      if (!is_suffix(secure)) list.push_back(make(secure, layers_text(secure, "branch, ")));
    }
    std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
    for (std::size_t a = 0; a < layers_.size(); ++a) {
      for (std::size_t b = a + 1; b < layers_.size(); ++b) {
        if (!descends_[layers_[a]][layers_[b]]) pairs.emplace_back(layers_[a], layers_[b]);
      }
    }
    const std::size_t stride = pairs.size() / std::max<std::size_t>(limit, 1) + 1;
    for (std::size_t i = 0; i < pairs.size(); i += stride) {
      std::vector<bool> secure = closure({pairs[i].first, pairs[i].second});
      if (!is_suffix(secure)) list.push_back(make(secure, layers_text(secure, "branch, ")));
    }
    return list;
  }

  std::vector<Candidate> prefixes() const {
    std::vector<Candidate> list;
    for (std::uint64_t count = 1; count < layers_.size(); ++count) {
      list.push_back(make(first(count), layers_text(first(count), "first ")));
    }
    return list;
  }

 private:
  void find_descendants() {
    const std::size_t count = flow_.nodes.size();
    descends_.assign(count, {});
    for (const std::uint32_t layer : layers_) {
      std::vector<bool> reached(count);
      std::vector<bool> values(flow_.values.size());
      for (const std::uint32_t value : flow_.nodes[layer].makes) values[value] = true;
      for (std::size_t i = layer + std::size_t{1}; i < count; ++i) {
        const Dataflow::Node& node = flow_.nodes[i];
        reached[i] = std::any_of(node.reads.begin(), node.reads.end(),
                                 [&](std::uint32_t value) { return values[value]; });
        if (!reached[i]) continue;
        for (const std::uint32_t value : node.makes) values[value] = true;
      }
      descends_[layer] = std::move(reached);
    }
  }

  // Nodes that need one of `from` (forwards), or that one of `from` needs.
  std::vector<bool> reached(const std::vector<bool>& from, bool forwards) const {
    const std::size_t count = flow_.nodes.size();
    std::vector<bool> nodes(count);
    std::vector<bool> values(flow_.values.size());
    for (std::size_t step = 0; step < count; ++step) {
      const std::size_t i = forwards ? step : count - 1 - step;
      const Dataflow::Node& node = flow_.nodes[i];
      const auto& meets = forwards ? node.reads : node.makes;
      const auto& passes = forwards ? node.makes : node.reads;
      nodes[i] = std::any_of(meets.begin(), meets.end(),
                             [&](std::uint32_t value) { return values[value]; });
      if (!nodes[i] && !from[i]) continue;
      for (const std::uint32_t value : passes) values[value] = true;
    }
    return nodes;
  }

  bool is_suffix(const std::vector<bool>& secure) const {
    bool began = false;
    for (std::size_t i = 0; i < secure.size(); ++i) {
      if (!fixed_[i]) continue;
      if (began && !secure[i]) return false;
      began = began || secure[i];
    }
    return true;
  }

  const Dataflow& flow_;
  std::vector<bool> fixed_;
  std::vector<std::uint32_t> layers_;
  std::vector<std::vector<bool>> descends_;  // of layers alone
};

// Keeps `limit` of them, evenly.
void thin(std::vector<Candidate>& list, std::size_t limit) {
  if (list.size() <= limit) return;
  std::vector<Candidate> kept;
  for (std::size_t i = 0; i < limit; ++i) {
    kept.push_back(std::move(list[i * list.size() / limit]));
  }
  list = std::move(kept);
}

bool reads_match(const Dataflow& flow, std::uint32_t node,
                 const std::function<bool(const std::string&)>& matches) {
  const Dataflow::Node& found = flow.nodes[node];
  if (!found.name.empty() && matches(found.name)) return true;
  for (const auto* list : {&found.makes, &found.reads}) {
    for (const std::uint32_t value : *list) {
      const bool is_own = list == &found.makes || flow.values[value].is_constant;
      if (is_own && matches(flow.values[value].name)) return true;
    }
  }
  return false;
}

}  // namespace

Result<Protect> parse_protect(const std::string& text) {
  Protect protect;
  protect.text = text;
  if (text == "all") return protect;
  const bool last = text.starts_with("last:");
  if (!last && !text.starts_with("first:")) {
    protect.kind = Protect::Kind::kMatching;
    return protect;
  }
  protect.kind = last ? Protect::Kind::kLast : Protect::Kind::kFirst;
  const std::string number = text.substr(text.find(':') + 1);
  if (number.empty() || number.size() > 6 ||
      number.find_first_not_of("0123456789") != std::string::npos || std::stoull(number) == 0) {
    return Error(ErrorCode::kUsage, "--protect " + printable(text) + ": not a number from 1");
  }
  protect.count = std::stoull(number);
  return protect;
}

std::vector<std::uint32_t> weighted_layers(const Dataflow& flow) {
  const std::vector<bool> fixed = fixed_nodes(flow);
  std::vector<bool> secret(flow.values.size());  // weights, and what is made of them alone
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = flow.values[i].is_weight;
  std::vector<std::uint32_t> layers;
  for (std::size_t i = 0; i < flow.nodes.size(); ++i) {
    const Dataflow::Node& node = flow.nodes[i];
    const bool weights =
        node.holds_weight || std::any_of(node.reads.begin(), node.reads.end(),
                                         [&](std::uint32_t value) { return secret[value]; });
    if (!fixed[i]) {
      for (const std::uint32_t value : node.makes) secret[value] = weights;
    } else if (weights && is_layer_op(node.op)) {
      layers.push_back(static_cast<std::uint32_t>(i));
    }
  }
  return layers;
}

Result<Candidate> candidate_for(const Dataflow& flow, const Protect& protect,
                                const std::function<bool(const std::string&)>& matches) {
  const Enumerator enumerator(flow);
  const std::uint64_t count = enumerator.layer_count();
  if (protect.kind == Protect::Kind::kAll) return enumerator.all();
  if (protect.kind == Protect::Kind::kMatching) {
    std::vector<bool> secure(flow.nodes.size());
    bool any = false;
    for (std::size_t i = 0; i < secure.size(); ++i) {
      secure[i] =
          enumerator.fixed()[i] && reads_match(flow, static_cast<std::uint32_t>(i), matches);
      any = any || secure[i];
    }
    if (!any) {
      return Error(ErrorCode::kUsage,
                   "--protect " + printable(protect.text) + " matches no node and no weight")
          .with_hint("'sealpack inspect MODEL' lists the weights");
    }
    return enumerator.make(enumerator.with_between(std::move(secure)), protect.text);
  }
  if (protect.count > count) {
    return Error(ErrorCode::kUsage, "--protect " + printable(protect.text) + ": the model has " +
                                        std::to_string(count) + " layers with weights");
  }
  if (protect.count == count) return enumerator.all();
  const bool last = protect.kind == Protect::Kind::kLast;
  std::vector<bool> secure =
      last ? enumerator.last(protect.count) : enumerator.first(protect.count);
  std::string label = enumerator.layers_text(secure, last ? "last " : "first ");
  return enumerator.make(std::move(secure), std::move(label));
}

std::vector<Candidate> enumerate(const Dataflow& flow, std::size_t limit) {
  const Enumerator enumerator(flow);
  std::vector<Candidate> list = {enumerator.all()};
  std::vector<Candidate> kinds[] = {enumerator.suffixes(), enumerator.branches(limit),
                                    enumerator.prefixes()};
  const std::size_t shares[] = {limit / 2, limit / 3, limit / 8};
  std::set<std::string> ids = {list[0].id};
  for (std::size_t k = 0; k < 3; ++k) {
    thin(kinds[k], shares[k]);
    for (Candidate& candidate : kinds[k]) {
      if (ids.insert(candidate.id).second) list.push_back(std::move(candidate));
    }
  }
  return list;
}

}  // namespace sealpack::plan
