// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/math_recurrent.h"

#include <algorithm>

#include "runtime-loader/nn/ops/math_operand.h"
#include "runtime-loader/nn/ops/math_product.h"
#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {
namespace {

// Inputs in the order of the operators: X W R B sequence_lens initial_h initial_c P.
enum Input : std::size_t { kX, kW, kR, kB, kLengths, kFirstH, kFirstC, kPeephole };

using RecurrentTypes = TypeSet<float, double, Float16>;

Result<std::vector<TensorType>> infer_recurrent(const InferContext& context) {
  const TensorType* x = TRY(typed_input<RecurrentTypes>(context, kX));
  TRY(check_same_type(context, kX, kW));
  TRY(check_same_type(context, kX, kR));
  const RecurrentForm form = TRY(
      recurrent_form(context.node, x->shape, context.inputs[kW]->shape, context.inputs[kR]->shape));
  const auto directions = static_cast<std::int64_t>(form.directions);
  const auto hidden = static_cast<std::int64_t>(form.hidden);
  const auto gates = static_cast<std::int64_t>(form.gates);
  const TensorType state{x->dtype, TRY(state_shape(form))};
  const Shape bias = TRY(Shape::make(std::array{directions, 2 * gates * hidden}));
  const Shape peephole = TRY(Shape::make(std::array{directions, 3 * hidden}));
  TRY(check_input(context, kB, {x->dtype, bias}));
  TRY(check_input(context, kLengths, {DType::kI32, Shape{static_cast<std::int64_t>(form.batch)}}));
  TRY(check_input(context, kFirstH, state));
  TRY(check_input(context, kFirstC, state));
  TRY(check_input(context, kPeephole, {x->dtype, peephole}));
  return std::vector<TensorType>{{x->dtype, TRY(y_shape(form))}, state, state};
}

Status check_lengths(const RunContext& context, const RecurrentForm& form) {
  const ConstTensor* stated = optional_input(context, kLengths);
  if (stated == nullptr) return done();
  for (const std::int32_t length : stated->elements<std::int32_t>()) {
    if (length < 0 || static_cast<std::size_t>(length) > form.steps) {
      return malformed("a sequence of length " + std::to_string(length) + " of " +
                       std::to_string(form.steps));
    }
  }
  return done();
}

// One direction of one run; T is the element type, C what is computed in.
template <typename T>
class Layer {
 public:
  using C = Computed<T>;

  static Status run(RunContext& context, const RecurrentForm& form, std::size_t direction) {
    Layer layer(context, form, direction);
    const std::size_t rows = form.gates * form.hidden;
    const auto x = TRY(Operand<T>::make(context.inputs[kX], context.memory));
    const auto w = TRY(Operand<T>::make(context.inputs[kW], context.memory));
    const auto r = TRY(Operand<T>::make(context.inputs[kR], context.memory));
    const auto from_x = TRY(Scratch<C>::make(context.memory, form.steps * form.batch * rows));
    const auto from_h = TRY(Scratch<C>::make(context.memory, form.batch * rows));
    const auto h = TRY(Scratch<C>::make(context.memory, form.batch * form.hidden));
    const auto c = TRY(Scratch<C>::make(context.memory, form.batch * form.hidden));
    const auto gated = TRY(Scratch<C>::make(context.memory, form.batch * form.hidden));
    TRY(multiply_matrices<C>(
        {form.steps * form.batch, rows, form.inputs}, {x.data(), form.inputs, 1},
        {w.data() + direction * rows * form.inputs, 1, form.inputs}, from_x.data(), rows, context));
    layer.from_x_ = from_x.data();
    layer.from_h_ = from_h.data();
    layer.h_ = h.data();
    layer.c_ = c.data();
    layer.gated_ = gated.data();
    layer.r_ = r.data() + direction * rows * form.hidden;
    return layer.run_steps();
  }

 private:
  Layer(RunContext& context, const RecurrentForm& form, std::size_t direction)
      : context_(context),
        form_(form),
        direction_(direction),
        f_(form.functions[direction * form.function_count()]),
        g_(form.functions[direction * form.function_count() +
                          std::min<std::size_t>(1, form.function_count() - 1)]),
        out_(form.functions[(direction + 1) * form.function_count() - 1]) {}

