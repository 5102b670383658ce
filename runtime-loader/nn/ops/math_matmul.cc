// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/math_matmul_shape.h"
#include "runtime-loader/nn/ops/math_operand.h"
#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {

Result<MatMulShape> matmul_shape(const Shape& a, const Shape& b) {
  if (a.rank() == 0 || b.rank() == 0) return malformed("a matrix product with a scalar");
  const auto left = a.dims();
  const auto right = b.dims();
  const std::int64_t rows = a.rank() == 1 ? 1 : left[a.rank() - 2];
  const std::int64_t columns = b.rank() == 1 ? 1 : right[b.rank() - 1];
  const std::int64_t inner = left[a.rank() - 1];
  if (inner != right[b.rank() == 1 ? 0 : b.rank() - 2]) {
    return malformed("shapes " + to_string(a) + " and " + to_string(b) + " do not multiply");
  }
  MatMulShape shape;
  shape.product = {to_size(rows), to_size(columns), to_size(inner)};
  shape.a_batch = TRY(Shape::make(left.first(std::max<std::size_t>(a.rank(), 2) - 2)));
  shape.b_batch = TRY(Shape::make(right.first(std::max<std::size_t>(b.rank(), 2) - 2)));
  shape.batch = TRY(broadcast(shape.a_batch, shape.b_batch));
  std::vector<std::int64_t> dims(shape.batch.dims().begin(), shape.batch.dims().end());
  if (a.rank() > 1) dims.push_back(rows);
  if (b.rank() > 1) dims.push_back(columns);
  shape.output = TRY(Shape::make(dims));
  return shape;
}

namespace {

Result<std::vector<TensorType>> infer_matmul(const InferContext& context) {
  const TensorType* a = TRY(typed_input<WideTypes>(context, 0));
  TRY(check_same_type(context, 0, 1));
  const MatMulShape shape = TRY(matmul_shape(a->shape, context.inputs[1]->shape));
  return std::vector<TensorType>{{a->dtype, shape.output}};
}

// All matrices of `a` meet the same one of `b`: they are one tall matrix.
void join_rows(MatMulShape& shape) {
  if (shape.b_batch.element_count() != 1) return;
  shape.product.rows *= to_size(shape.batch.element_count());
  shape.batch = shape.a_batch = shape.b_batch = Shape();
}

Status run_matmul(RunContext& context) {
  const Tensor& output = context.outputs[0];
  if (output.type.shape.element_count() == 0) return done();
  MatMulShape shape = TRY(matmul_shape(context.inputs[0].type.shape, context.inputs[1].type.shape));
  join_rows(shape);
  const ProductShape& product = shape.product;
  return dispatch(WideTypes{}, output.type.dtype, [&]<typename T>() -> Status {
    using C = Computed<T>;
    const auto a = TRY(Operand<T>::make(context.inputs[0], context.memory));
    const auto b = TRY(Operand<T>::make(context.inputs[1], context.memory));
    const auto out = TRY(OutputOperand<T>::make(output, context.memory));
    TRY(shape.for_each([&](std::size_t from_a, std::size_t from_b, std::size_t to) {
      const MatrixView<C> left{a.data() + from_a * product.rows * product.inner, product.inner};
      const MatrixView<C> right{b.data() + from_b * product.inner * product.columns,
                                product.columns};
      return multiply_matrices<C>(product, left, right,
                                  out.data() + to * product.rows * product.columns, product.columns,
                                  context);
    }));
    out.finish();
    return done();
  });
}

struct GemmForm {
  bool transpose_a = false;
  bool transpose_b = false;
  float alpha = 1;
  float beta = 1;
  ProductShape product;
};

Result<GemmForm> gemm_form(const Node& node, const Shape& a, const Shape& b) {
  GemmForm form;
  form.transpose_a = TRY(bool_attribute(node, "transA", false));
  form.transpose_b = TRY(bool_attribute(node, "transB", false));
  form.alpha = TRY(float_attribute(node, "alpha", 1.0F));
  form.beta = TRY(float_attribute(node, "beta", 1.0F));
  if (a.rank() != 2 || b.rank() != 2) {
    return malformed("shapes " + to_string(a) + " and " + to_string(b) + " are not matrices");
  }
  const std::size_t a_inner = form.transpose_a ? 0 : 1;
  const std::size_t b_inner = form.transpose_b ? 1 : 0;
  if (a[a_inner] != b[b_inner]) {
    return malformed("shapes " + to_string(a) + (form.transpose_a ? " (transposed)" : "") +
                     " and " + to_string(b) + (form.transpose_b ? " (transposed)" : "") +
                     " do not multiply");
  }
  form.product = {to_size(a[1 - a_inner]), to_size(b[1 - b_inner]), to_size(a[a_inner])};
  return form;
}

Result<std::vector<TensorType>> infer_gemm(const InferContext& context) {
  const TensorType* a = TRY(typed_input<WideTypes>(context, 0));
  TRY(check_same_type(context, 0, 1));
  const GemmForm form = TRY(gemm_form(context.node, a->shape, context.inputs[1]->shape));
  const std::int64_t dims[] = {static_cast<std::int64_t>(form.product.rows),
                               static_cast<std::int64_t>(form.product.columns)};
  const TensorType output{a->dtype, TRY(Shape::make(dims))};
  if (const TensorType* c = optional_input(context, 2)) {
    TRY(check_same_type(context, 0, 2));
    if (!broadcasts_to(c->shape, output.shape)) {
      return malformed("input C " + to_string(c->shape) + " does not broadcast to " +
                       to_string(output.shape));
    }
  }
  return std::vector<TensorType>{output};
}

// value * factor, exact for a factor of 1.
template <typename C>
C scale(C value, float factor) {
  if (factor == 1.0F) return value;
  if constexpr (std::is_integral_v<C>) {
    return saturate<C>(static_cast<double>(value) * static_cast<double>(factor));
  } else {
    return value * static_cast<C>(factor);
  }
}

// out = alpha * out + beta * c
template <typename T>
void add_bias(const GemmForm& form, const ConstTensor* c, const Shape& shape, Computed<T>* out) {
  if (form.alpha != 1.0F) {
    const std::size_t count = to_size(shape.element_count());
    for (std::size_t i = 0; i < count; ++i) out[i] = scale(out[i], form.alpha);
  }
  if (c == nullptr || form.beta == 0.0F) return;
  const T* bias = c->elements<T>().data();
  const BroadcastRuns<1> runs(shape, {c->type.shape});
  runs.for_each([&](std::size_t offset, const auto& offsets, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto term = scale(load(bias[offsets[0] + i * runs.step(0)]), form.beta);
      out[offset + i] = add(out[offset + i], term);
    }
  });
}

