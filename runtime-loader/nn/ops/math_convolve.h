// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "runtime-loader/nn/ops/math_product.h"
#include "runtime-loader/nn/ops/math_scratch.h"
#include "runtime-loader/nn/ops/math_types.h"
#include "runtime-loader/nn/ops/math_window.h"

// Convolutions of any type and number of dimensions, as matrix products over an unrolled image.
namespace sealpack::nn {

struct ConvForm {
  Window window;
  bool transposed = false;
  std::size_t batch = 0;
  std::size_t groups = 1;
  std::size_t in_channels = 0;   // of a group
  std::size_t out_channels = 0;  // of a group
  Shape output;

  std::size_t taps() const { return count(window, window.kernel); }
  std::size_t in_pixels() const { return count(window, window.input); }
  std::size_t out_pixels() const { return count(window, window.output); }
};

// Checks attributes, image x[N, C, …] and weights w[M, C/group, …], or w[C, M/group, …] where
// transposed. kMalformed, kLimit.
Result<ConvForm> conv_form(const Node& node, const Shape& x, const Shape& w, bool transposed);

// The input that tap `tap` of output `position` meets along an axis, or -1.
inline std::int64_t tap_input(const Window& window, bool transposed, std::size_t axis,
                              std::int64_t position, std::int64_t tap) {
  const std::int64_t reach = tap * window.dilation[axis];
  std::int64_t input = 0;
  if (transposed) {
    const std::int64_t spread = position + window.pad_begin[axis] - reach;
    if (spread % window.stride[axis] != 0) return -1;
    input = spread / window.stride[axis];
  } else {
    input = position * window.stride[axis] - window.pad_begin[axis] + reach;
  }
  return input >= 0 && input < window.input[axis] ? input : -1;
}

// Output pixels [first, first + count) of one tap and one channel: `read(pixel)` for those that
// meet an input pixel, 0 for the others.
template <typename C, typename Read>
void unroll_tap(const ConvForm& form, std::size_t tap, std::size_t first, std::size_t count,
                const Read& read, C* out) {
  const Window& window = form.window;
  const std::size_t inner = window.rank - 1;
  Window::Numbers taps{};
  for (std::size_t back = 0, rest = tap; back < window.rank; ++back) {
    const std::size_t axis = inner - back;
    taps[axis] = static_cast<std::int64_t>(rest % to_size(window.kernel[axis]));
    rest /= to_size(window.kernel[axis]);
  }
  const std::size_t width = to_size(window.output[inner]);
  while (count > 0) {
    const std::size_t begin = first % width;
    const std::size_t run = std::min(width - begin, count);
    std::int64_t row = 0;  // of the input, along all axes but the last
    std::int64_t row_stride = 1;
    for (std::size_t back = 1, rest = first / width; back < window.rank; ++back) {
      const std::size_t axis = inner - back;
      const auto position = static_cast<std::int64_t>(rest % to_size(window.output[axis]));
      rest /= to_size(window.output[axis]);
      const std::int64_t input = tap_input(window, form.transposed, axis, position, taps[axis]);
      row = input < 0 || row < 0 ? -1 : row + input * row_stride;
      row_stride *= window.input[axis];
    }
    for (std::size_t i = 0; i < run; ++i) {
      const std::int64_t input = row < 0
                                     ? -1
                                     : tap_input(window, form.transposed, inner,
                                                 static_cast<std::int64_t>(begin + i), taps[inner]);
      out[i] = input < 0 ? C{0} : read(to_size(row * window.input[inner] + input));
    }
    out += run;
    first += run;
    count -= run;
  }
}

// The weights of a group as [output channel][tap][input channel].
template <typename C, typename ReadW>
void arrange_weights(const ConvForm& form, std::size_t group, const ReadW& read_w, C* out) {
  const std::size_t taps = form.taps();
  const std::size_t channels = form.in_channels;
  for (std::size_t m = 0; m < form.out_channels; ++m) {
    const std::size_t channel = group * form.out_channels + m;
    for (std::size_t c = 0; c < channels; ++c) {
      const std::size_t stored =
          form.transposed ? (group * channels + c) * form.out_channels + m : channel * channels + c;
      for (std::size_t t = 0; t < taps; ++t) {
        out[(m * taps + t) * channels + c] = read_w(stored * taps + t, channel);
      }
    }
  }
}

// For each image and each output channel of each group: sums over taps (outer) and input channels
// (inner), in ascending order. read_x(element of x), read_w(element of w, output channel) give
// numbers of type C; finish(output channel of all groups, first element of the output, sums)
// stores.
template <typename C, typename ReadX, typename ReadW, typename Finish>
Status convolve(RunContext& context, const ConvForm& form, const ReadX& read_x, const ReadW& read_w,
                const Finish& finish) {
  if (form.output.element_count() == 0) return done();
  const std::size_t taps = form.taps();
  const std::size_t channels = form.in_channels;
  const std::size_t inner = taps * channels;
  const std::size_t pixels = form.out_pixels();
  constexpr std::size_t kUnrolled = std::size_t{1} << 18;  // elements at a time
  const std::size_t chunk =
      std::min(pixels, std::max<std::size_t>(kUnrolled / std::max<std::size_t>(inner, 1), 64));
  const auto weights = TRY(Scratch<C>::make(context.memory, form.out_channels * inner));
  const auto unrolled = TRY(Scratch<C>::make(context.memory, chunk * inner));
  const auto sums = TRY(Scratch<C>::make(context.memory, chunk * form.out_channels));
  for (std::size_t group = 0; group < form.groups; ++group) {
    arrange_weights(form, group, read_w, weights.data());
    for (std::size_t image = 0; image < form.batch; ++image) {
      const std::size_t x = (image * form.groups + group) * channels * form.in_pixels();
      for (std::size_t first = 0; first < pixels; first += chunk) {
        const std::size_t count = std::min(chunk, pixels - first);
        context.workers.run(inner, [&](std::size_t k) {
          const std::size_t from = x + k % channels * form.in_pixels();
          unroll_tap(
              form, k / channels, first, count,
              [&](std::size_t pixel) { return read_x(from + pixel); }, unrolled.data() + k * count);
        });
        TRY(multiply_matrices<C>({form.out_channels, count, inner}, {weights.data(), inner, 1},
                                 {unrolled.data(), count, 1}, sums.data(), count, context));
        for (std::size_t m = 0; m < form.out_channels; ++m) {
          const std::size_t channel = group * form.out_channels + m;
          const std::size_t plane = image * form.groups * form.out_channels + channel;
          finish(channel, plane * pixels + first,
                 std::span<const C>(sums.data() + m * count, count));
        }
      }
    }
  }
  return done();
}

}  // namespace sealpack::nn
