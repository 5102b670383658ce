// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/runtime-loader/nn/kernels/buffers.h"

namespace sealpack::nn::kernels {
namespace {

TEST(Choice, EveryMachineHasThePortableKernels) {
  EXPECT_EQ(kernels_for(Isa::kPortable), &portable_kernels());
  EXPECT_EQ(portable_kernels().isa, Isa::kPortable);
}

TEST(Choice, TheBestIsTheWidestThatThereIs) {
  EXPECT_EQ(&best_kernels(), testing::all_kernels().back());
#ifdef __aarch64__
  EXPECT_EQ(best_kernels().isa, Isa::kNeon);
#endif
}

TEST(Choice, OneProcessorHasNotBothKinds) {
  EXPECT_FALSE(kernels_for(Isa::kNeon) != nullptr && kernels_for(Isa::kAvx2) != nullptr);
}

TEST(Choice, TablesAreComplete) {
  for (const Kernels* kernels : testing::all_kernels()) {
    EXPECT_GT(kernels->panel, 0U);
    EXPECT_GT(kernels->row_block, 0U);
    // Every member after these is a pointer to a function.
    const auto* first = reinterpret_cast<void* const*>(&kernels->pack_columns);
    const auto* end = reinterpret_cast<void* const*>(kernels + 1);
    for (const auto* entry = first; entry != end; ++entry)
      EXPECT_NE(*entry, nullptr) << kernels->name << ' ' << entry - first;
  }
}

}  // namespace
}  // namespace sealpack::nn::kernels
