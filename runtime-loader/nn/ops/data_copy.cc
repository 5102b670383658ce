// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/data_copy.h"

#include <algorithm>
#include <cstring>

namespace sealpack::nn {
namespace {

struct Plan {
  std::array<CopyAxis, kMaxCopyAxes> axes{};
  std::size_t count = 0;
  std::size_t run = 0;  // bytes copied at once

  CopyAxis& last() { return axes[count - 1]; }
};

// Axes of size 1 dropped, those that continue each other joined, dense ones taken into the run.
Plan make_plan(std::size_t size, std::span<const CopyAxis> axes) {
  Plan plan;
  plan.run = size;
  for (const CopyAxis& axis : axes) {
    if (axis.count == 1) continue;
    if (plan.count > 0 && plan.last().from == axis.from * axis.count &&
        plan.last().to == axis.to * axis.count) {
      plan.last() = {plan.last().count * axis.count, axis.from, axis.to};
    } else {
      plan.axes[plan.count++] = axis;
    }
  }
  const auto unit = static_cast<std::int64_t>(size);
  if (plan.count > 0 && plan.last().from == unit && plan.last().to == unit) {
    plan.run *= static_cast<std::size_t>(plan.last().count);
    --plan.count;
  }
  return plan;
}

template <std::size_t kSize>
void copy_fixed(const std::uint8_t* from, std::uint8_t* to, const CopyAxis& axis) {
  for (std::int64_t i = 0; i < axis.count; ++i) {
    std::memcpy(to + i * axis.to, from + i * axis.from, kSize);
  }
}

void copy_line(const std::uint8_t* from, std::uint8_t* to, std::size_t run, const CopyAxis& axis) {
  switch (run) {
    case 1:
      return copy_fixed<1>(from, to, axis);
    case 2:
      return copy_fixed<2>(from, to, axis);
    case 4:
      return copy_fixed<4>(from, to, axis);
    case 8:
      return copy_fixed<8>(from, to, axis);
    default:
      for (std::int64_t i = 0; i < axis.count; ++i) {
        std::memcpy(to + i * axis.to, from + i * axis.from, run);
      }
  }
}

// Two axes in square blocks: a transposition touches each cache line of both sides once.
void copy_blocks(const std::uint8_t* from, std::uint8_t* to, std::size_t run, const CopyAxis& rows,
                 const CopyAxis& columns) {
  constexpr std::int64_t kBlock = 32;
  for (std::int64_t row = 0; row < rows.count; row += kBlock) {
    const std::int64_t row_end = std::min(row + kBlock, rows.count);
    for (std::int64_t column = 0; column < columns.count; column += kBlock) {
      const CopyAxis part = {std::min(kBlock, columns.count - column), columns.from, columns.to};
      for (std::int64_t r = row; r < row_end; ++r) {
        copy_line(from + r * rows.from + column * columns.from,
                  to + r * rows.to + column * columns.to, run, part);
      }
    }
  }
}

// Puts the axis along which the source is dense next to the innermost one.
void move_dense_source_inwards(Plan& plan) {
  if (plan.count < 2 || plan.last().from == static_cast<std::int64_t>(plan.run)) return;
  for (std::size_t axis = 0; axis + 2 < plan.count; ++axis) {
    if (plan.axes[axis].from != static_cast<std::int64_t>(plan.run)) continue;
    std::rotate(plan.axes.begin() + static_cast<std::ptrdiff_t>(axis),
                plan.axes.begin() + static_cast<std::ptrdiff_t>(axis) + 1,
                plan.axes.begin() + static_cast<std::ptrdiff_t>(plan.count) - 1);
    return;
  }
}

}  // namespace

void copy_elements(const std::uint8_t* from, std::uint8_t* to, std::size_t size,
                   std::span<const CopyAxis> axes) {
  for (const CopyAxis& axis : axes) {
    if (axis.count == 0) return;
  }
  Plan plan = make_plan(size, axes);
  if (plan.count == 0) {
    std::memcpy(to, from, plan.run);
    return;
  }
  if (plan.count == 1) return copy_line(from, to, plan.run, plan.last());
  move_dense_source_inwards(plan);
  std::array<std::int64_t, kMaxCopyAxes> counts{};
  const std::size_t outer = plan.count - 2;
  for (std::size_t axis = 0; axis < outer; ++axis) counts[axis] = plan.axes[axis].count;
  Odometer position({counts.data(), outer});
  do {
    std::int64_t from_offset = 0;
    std::int64_t to_offset = 0;
    for (std::size_t axis = 0; axis < outer; ++axis) {
      from_offset += position[axis] * plan.axes[axis].from;
      to_offset += position[axis] * plan.axes[axis].to;
    }
    copy_blocks(from + from_offset, to + to_offset, plan.run, plan.axes[outer], plan.last());
  } while (position.next());
}

std::array<std::int64_t, kMaxRank> byte_strides(const TensorType& type) {
  std::array<std::int64_t, kMaxRank> strides{};
  auto stride = static_cast<std::int64_t>(element_size(type.dtype));
  for (std::size_t axis = type.shape.rank(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= std::max<std::int64_t>(type.shape[axis], 1);
  }
  return strides;
}

AxisView::AxisView(const TensorType& type, std::size_t axis) {
  for (std::size_t i = 0; i < type.shape.rank(); ++i) {
    (i < axis ? outer : i == axis ? count : inner) *= type.shape[i];
  }
  size = inner * static_cast<std::int64_t>(element_size(type.dtype));
}

Error IndexReader::refused(std::int64_t position, std::int64_t limit) const {
  return malformed("index " + std::to_string(value(position)) + " of a dimension of " +
                   std::to_string(limit));
}

std::vector<std::int64_t> to_list(const Shape& shape) {
  return {shape.dims().begin(), shape.dims().end()};
}

Result<std::int64_t> one_integer(const ConstTensor& tensor, const char* what) {
  const std::vector<std::int64_t> values = TRY(to_integers(tensor).within(what));
  if (values.size() == 1) return values.front();
  return malformed(std::string(what) + " of " + std::to_string(values.size()) + " elements");
}

}  // namespace sealpack::nn
