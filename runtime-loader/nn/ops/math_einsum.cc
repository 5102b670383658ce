// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include "runtime-loader/nn/ops/math_check.h"
#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {
namespace {

// A label is a letter, or stands for one dimension of the ellipsis, counted from the right.
using Label = std::size_t;
constexpr std::size_t kLetters = 52;
constexpr std::size_t kLabels = kLetters + kMaxRank;
constexpr std::size_t kMaxOperands = 16;

// The labels of one operand or of the output; the ellipsis stands before label `ellipsis`.
struct Term {
  std::vector<Label> labels;
  std::optional<std::size_t> ellipsis;
};

// Upper case first, as in the alphabetical order of numpy's implicit output.
std::optional<Label> to_label(char letter) {
  if (letter >= 'A' && letter <= 'Z') return static_cast<Label>(letter - 'A');
  if (letter >= 'a' && letter <= 'z') return static_cast<Label>(letter - 'a') + 26;
  return std::nullopt;
}

Result<Term> parse_term(std::string_view text) {
  Term term;
  while (!text.empty()) {
    if (text.starts_with("...") && !term.ellipsis) {
      term.ellipsis = term.labels.size();
      text.remove_prefix(3);
    } else if (const std::optional<Label> label = to_label(text.front())) {
      term.labels.push_back(*label);
      text.remove_prefix(1);
    } else {
      return malformed("the equation has " + shown(text));
    }
    if (term.labels.size() > kMaxRank) return malformed("a term of the equation has over 8 labels");
  }
  return term;
}

struct Equation {
  std::vector<Term> operands;
  std::optional<Term> output;
};

Result<Equation> parse_equation(std::string text) {
  std::erase(text, ' ');
  std::string_view rest = text;
  Equation equation;
  const std::size_t arrow = rest.find("->");
  if (arrow != std::string_view::npos) {
    equation.output = TRY(parse_term(rest.substr(arrow + 2)));
    rest = rest.substr(0, arrow);
  }
  while (true) {
    const std::size_t comma = rest.find(',');
    equation.operands.push_back(TRY(parse_term(rest.substr(0, comma))));
    if (comma == std::string_view::npos) return equation;
    if (equation.operands.size() == kMaxOperands) {
      return Error(ErrorCode::kLimit, "the equation has over 16 operands");
    }
    rest.remove_prefix(comma + 1);
  }
}

struct Loop {
  std::int64_t size = 1;
  std::vector<std::int64_t> strides;  // one an operand
};

// What is computed: for each index of `outer` (the output's dimensions), the sum over all of
// `inner`.
struct Contraction {
  Shape output;
  std::vector<Loop> outer;
  std::vector<Loop> inner;
};

class ContractionBuilder {
 public:
  explicit ContractionBuilder(std::size_t operands) {
    for (Loop& loop : loops_) loop.strides.assign(operands, 0);
  }

  Status add_operand(std::size_t operand, const Term& term, const Shape& shape) {
    const std::size_t named = term.labels.size();
    if (shape.rank() < named || (shape.rank() > named && !term.ellipsis)) {
      return malformed("a term of " + std::to_string(named) + " labels for " + to_string(shape));
    }
    const std::size_t hidden = shape.rank() - named;
    if (term.ellipsis) ellipsis_ = std::max(ellipsis_, hidden);
    std::int64_t stride = 1;
    for (std::size_t axis = shape.rank(); axis-- > 0;) {
      const Label label = label_of(term, axis, hidden);
      TRY(add_axis(operand, label, shape[axis], stride));
      stride *= shape[axis];
    }
    return done();
  }

  Result<Contraction> finish(const std::optional<Term>& output) const {
    const std::vector<Label> kept = TRY(output ? explicit_output(*output) : implicit_output());
    Contraction contraction;
    std::vector<std::int64_t> dims;
    std::array<bool, kLabels> is_kept{};
    for (const Label label : kept) {
      is_kept[label] = true;
      dims.push_back(loops_[label].size);
      contraction.outer.push_back(loops_[label]);
    }
    contraction.output = TRY(Shape::make(dims));
    std::int64_t work = std::max<std::int64_t>(contraction.output.element_count(), 1);
    for (const Label label : order_) {
      if (is_kept[label]) continue;
      const Loop& loop = loops_[label];
      if (loop.size > kMaxElements / work) {
        return Error(ErrorCode::kLimit, "the equation sums over too many elements");
      }
      work *= std::max<std::int64_t>(loop.size, 1);
      contraction.inner.push_back(loop);
    }
    return contraction;
  }

 private:
  static Label label_of(const Term& term, std::size_t axis, std::size_t hidden) {
    const std::size_t before = term.ellipsis.value_or(term.labels.size());
    if (axis < before) return term.labels[axis];
    if (axis < before + hidden) return kLetters + (before + hidden - 1 - axis);
    return term.labels[axis - hidden];
  }

  Status add_axis(std::size_t operand, Label label, std::int64_t size, std::int64_t stride) {
    Loop& loop = loops_[label];
    if (uses_[label]++ == 0) {
      loop.size = size;
      order_.push_back(label);
    }
    if (size != loop.size && size != 1 && loop.size != 1) {
      return malformed("a label stands for " + std::to_string(loop.size) + " and for " +
                       std::to_string(size));
    }
    if (loop.size == 1) loop.size = size;
    if (size != 1) loop.strides[operand] += stride;
    return done();
  }

