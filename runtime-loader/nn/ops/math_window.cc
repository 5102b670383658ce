// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/math_window.h"

#include <algorithm>

namespace sealpack::nn {
namespace {

enum class AutoPad { kExplicit, kSameUpper, kSameLower, kValid };

Result<AutoPad> auto_pad(const Node& node) {
  const Result<std::string> text = text_attribute(node, "auto_pad", "NOTSET");
  if (!text.ok()) return text.error();
  if (*text == "NOTSET") return AutoPad::kExplicit;
  if (*text == "SAME_UPPER") return AutoPad::kSameUpper;
  if (*text == "SAME_LOWER") return AutoPad::kSameLower;
  if (*text == "VALID") return AutoPad::kValid;
  return malformed("auto_pad is " + shown(*text));
}

// `count` numbers of `least` … kMaxWindow, each `otherwise` where the node has no such attribute.
Result<Window::Numbers> numbers(const Node& node, const char* name, std::size_t count,
                                std::int64_t least, std::int64_t otherwise) {
  const std::vector<std::int64_t>* list = TRY(ints_attribute(node, name));
  Window::Numbers result{};
  if (list == nullptr || list->empty()) {
    std::fill_n(result.begin(), count, otherwise);
    return result;
  }
  if (list->size() != count) {
    return malformed(std::string(name) + " has " + std::to_string(list->size()) + " numbers for " +
                     std::to_string(count) + " spatial dimensions");
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t number = (*list)[i];
    if (number < least) return malformed(std::string(name) + " has " + std::to_string(number));
    if (number > kMaxWindow) {
      return Error(ErrorCode::kLimit, std::string(name) + " has " + std::to_string(number) +
                                          ", over " + std::to_string(kMaxWindow));
    }
    result[i] = number;
  }
  return result;
}

Status read_pads(const Node& node, Window& window) {
  const std::vector<std::int64_t>* list = TRY(ints_attribute(node, "pads"));
  if (list == nullptr || list->empty()) return done();
  if (list->size() != 2 * window.rank) {
    return malformed("pads has " + std::to_string(list->size()) + " numbers for " +
                     std::to_string(window.rank) + " spatial dimensions");
  }
  for (const std::int64_t pad : *list) {
    if (pad < 0) return malformed("pads has " + std::to_string(pad));
    if (pad > kMaxWindow) {
      return Error(ErrorCode::kLimit,
                   "pads has " + std::to_string(pad) + ", over " + std::to_string(kMaxWindow));
    }
  }
  std::copy_n(list->begin(), window.rank, window.pad_begin.begin());
  std::copy_n(list->begin() + static_cast<std::ptrdiff_t>(window.rank), window.rank,
              window.pad_end.begin());
  return done();
}

// What the node says before any size follows from it.
Result<Window> read_window(const Node& node, std::span<const std::int64_t> input, AutoPad mode) {
  if (input.empty() || input.size() > kMaxSpatial) {
    return malformed("an image of " + std::to_string(input.size()) + " spatial dimensions");
  }
  Window window;
  window.rank = input.size();
  std::ranges::copy(input, window.input.begin());
  window.stride = TRY(numbers(node, "strides", window.rank, 1, 1));
  window.dilation = TRY(numbers(node, "dilations", window.rank, 1, 1));
  TRY(read_pads(node, window));
  const auto is_there = [](std::int64_t pad) { return pad != 0; };
  const bool pads = std::ranges::any_of(window.pad_begin, is_there) ||
                    std::ranges::any_of(window.pad_end, is_there);
  if (mode != AutoPad::kExplicit && pads) return malformed("both auto_pad and pads");
  return window;
}

// kernel_shape, where it is there, repeats what the weights say.
Status read_conv_kernel(const Node& node, std::span<const std::int64_t> kernel, Window& window) {
  if (kernel.size() != window.rank) {
    return malformed("weights of " + std::to_string(kernel.size()) + " spatial dimensions for " +
                     std::to_string(window.rank));
  }
  std::ranges::copy(kernel, window.kernel.begin());
  for (const std::int64_t size : kernel) {
    if (size < 1) return malformed("a kernel of size " + std::to_string(size));
    if (size > kMaxWindow) {
      return Error(ErrorCode::kLimit, "a kernel of size " + std::to_string(size) + ", over " +
                                          std::to_string(kMaxWindow));
    }
  }
  const std::vector<std::int64_t>* stated = TRY(ints_attribute(node, "kernel_shape"));
  if (stated != nullptr && !stated->empty() && !std::ranges::equal(*stated, kernel)) {
    return malformed("kernel_shape differs from the shape of the weights");
  }
  return done();
}

// Half of the padding on either side; an odd one goes to the end, or to the begin if `lower`.
void split_padding(Window& window, std::size_t axis, std::int64_t total, bool lower) {
  total = std::max<std::int64_t>(total, 0);
  const std::int64_t small = total / 2;
  window.pad_begin[axis] = lower ? total - small : small;
  window.pad_end[axis] = total - window.pad_begin[axis];
}

Status size_outputs(AutoPad mode, bool round_up, Window& window) {
  for (std::size_t axis = 0; axis < window.rank; ++axis) {
    const std::int64_t in = window.input[axis];
    const std::int64_t stride = window.stride[axis];
    if (mode == AutoPad::kSameUpper || mode == AutoPad::kSameLower) {
      window.output[axis] = (in + stride - 1) / stride;
      const std::int64_t needed = (window.output[axis] - 1) * stride + window.extent(axis);
      split_padding(window, axis, needed - in, mode == AutoPad::kSameLower);
      continue;
    }
    const std::int64_t padded = in + window.pad_begin[axis] + window.pad_end[axis];
    const std::int64_t room = padded - window.extent(axis);
    if (room < 0) {
      return malformed("a window of " + std::to_string(window.extent(axis)) +
                       " on a padded input of " + std::to_string(padded));
    }
    std::int64_t last = room / stride;
    const bool starts_inside = (last + 1) * stride < in + window.pad_begin[axis];
    if (round_up && room % stride != 0 && starts_inside) ++last;
    window.output[axis] = last + 1;
  }
  return done();
}

// output_shape of a ConvTranspose: of the spatial dimensions, or of all as in old models.
Result<std::vector<std::int64_t>> wanted_output(const Node& node, const Window& window) {
  std::vector<std::int64_t> wanted = TRY(integers_attribute(node, "output_shape"));
  if (wanted.empty()) return wanted;
  if (wanted.size() == window.rank + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
  if (wanted.size() != window.rank) {
    return malformed("output_shape has " + std::to_string(wanted.size()) + " numbers for " +
                     std::to_string(window.rank) + " spatial dimensions");
  }
  for (const std::int64_t size : wanted) {
    if (size < 1 || size > kMaxElements) {
      return malformed("output_shape has " + std::to_string(size));
    }
  }
  return wanted;
}

}  // namespace

Result<Window> conv_window(const Node& node, std::span<const std::int64_t> input,
                           std::span<const std::int64_t> kernel) {
  const AutoPad mode = TRY(auto_pad(node));
  Window window = TRY(read_window(node, input, mode));
  TRY(read_conv_kernel(node, kernel, window));
  TRY(size_outputs(mode, false, window));
  return window;
}

Result<Window> transposed_window(const Node& node, std::span<const std::int64_t> input,
                                 std::span<const std::int64_t> kernel) {
  const AutoPad mode = TRY(auto_pad(node));
  Window window = TRY(read_window(node, input, mode));
  TRY(read_conv_kernel(node, kernel, window));
  const Window::Numbers extra = TRY(numbers(node, "output_padding", window.rank, 0, 0));
  const std::vector<std::int64_t> wanted = TRY(wanted_output(node, window));
  const bool same = mode == AutoPad::kSameUpper || mode == AutoPad::kSameLower;
  for (std::size_t axis = 0; axis < window.rank; ++axis) {
    const std::int64_t stride = window.stride[axis];
    if (extra[axis] >= std::max(stride, window.dilation[axis])) {
      return malformed("output_padding of " + std::to_string(extra[axis]) + " with stride " +
                       std::to_string(stride));
    }
    const std::int64_t in = window.input[axis];
    const std::int64_t whole = stride * (in - 1) + extra[axis] + window.extent(axis);
    if (!wanted.empty() || same) {
      window.output[axis] = wanted.empty() ? in * stride : wanted[axis];
      split_padding(window, axis, whole - window.output[axis], mode != AutoPad::kSameUpper);
    } else {
      window.output[axis] = whole - window.pad_begin[axis] - window.pad_end[axis];
    }
    if (in < 1 || window.output[axis] < 1) {
      return malformed("an output of " + std::to_string(window.output[axis]) +
                       " from an input of " + std::to_string(in));
    }
  }
  return window;
}

Result<Window> pool_window(const Node& node, std::span<const std::int64_t> input) {
  const AutoPad mode = TRY(auto_pad(node));
  Window window = TRY(read_window(node, input, mode));
  const std::vector<std::int64_t>* kernel = TRY(ints_attribute(node, "kernel_shape"));
  if (kernel == nullptr || kernel->empty()) return malformed("kernel_shape is missing");
  window.kernel = TRY(numbers(node, "kernel_shape", window.rank, 1, 1));
  const bool round_up = TRY(bool_attribute(node, "ceil_mode", false));
  TRY(size_outputs(mode, round_up, window));
  for (std::size_t axis = 0; axis < window.rank; ++axis) {
    if (std::max(window.pad_begin[axis], window.pad_end[axis]) >= window.extent(axis)) {
      return malformed("padding as wide as the window of " + std::to_string(window.extent(axis)));
    }
  }
  return window;
}

Result<Window> unpool_window(const Node& node, std::span<const std::int64_t> input) {
  Window window = TRY(read_window(node, input, AutoPad::kExplicit));
  const std::vector<std::int64_t>* kernel = TRY(ints_attribute(node, "kernel_shape"));
  if (kernel == nullptr || kernel->empty()) return malformed("kernel_shape is missing");
  window.kernel = TRY(numbers(node, "kernel_shape", window.rank, 1, 1));
  for (std::size_t axis = 0; axis < window.rank; ++axis) {
    const std::int64_t in = window.input[axis];
    window.output[axis] = (in - 1) * window.stride[axis] + window.kernel[axis] -
                          window.pad_begin[axis] - window.pad_end[axis];
    if (in < 1 || window.output[axis] < 1) {
      return malformed("an output of " + std::to_string(window.output[axis]) +
                       " from an input of " + std::to_string(in));
    }
  }
  return window;
}

Status check_image(const Shape& shape) {
  if (shape.rank() >= 3) return done();
  return malformed("shape " + to_string(shape) + " is not [batch, channels, spatial…]");
}

std::span<const std::int64_t> spatial(const Shape& shape) {
  return shape.dims().subspan(std::min<std::size_t>(2, shape.rank()));
}

Result<Shape> image_shape(std::int64_t batch, std::int64_t channels, const Window& window) {
  std::array<std::int64_t, kMaxRank> dims{batch, channels};
  std::copy_n(window.output.begin(), window.rank, dims.begin() + 2);
  return Shape::make({dims.data(), window.rank + 2});
}

std::size_t count(const Window& window, const Window::Numbers& numbers) {
  std::size_t product = 1;
  for (std::size_t axis = 0; axis < window.rank; ++axis) product *= to_size(numbers[axis]);
  return product;
}

}  // namespace sealpack::nn