  Status run_steps() {
    start(kFirstH, h_);
    start(kFirstC, c_);
    clear_output();
    for (std::size_t step = 0; step < form_.steps; ++step) {
      TRY(multiply_state(h_, 0, form_.gates));
      if (form_.cell == Cell::kGru) TRY(gate_state(step));
      for (std::size_t item = 0; item < form_.batch; ++item) {
        if (step < length(item)) advance(step, item);
      }
    }
    finish(1, h_);
    finish(2, c_);
    return done();
  }

  std::size_t length(std::size_t item) const {
    const ConstTensor* stated = optional_input(context_, kLengths);
    return stated == nullptr ? form_.steps : to_size(stated->elements<std::int32_t>()[item]);
  }
  // The step of the sequence that is done as number `step`.
  std::size_t time(std::size_t step, std::size_t item) const {
    const bool backwards = form_.reverse || direction_ == 1;
    return backwards ? length(item) - 1 - step : step;
  }

  // from_h[:, first … last) gates = state * R^T
  Status multiply_state(const C* state, std::size_t first, std::size_t last) {
    const std::size_t hidden = form_.hidden;
    return multiply_matrices<C>({form_.batch, (last - first) * hidden, hidden}, {state, hidden, 1},
                                {r_ + first * hidden * hidden, 1, hidden}, from_h_ + first * hidden,
                                form_.gates * hidden, context_);
  }

  C parameter(Input input, std::size_t width, std::size_t index) const {
    const ConstTensor* tensor = optional_input(context_, input);
    return tensor == nullptr ? C{0} : load(tensor->elements<T>()[direction_ * width + index]);
  }
  C bias(bool of_r, std::size_t gate, std::size_t unit) const {
    const std::size_t number = (of_r ? form_.gates : 0) + gate;
    return parameter(kB, 2 * form_.gates * form_.hidden, number * form_.hidden + unit);
  }
  C input_part(std::size_t step, std::size_t item, std::size_t gate, std::size_t unit) const {
    const std::size_t row = form_.x_row(time(step, item), item);
    return from_x_[(row * form_.gates + gate) * form_.hidden + unit] + bias(false, gate, unit);
  }
  C state_part(std::size_t item, std::size_t gate, std::size_t unit) const {
    return from_h_[(item * form_.gates + gate) * form_.hidden + unit] + bias(true, gate, unit);
  }
  C both(std::size_t step, std::size_t item, std::size_t gate, std::size_t unit) const {
    return input_part(step, item, gate, unit) + state_part(item, gate, unit);
  }

  // GRU without linear_before_reset: the last gate sees (r . h) * R^T.
  Status gate_state(std::size_t step) {
    if (form_.linear_before_reset) return done();
    for (std::size_t item = 0; item < form_.batch; ++item) {
      for (std::size_t unit = 0; unit < form_.hidden; ++unit) {
        const std::size_t at = item * form_.hidden + unit;
        gated_[at] = step < length(item) ? f_(both(step, item, 1, unit)) * h_[at] : C{0};
      }
    }
    return multiply_state(gated_, 2, 3);
  }

  void advance(std::size_t step, std::size_t item) {
    const Tensor* y = optional_output(context_, 0);
    const std::size_t row = form_.y_row(time(step, item), direction_, item);
    for (std::size_t unit = 0; unit < form_.hidden; ++unit) {
      C& h = h_[item * form_.hidden + unit];
      if (form_.cell == Cell::kLstm) {
        h = lstm(step, item, unit);
      } else if (form_.cell == Cell::kGru) {
        h = gru(step, item, unit, h);
      } else {
        h = f_(both(step, item, 0, unit));
      }
      if (y != nullptr) y->elements<T>()[row + unit] = store<T>(h);
    }
  }

  // Gates in the order i o f c.
  C lstm(std::size_t step, std::size_t item, std::size_t unit) {
    C& c = c_[item * form_.hidden + unit];
    const std::size_t peepholes = 3 * form_.hidden;
    const auto peephole = [&](std::size_t gate) {
      return parameter(kPeephole, peepholes, gate * form_.hidden + unit);
    };
    const C i = f_(both(step, item, 0, unit) + peephole(0) * c);
    const C f = form_.input_forget ? C{1} - i : f_(both(step, item, 2, unit) + peephole(2) * c);
    c = f * c + i * g_(both(step, item, 3, unit));
    const C o = f_(both(step, item, 1, unit) + peephole(1) * c);
    return o * out_(c);
  }

