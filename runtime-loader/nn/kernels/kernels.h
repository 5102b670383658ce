// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// The arithmetic, in one table of functions an instruction set. Plain pointers and counts: no
// allocation, no threads, no state. Image tensors are NHWC: one row of W*C floats after the other.
//
// One rule holds for every kernel that sums products: an output is one chain of fused multiply-adds
// over its inner dimension in ascending order, starting from 0 or from what is already in the
// output
// (`accumulate`). Cutting work into tiles along any dimension therefore changes no bit, and all
// sets with fused multiply-add agree with each other. Winograd is cut at its own 4x4 tiles only.
namespace sealpack::nn::kernels {

enum class Isa { kPortable, kNeon, kAvx2, kAvx512 };

// What happens to an output when its sum is complete: bias, then the residual, then the activation.
enum class Activation : std::uint8_t {
  kNone,
  kRelu,
  kClip,
  kSigmoid,
  kTanh,
  kGelu,
  kSilu,
  kHardSwish,
  kLeakyRelu
};
struct Epilogue {
  const float* bias = nullptr;      // one a column (output channel)
  const float* residual = nullptr;  // same layout and stride as the output
  Activation activation = Activation::kNone;
  float low = 0, high = 0;  // of kClip; `low` is the slope of kLeakyRelu
};

// How weights lie where they come from; they are packed into panels of `panel` output columns:
// packed[column / panel][k][column % panel], the last panel filled with zeros.
enum class WeightType : std::uint8_t { kF32, kF16, kI8, kU8 };
struct WeightFormat {
  WeightType type = WeightType::kF32;
  // For 8 bits: value = (stored - zero_point[c]) * scale[c]; one each a column, or one for all.
  const float* scale = nullptr;
  const std::uint8_t* zero_point = nullptr;
  bool per_column = false;
};

struct GemmShape {
  std::size_t rows = 0;     // M
  std::size_t columns = 0;  // N
  std::size_t inner = 0;    // K
};

// A convolution of one image and one group.
struct ConvShape {
  std::size_t in_height = 0, in_width = 0;
  std::size_t in_channels = 0;  // of this group
  std::size_t in_stride = 0;    // floats from pixel to pixel: channels of all groups
  std::size_t out_height = 0, out_width = 0;
  std::size_t out_channels = 0;  // of this group
  std::size_t out_stride = 0;
  std::size_t kernel_height = 1, kernel_width = 1;
  std::size_t stride_y = 1, stride_x = 1;
  std::size_t dilation_y = 1, dilation_x = 1;
  std::size_t pad_top = 0, pad_left = 0;  // bottom and right follow from out_*
};

// Output rows [first, last) of an image. `in` points at input row `in_first_row`; all rows that
// these outputs need and that exist are there.
struct RowRange {
  std::size_t first = 0, last = 0;
  std::size_t in_first_row = 0;
};

struct Kernels {
  Isa isa;
  const char* name;       // "avx512"
  std::size_t panel;      // columns of a packed panel
  std::size_t row_block;  // rows of the micro-kernel

  // Packs columns [0, columns) x inner indexes [0, inner) of weights stored as [column][inner]
  // (ONNX Conv, Gemm with transB): row stride `stride` elements. For Conv, inner indexes are
  // channel, y, x where stored and y, x, channel where packed; `taps` = kernel_height*kernel_width,
  // 1 otherwise.
  void (*pack_columns)(const void* stored, const WeightFormat& format, std::size_t stride,
                       std::size_t columns, std::size_t inner, std::size_t taps, float* packed);
  // The same from weights stored as [inner][column] (MatMul).
  void (*pack_rows)(const void* stored, const WeightFormat& format, std::size_t stride,
                    std::size_t columns, std::size_t inner, float* packed);

  // out[rows][columns] (stride out_stride) = in[rows][inner] * packed. With accumulate, adds to
  // what is there; `finish` null: leaves the bare sums, for more along `inner` to come.
  void (*gemm)(const GemmShape& shape, const float* in, std::size_t in_stride, const float* packed,
               float* out, std::size_t out_stride, bool accumulate, const Epilogue* finish);

