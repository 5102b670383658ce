// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/math_recurrent.h"

namespace sealpack::nn {
namespace {

struct KnownSquash {
  const char* name;
  Squash kind;
  bool has_alpha;
  bool has_beta;
  float alpha;  // where the node does not say
  float beta;
};
constexpr KnownSquash kSquashes[] = {
    {"Affine", Squash::kAffine, true, true, 1.0F, 0.0F},
    {"Elu", Squash::kElu, true, false, 1.0F, 0.0F},
    {"HardSigmoid", Squash::kHardSigmoid, true, true, 0.2F, 0.5F},
    {"LeakyRelu", Squash::kLeakyRelu, true, false, 0.01F, 0.0F},
    {"Relu", Squash::kRelu, false, false, 0.0F, 0.0F},
    {"ScaledTanh", Squash::kScaledTanh, true, true, 1.0F, 1.0F},
    {"Sigmoid", Squash::kSigmoid, false, false, 0.0F, 0.0F},
    {"Softplus", Squash::kSoftplus, false, false, 0.0F, 0.0F},
    {"Softsign", Squash::kSoftsign, false, false, 0.0F, 0.0F},
    {"Tanh", Squash::kTanh, false, false, 0.0F, 0.0F},
    {"ThresholdedRelu", Squash::kThresholdedRelu, true, false, 1.0F, 0.0F},
};

// The next of the node's values, for a function that has one, or the usual one.
float take(const std::vector<float>* values, std::size_t& next, bool has_one, float usual) {
  if (!has_one || values == nullptr || next >= values->size()) return usual;
  return (*values)[next++];
}

Result<std::vector<std::string>> function_names(const Node& node, const RecurrentForm& form) {
  static const std::vector<std::string> usual[] = {
      {"Tanh"}, {"Sigmoid", "Tanh"}, {"Sigmoid", "Tanh", "Tanh"}};
  const std::vector<std::string>& one = usual[static_cast<std::size_t>(form.cell)];
  const std::size_t count = one.size() * form.directions;
  std::vector<std::string> names;
  while (names.size() < count) names.insert(names.end(), one.begin(), one.end());
  const Attribute* stated = node.find("activations");
  if (stated == nullptr) return names;
  const auto* list = std::get_if<std::vector<std::string>>(&stated->value);
  if (list == nullptr) return malformed("attribute activations is not a list of strings");
  // RNN states two where it needs one: the default of the operator itself.
  if (list->size() < count || (form.cell != Cell::kRnn && list->size() > count)) {
    return malformed(std::to_string(list->size()) + " activations, not " + std::to_string(count));
  }
  return std::vector<std::string>(list->begin(),
                                  list->begin() + static_cast<std::ptrdiff_t>(count));
}

Status read_functions(const Node& node, RecurrentForm& form) {
  const std::vector<float>* alphas = TRY(floats_attribute(node, "activation_alpha"));
  const std::vector<float>* betas = TRY(floats_attribute(node, "activation_beta"));
  const float clip = TRY(float_attribute(node, "clip", 0.0F));
  if (!(clip >= 0)) return malformed("clip is " + std::to_string(clip));
  std::size_t next_alpha = 0;
  std::size_t next_beta = 0;
  for (const std::string& name : TRY(function_names(node, form))) {
    const auto* known =
        std::ranges::find_if(kSquashes, [&](const auto& one) { return name == one.name; });
    if (known == std::end(kSquashes)) return unsupported("activation " + shown(name));
    form.functions.push_back({known->kind, take(alphas, next_alpha, known->has_alpha, known->alpha),
                              take(betas, next_beta, known->has_beta, known->beta), clip});
  }
  return done();
}

Status read_direction(const Node& node, RecurrentForm& form) {
  const Result<std::string> direction = text_attribute(node, "direction", "forward");
  if (!direction.ok()) return direction.error();
  form.reverse = *direction == "reverse";
  form.directions = *direction == "bidirectional" ? 2 : 1;
  if (form.directions == 2 || form.reverse || *direction == "forward") return done();
  return malformed("direction is " + shown(*direction));
}

}  // namespace

Result<RecurrentForm> recurrent_form(const Node& node, const Shape& x, const Shape& w,
                                     const Shape& r) {
  RecurrentForm form;
  form.cell = node.op == "LSTM" ? Cell::kLstm : (node.op == "GRU" ? Cell::kGru : Cell::kRnn);
  form.gates = form.cell == Cell::kLstm ? 4 : (form.cell == Cell::kGru ? 3 : 1);
  TRY(read_direction(node, form));
  TRY(read_functions(node, form));
  form.batch_first = TRY(bool_attribute(node, "layout", false));
  form.input_forget = TRY(bool_attribute(node, "input_forget", false));
  form.linear_before_reset = TRY(bool_attribute(node, "linear_before_reset", false));
  const auto gates = static_cast<std::int64_t>(form.gates);
  const auto directions = static_cast<std::int64_t>(form.directions);
  if (x.rank() != 3 || w.rank() != 3 || r.rank() != 3 || r[2] < 1 || w[2] != x[2] ||
      w[0] != directions || r[0] != directions || r[1] / gates != r[2] || r[1] % gates != 0 ||
      w[1] != r[1]) {
    return malformed("X " + to_string(x) + ", W " + to_string(w) + " and R " + to_string(r) +
                     " do not fit each other");
  }
  if (TRY(int_attribute(node, "hidden_size", r[2])) != r[2]) {
    return malformed("hidden_size differs from R " + to_string(r));
  }
  form.steps = to_size(x[form.batch_first ? 1 : 0]);
  form.batch = to_size(x[form.batch_first ? 0 : 1]);
  form.inputs = to_size(x[2]);
  form.hidden = to_size(r[2]);
  return form;
}

Result<Shape> y_shape(const RecurrentForm& form) {
  const auto steps = static_cast<std::int64_t>(form.steps);
  const auto batch = static_cast<std::int64_t>(form.batch);
  const auto directions = static_cast<std::int64_t>(form.directions);
  const auto hidden = static_cast<std::int64_t>(form.hidden);
  if (form.batch_first) return Shape::make(std::array{batch, steps, directions, hidden});
  return Shape::make(std::array{steps, directions, batch, hidden});
}

Result<Shape> state_shape(const RecurrentForm& form) {
  const auto batch = static_cast<std::int64_t>(form.batch);
  const auto directions = static_cast<std::int64_t>(form.directions);
  const auto hidden = static_cast<std::int64_t>(form.hidden);
  if (form.batch_first) return Shape::make(std::array{batch, directions, hidden});
  return Shape::make(std::array{directions, batch, hidden});
}

}  // namespace sealpack::nn