template <typename C>
MatrixView<C> view(const C* data, const Shape& shape, bool transposed) {
  const std::size_t width = to_size(shape[1]);
  return transposed ? MatrixView<C>{data, 1, width} : MatrixView<C>{data, width, 1};
}

Status run_gemm(RunContext& context) {
  const Tensor& output = context.outputs[0];
  const Shape& a_shape = context.inputs[0].type.shape;
  const Shape& b_shape = context.inputs[1].type.shape;
  const GemmForm form = TRY(gemm_form(context.node, a_shape, b_shape));
  return dispatch(WideTypes{}, output.type.dtype, [&]<typename T>() -> Status {
    using C = Computed<T>;
    const auto a = TRY(Operand<T>::make(context.inputs[0], context.memory));
    const auto b = TRY(Operand<T>::make(context.inputs[1], context.memory));
    const auto out = TRY(OutputOperand<T>::make(output, context.memory));
    TRY(multiply_matrices<C>(form.product, view(a.data(), a_shape, form.transpose_a),
                             view(b.data(), b_shape, form.transpose_b), out.data(),
                             form.product.columns, context));
    add_bias<T>(form, optional_input(context, 2), output.type.shape, out.data());
    out.finish();
    return done();
  });
}

constexpr char kGemmAttributes[] = "alpha beta transA transB";
constexpr Operator kOperators[] = {
    {"Gemm", 9, 10, 3, 3, 1, infer_gemm, run_gemm, kGemmAttributes},
    {"Gemm", 11, kLastOpset, 2, 3, 1, infer_gemm, run_gemm, kGemmAttributes},
    {"MatMul", 9, kLastOpset, 2, 2, 1, infer_matmul, run_matmul},
};

}  // namespace

std::span<const Operator> matmul_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