  // A convolution as an implicit gemm. `packed` holds columns of this tile only; out points at
  // output row rows.first, first column of the tile. scratch: conv_scratch bytes.
  std::size_t (*conv_scratch)(const ConvShape& shape);
  void (*conv)(const ConvShape& shape, const RowRange& rows, const float* in, const float* packed,
               std::size_t columns, float* out, const Epilogue& finish, void* scratch);

  // 3x3, stride 1, dilation 1 by Winograd F(4x4, 3x3) (Lavin & Gray, arXiv 1509.09308). rows.first
  // is a multiple of 4. `transformed` comes from winograd_pack, winograd_size floats for `columns`.
  std::size_t (*winograd_size)(std::size_t in_channels, std::size_t columns);
  void (*winograd_pack)(const void* stored, const WeightFormat& format, std::size_t columns,
                        std::size_t in_channels, float* transformed);
  std::size_t (*winograd_scratch)(const ConvShape& shape);
  void (*winograd)(const ConvShape& shape, const RowRange& rows, const float* in,
                   const float* transformed, std::size_t columns, float* out,
                   const Epilogue& finish, void* scratch);

  // in_channels == 1 group each; weights packed as [y][x][channel].
  void (*depthwise)(const ConvShape& shape, std::size_t channels, const RowRange& rows,
                    const float* in, const float* weights, float* out, const Epilogue& finish);

  // in_channels channels, each by itself. A window with a NaN may give any of its values. With
  // count_padding the divisor is the size of the kernel, else the number of taps inside the image.
  void (*max_pool)(const ConvShape& shape, const RowRange& rows, const float* in, float* out);
  void (*average_pool)(const ConvShape& shape, const RowRange& rows, const float* in, float* out,
                       bool count_padding);
  // Adds rows of one image to sums[channels]; the caller divides.
  void (*sum_rows)(const float* in, std::size_t pixels, std::size_t channels, float* sums);

  // Elementwise over `count` floats; in == out is allowed. Errors are at most 2 ulp for exp, erf
  // and tanh, 4 for sigmoid and SiLU, and 2e-7 |x| for GELU and hard swish, which cancel. NaN gives
  // NaN.
  void (*activate)(Activation activation, float low, float high, const float* in, float* out,
                   std::size_t count);
  void (*exp)(const float* in, float* out, std::size_t count);
  void (*erf)(const float* in, float* out, std::size_t count);
  void (*add)(const float* a, const float* b, float* out, std::size_t count);
  void (*subtract)(const float* a, const float* b, float* out, std::size_t count);
  void (*multiply)(const float* a, const float* b, float* out, std::size_t count);
  void (*divide)(const float* a, const float* b, float* out, std::size_t count);
  // out = in * scale[c] + shift[c] over rows of `channels`.
  void (*scale_shift)(const float* in, std::size_t rows, std::size_t channels, const float* scale,
                      const float* shift, float* out);

  // Over rows of `width`: softmax; (x - mean) / sqrt(variance + epsilon) * scale + bias.
  void (*softmax)(const float* in, std::size_t rows, std::size_t width, float* out);
  void (*layer_norm)(const float* in, std::size_t rows, std::size_t width, const float* scale,
                     const float* bias, float epsilon, float* out);

  // [batch][rows][columns] -> [batch][columns][rows], elements of 4 bytes.
  void (*transpose)(const void* in, std::size_t rows, std::size_t columns, void* out);
  // Stored weights to float, `count` elements that share one scale.
  void (*widen)(const void* in, const WeightFormat& format, std::size_t count, float* out);
};

// Runs on every machine: std::fma where the hardware has it, else a product and a sum.
const Kernels& portable_kernels();
// nullptr where this machine (or this build) lacks them.
const Kernels* kernels_for(Isa isa);
// The fastest this machine has. No environment variable changes it.
const Kernels& best_kernels();

}  // namespace sealpack::nn::kernels
