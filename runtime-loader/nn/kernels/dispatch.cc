// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/kernels/isa.h"

namespace sealpack::nn::kernels {
namespace {

// __builtin_cpu_supports reads what libgcc found out before main(): also whether the operating
// system saves the wide registers.
const Kernels* find(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx512: {
      const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
      return has ? &avx512_kernels() : nullptr;
    }
    case Isa::kAvx2: {
      // Every processor with AVX2 and FMA has F16C; clang 14 cannot be asked about the last.
      const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
      return has ? &avx2_kernels() : nullptr;
    }
#elif defined(__aarch64__)
    case Isa::kNeon:
      return &neon_kernels();
#endif
    case Isa::kPortable:
      return &portable_kernels();
    default:
      return nullptr;
  }
}

}  // namespace

const Kernels* kernels_for(Isa isa) {
  return find(isa);
}

const Kernels& best_kernels() {
  constexpr Isa kFastestFirst[] = {Isa::kAvx512, Isa::kAvx2, Isa::kNeon};
  for (const Isa isa : kFastestFirst) {
    if (const Kernels* found = find(isa)) return *found;
  }
  return portable_kernels();
}

}  // namespace sealpack::nn::kernels
