// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/attributes.h"

#include <algorithm>

namespace sealpack::nn {
namespace {

// The value of an attribute; nullptr if absent, kMalformed if it has another type.
template <typename T>
Result<const T*> typed(const Node& node, std::string_view name) {
  const Attribute* attribute = node.find(name);
  if (attribute == nullptr) return static_cast<const T*>(nullptr);
  const T* value = std::get_if<T>(&attribute->value);
  if (value != nullptr) return value;
  return Error(ErrorCode::kMalformed, "attribute " + printable(name) + " has the wrong type");
}

}  // namespace

Result<std::int64_t> int_attribute(const Node& node, std::string_view name, std::int64_t fallback) {
  const std::int64_t* value = TRY(typed<std::int64_t>(node, name));
  return value == nullptr ? fallback : *value;
}

Result<bool> bool_attribute(const Node& node, std::string_view name, bool fallback) {
  const std::int64_t value = TRY(int_attribute(node, name, fallback ? 1 : 0));
  if (value == 0 || value == 1) return value == 1;
  return Error(ErrorCode::kMalformed,
               "attribute " + printable(name) + " is " + std::to_string(value) + ", not 0 or 1");
}

Result<float> float_attribute(const Node& node, std::string_view name, float fallback) {
  const float* value = TRY(typed<float>(node, name));
  return value == nullptr ? fallback : *value;
}

Result<std::string> text_attribute(const Node& node, std::string_view name,
                                   std::string_view fallback) {
  const std::string* value = TRY(typed<std::string>(node, name));
  return value == nullptr ? std::string(fallback) : *value;
}

Result<const std::vector<std::int64_t>*> ints_attribute(const Node& node, std::string_view name) {
  return typed<std::vector<std::int64_t>>(node, name);
}

Result<const std::vector<float>*> floats_attribute(const Node& node, std::string_view name) {
  return typed<std::vector<float>>(node, name);
}

Result<const StoredTensor*> tensor_attribute(const Node& node, std::string_view name) {
  return typed<StoredTensor>(node, name);
}

Result<std::size_t> to_axis(std::int64_t axis, std::size_t rank) {
  const auto limit = static_cast<std::int64_t>(rank);
  if (axis < -limit || axis >= limit) {
    return Error(ErrorCode::kMalformed,
                 "axis " + std::to_string(axis) + " of a tensor of rank " + std::to_string(rank));
  }
  return static_cast<std::size_t>(axis < 0 ? axis + limit : axis);
}

Result<std::size_t> axis_attribute(const Node& node, std::string_view name, std::int64_t fallback,
                                   std::size_t rank) {
  return to_axis(TRY(int_attribute(node, name, fallback)), rank);
}

Result<std::vector<std::int64_t>> to_integers(const ConstTensor& tensor) {
  if (tensor.type.shape.rank() > 1) {
    return Error(ErrorCode::kMalformed, "a list of shape " + to_string(tensor.type.shape));
  }
  if (tensor.type.dtype == DType::kI64) {
    const auto elements = tensor.elements<std::int64_t>();
    return std::vector<std::int64_t>(elements.begin(), elements.end());
  }
  if (tensor.type.dtype == DType::kI32) {
    const auto elements = tensor.elements<std::int32_t>();
    return std::vector<std::int64_t>(elements.begin(), elements.end());
  }
  return Error(ErrorCode::kMalformed,
               std::string("a list of ") + to_string(tensor.type.dtype) + ", not of integers");
}

bool is_known(const InferContext& context, std::size_t index) {
  return context.constants[index].data != nullptr ||
         context.inputs[index]->shape.element_count() == 0;
}

Result<std::vector<std::int64_t>> constant_integers(const InferContext& context, std::size_t index,
                                                    const char* what) {
  if (!has_input(context, index)) {
    return Error(ErrorCode::kMalformed, std::string("input ") + what + " is missing");
  }
  if (!is_known(context, index)) {
    return Error(ErrorCode::kUnsupported, std::string("the output's shape depends on ") + what +
                                              ", which is not a constant");
  }
  return to_integers({*context.inputs[index], context.constants[index].data}).within(what);
}

Status check_dtype(const InferContext& context, std::size_t index,
                   std::initializer_list<DType> allowed) {
  const DType type = context.inputs[index]->dtype;
  if (std::ranges::find(allowed, type) != allowed.end()) return done();
  return Error(ErrorCode::kUnsupported,
               "input " + std::to_string(index) + " of type " + to_string(type));
}

Result<Shape> broadcast(const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  std::vector<std::int64_t> dims(longer.dims().begin(), longer.dims().end());
  const std::size_t lead = longer.rank() - shorter.rank();
  for (std::size_t axis = 0; axis < shorter.rank(); ++axis) {
    std::int64_t& dim = dims[lead + axis];
    if (dim == 1) {
      dim = shorter[axis];
    } else if (shorter[axis] != 1 && shorter[axis] != dim) {
      return Error(ErrorCode::kMalformed,
                   "shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast");
    }
  }
  return Shape::make(dims);
}

}  // namespace sealpack::nn
