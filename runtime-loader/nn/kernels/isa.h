// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/kernels/kernels.h"

// The tables of this build; dispatch.cc asks the processor before it hands one out.
namespace sealpack::nn::kernels {

#if defined(__x86_64__)
const Kernels& avx512_kernels();
const Kernels& avx2_kernels();
#elif defined(__aarch64__)
const Kernels& neon_kernels();
#endif

}  // namespace sealpack::nn::kernels
