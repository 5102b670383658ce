// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "runtime-loader/nn/ops/math_window.h"

namespace sealpack::nn {

// The part of one window that lies inside the input: along each axis, `count` elements from
// `first`, `dilation` apart.
struct Visit {
  Window::Numbers first{};
  Window::Numbers count{};
  std::int64_t total = 1;  // elements
};

Visit visit(const Window& window, const Window::Numbers& position);

// f(output pixel, visit) for every output pixel of one plane, ascending.
template <typename F>
void for_each_window(const Window& window, F&& f) {
  const std::size_t pixels = count(window, window.output);
  Window::Numbers position{};
  for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
    f(pixel, visit(window, position));
    for (std::size_t axis = window.rank; axis-- > 0;) {
      if (++position[axis] < window.output[axis]) break;
      position[axis] = 0;
    }
  }
}

// f(input pixel) for every element of a visit, ascending.
template <typename F>
void for_each_element(const Window& window, const Visit& visit, F&& f) {
  if (visit.total == 0) return;
  const std::size_t inner = window.rank - 1;
  Window::Numbers tap{};
  while (true) {
    std::int64_t row = 0;
    for (std::size_t axis = 0; axis < inner; ++axis) {
      row = (row + visit.first[axis] + tap[axis] * window.dilation[axis]) * window.input[axis + 1];
    }
    const std::size_t begin = to_size(row + visit.first[inner]);
    const std::size_t step = to_size(window.dilation[inner]);
    const std::size_t run = to_size(visit.count[inner]);
    for (std::size_t i = 0; i < run; ++i) f(begin + i * step);
    std::size_t axis = inner;
    for (; axis > 0; --axis) {
      if (++tap[axis - 1] < visit.count[axis - 1]) break;
      tap[axis - 1] = 0;
    }
    if (axis == 0) return;
  }
}

}  // namespace sealpack::nn