  // Gates in the order z r h.
  C gru(std::size_t step, std::size_t item, std::size_t unit, C h) const {
    const C z = f_(both(step, item, 0, unit));
    const C reset = form_.linear_before_reset ? f_(both(step, item, 1, unit)) : C{1};
    const C candidate = g_(input_part(step, item, 2, unit) + reset * state_part(item, 2, unit));
    return (C{1} - z) * candidate + z * h;
  }

  void start(Input input, C* state) const {
    const ConstTensor* first = optional_input(context_, input);
    for (std::size_t item = 0; item < form_.batch; ++item) {
      for (std::size_t unit = 0; unit < form_.hidden; ++unit) {
        const std::size_t from = form_.state_row(direction_, item) + unit;
        state[item * form_.hidden + unit] =
            first == nullptr ? C{0} : load(first->elements<T>()[from]);
      }
    }
  }

  // Steps after the end of a sequence stay 0.
  void clear_output() const {
    const Tensor* y = optional_output(context_, 0);
    if (y == nullptr) return;
    for (std::size_t item = 0; item < form_.batch; ++item) {
      for (std::size_t step = length(item); step < form_.steps; ++step) {
        const std::size_t row = form_.y_row(step, direction_, item);
        std::ranges::fill(y->elements<T>().subspan(row, form_.hidden), store<T>(0));
      }
    }
  }

  void finish(std::size_t output, const C* state) const {
    const Tensor* last = optional_output(context_, output);
    if (last == nullptr) return;
    for (std::size_t item = 0; item < form_.batch; ++item) {
      for (std::size_t unit = 0; unit < form_.hidden; ++unit) {
        last->elements<T>()[form_.state_row(direction_, item) + unit] =
            store<T>(state[item * form_.hidden + unit]);
      }
    }
  }

  RunContext& context_;
  const RecurrentForm& form_;
  std::size_t direction_;
  SquashFunction f_, g_, out_;
  const C* r_ = nullptr;
  C* from_x_ = nullptr;  // [rows of X][gates][hidden]
  C* from_h_ = nullptr;  // [batch][gates][hidden]
  C* h_ = nullptr;       // [batch][hidden], as are the others
  C* c_ = nullptr;
  C* gated_ = nullptr;
};

Status run_recurrent(RunContext& context) {
  const RecurrentForm form =
      TRY(recurrent_form(context.node, context.inputs[kX].type.shape, context.inputs[kW].type.shape,
                         context.inputs[kR].type.shape));
  if (form.batch == 0) return done();
  TRY(check_lengths(context, form));
  return dispatch(RecurrentTypes{}, context.inputs[kX].type.dtype, [&]<typename T>() -> Status {
    for (std::size_t direction = 0; direction < form.directions; ++direction) {
      TRY(Layer<T>::run(context, form, direction));
    }
    return done();
  });
}

#define SEALPACK_COMMON "activation_alpha activation_beta activations clip direction hidden_size"
constexpr Operator kOperators[] = {
    {"GRU", 7, 13, 3, 6, 2, infer_recurrent, run_recurrent, SEALPACK_COMMON " linear_before_reset"},
    {"GRU", 14, kLastOpset, 3, 6, 2, infer_recurrent, run_recurrent,
     SEALPACK_COMMON " layout linear_before_reset"},
    {"LSTM", 7, 13, 3, 8, 3, infer_recurrent, run_recurrent, SEALPACK_COMMON " input_forget"},
    {"LSTM", 14, kLastOpset, 3, 8, 3, infer_recurrent, run_recurrent,
     SEALPACK_COMMON " input_forget layout"},
    {"RNN", 7, 13, 3, 6, 2, infer_recurrent, run_recurrent, SEALPACK_COMMON},
    {"RNN", 14, kLastOpset, 3, 6, 2, infer_recurrent, run_recurrent, SEALPACK_COMMON " layout"},
};
#undef SEALPACK_COMMON

}  // namespace

std::span<const Operator> recurrent_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
