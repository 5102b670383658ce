// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/math_check.h"

// Multidirectional broadcasting (ONNX Broadcasting.md), as in numpy.
namespace sealpack::nn {

// True if `from` broadcasts to exactly `to`.
bool broadcasts_to(const Shape& from, const Shape& to);

// Work over elements of a shape and of N tensors that broadcast to it, in ascending order, cut into
// runs in which each tensor either advances by one element (step 1) or stays (step 0).
template <std::size_t N>
class BroadcastRuns {
 public:
  BroadcastRuns(const Shape& shape, const std::array<Shape, N>& tensors) {
    std::array<std::int64_t, N> advance;  // elements of a tensor inside the axes done so far
    advance.fill(1);
    for (std::size_t back = 1; back <= shape.rank(); ++back) {
      Axis axis;
      axis.size = shape[shape.rank() - back];
      for (std::size_t i = 0; i < N; ++i) {
        const Shape& own = tensors[i];
        const std::int64_t dim = back <= own.rank() ? own[own.rank() - back] : 1;
        axis.strides[i] = dim == 1 ? 0 : advance[i];
        advance[i] *= dim;
      }
      if (axis.size != 1) push(axis);
    }
  }

  // 0 or 1: how tensor `i` advances inside a run.
  std::size_t step(std::size_t i) const {
    return count_ == 0 ? 0 : static_cast<std::size_t>(axes_[0].strides[i]);
  }

  // f(offset in the shape, offset in each tensor, count), all in elements.
  template <typename F>
  void for_each(F&& f) const {
    std::array<std::size_t, N> offsets{};
    if (count_ == 0) {
      f(std::size_t{0}, offsets, std::size_t{1});
      return;
    }
    for (std::size_t a = 0; a < count_; ++a) {
      if (axes_[a].size == 0) return;
    }
    const std::size_t run = to_size(axes_[0].size);
    std::array<std::int64_t, kMaxRank> index{};
    for (std::size_t offset = 0;; offset += run) {
      f(offset, offsets, run);
      std::size_t a = 1;
      for (; a < count_; ++a) {
        const bool wraps = ++index[a] == axes_[a].size;
        const std::int64_t back = wraps ? axes_[a].size - 1 : -1;
        for (std::size_t i = 0; i < N; ++i) {
          offsets[i] -= static_cast<std::size_t>(axes_[a].strides[i] * back);  // modulo 2^64
        }
        if (!wraps) break;
        index[a] = 0;
      }
      if (a == count_) return;
    }
  }

 private:
  struct Axis {
    std::int64_t size = 1;
    std::array<std::int64_t, N> strides{};
  };

  // Adds the next axis outwards, as part of the last one where all tensors allow it.
  void push(const Axis& axis) {
    if (count_ > 0) {
      Axis& last = axes_[count_ - 1];
      bool continues = true;
      for (std::size_t i = 0; i < N; ++i) {
        continues = continues && axis.strides[i] == last.strides[i] * last.size;
      }
      if (continues) {
        last.size *= axis.size;
        return;
      }
    }
    axes_[count_++] = axis;
  }

  std::array<Axis, kMaxRank> axes_{};  // innermost first
  std::size_t count_ = 0;
};

}  // namespace sealpack::nn