  void append_ellipsis(std::vector<Label>& labels) const {
    for (std::size_t i = ellipsis_; i-- > 0;) labels.push_back(kLetters + i);
  }

  Result<std::vector<Label>> explicit_output(const Term& output) const {
    std::vector<Label> labels;
    for (std::size_t i = 0; i <= output.labels.size(); ++i) {
      if (output.ellipsis == i) append_ellipsis(labels);
      if (i == output.labels.size()) break;
      const Label label = output.labels[i];
      if (uses_[label] == 0 || std::ranges::count(output.labels, label) != 1) {
        return malformed("a label of the output is in no operand, or there twice");
      }
      labels.push_back(label);
    }
    if (ellipsis_ > 0 && !output.ellipsis) return malformed("the output lacks the ellipsis");
    return labels;
  }

  Result<std::vector<Label>> implicit_output() const {
    std::vector<Label> labels;
    append_ellipsis(labels);
    for (Label label = 0; label < kLetters; ++label) {
      if (uses_[label] == 1) labels.push_back(label);
    }
    return labels;
  }

  std::array<Loop, kLabels> loops_;
  std::array<std::size_t, kLabels> uses_{};
  std::vector<Label> order_;  // of first use
  std::size_t ellipsis_ = 0;  // dimensions
};

Result<Contraction> contraction(const Node& node, std::span<const Shape> operands) {
  const Result<std::string> text = text_attribute(node, "equation", "");
  if (!text.ok()) return text.error();
  const Equation equation = TRY(parse_equation(*text));
  if (equation.operands.size() != operands.size()) {
    return malformed("an equation of " + std::to_string(equation.operands.size()) +
                     " operands for " + std::to_string(operands.size()));
  }
  ContractionBuilder builder(operands.size());
  for (std::size_t i = 0; i < operands.size(); ++i) {
    TRY(builder.add_operand(i, equation.operands[i], operands[i]));
  }
  return builder.finish(equation.output);
}

Result<std::vector<TensorType>> infer_einsum(const InferContext& context) {
  const TensorType* first = TRY(typed_input<NumberTypes>(context, 0));
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < context.inputs.size(); ++i) {
    TRY(check_same_type(context, 0, i));
    shapes.push_back(context.inputs[i]->shape);
  }
  const Contraction found = TRY(contraction(context.node, shapes));
  return std::vector<TensorType>{{first->dtype, found.output}};
}

// Steps through nested loops, the last one fastest, and keeps each operand's offset.
class Odometer {
 public:
  explicit Odometer(std::span<const Loop> loops) : loops_(loops), index_(loops.size(), 0) {}

  bool empty() const {
    return std::ranges::any_of(loops_, [](const Loop& loop) { return loop.size == 0; });
  }
  // False, with all as at the start, after the last step.
  bool next(std::span<std::int64_t> offsets) {
    for (std::size_t i = loops_.size(); i-- > 0;) {
      const Loop& loop = loops_[i];
      const bool wraps = ++index_[i] == loop.size;
      const std::int64_t by = wraps ? 1 - loop.size : 1;
      for (std::size_t k = 0; k < offsets.size(); ++k) offsets[k] += loop.strides[k] * by;
      if (!wraps) return true;
      index_[i] = 0;
    }
    return false;
  }

 private:
  std::span<const Loop> loops_;
  std::vector<std::int64_t> index_;
};

template <typename T>
void contract(const Contraction& form, RunContext& context) {
  using C = Computed<T>;
  const std::size_t operands = context.inputs.size();
  std::vector<const T*> data;
  for (const ConstTensor& input : context.inputs) data.push_back(input.elements<T>().data());
  std::vector<std::int64_t> offsets(operands, 0);
  Odometer outer(form.outer);
  Odometer inner(form.inner);
  const bool sums_nothing = inner.empty();
  for (T& out : context.outputs[0].elements<T>()) {
    C sum = 0;
    bool more = !sums_nothing;
    while (more) {
      C product = load(data[0][offsets[0]]);
      if (operands == 1) {
        sum = add(sum, product);
      } else {
        for (std::size_t i = 1; i + 1 < operands; ++i) {
          product = multiply(product, load(data[i][offsets[i]]));
        }
        sum = multiply_add(product, load(data[operands - 1][offsets[operands - 1]]), sum);
      }
      more = inner.next(offsets);
    }
    out = store<T>(sum);
    outer.next(offsets);
  }
}

Status run_einsum(RunContext& context) {
  std::vector<Shape> shapes;
  for (const ConstTensor& input : context.inputs) shapes.push_back(input.type.shape);
  const Contraction form = TRY(contraction(context.node, shapes));
  return dispatch(NumberTypes{}, context.outputs[0].type.dtype, [&]<typename T>() -> Status {
    contract<T>(form, context);
    return done();
  });
}

constexpr Operator kOperators[] = {
    {"Einsum", 12, kLastOpset, 1, kMaxOperands, 1, infer_einsum, run_einsum, "equation"},
};

}  // namespace

std::span<const Operator> einsum_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
