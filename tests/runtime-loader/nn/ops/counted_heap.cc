// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime-loader/nn/ops/counted_heap.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace sealpack::nn::testing {
namespace {

std::atomic<std::size_t> held = 0;
std::atomic<std::size_t> most_held = 0;

void* take(std::size_t size) {
  void* block = std::malloc(size);
  if (block == nullptr) std::abort();
  const std::size_t now = held += malloc_usable_size(block);
  if (now > most_held) most_held = now;
  return block;
}

void give_back(void* block) {
  held -= malloc_usable_size(block);
  std::free(block);
}

}  // namespace

std::size_t start_counting_heap() {
  most_held = held.load();
  return held;
}

std::size_t most_heap_held() {
  return most_held;
}

}  // namespace sealpack::nn::testing

void* operator new(std::size_t size) {
  return sealpack::nn::testing::take(size);
}
void operator delete(void* block) noexcept {
  sealpack::nn::testing::give_back(block);
}
void operator delete(void* block, std::size_t /*size*/) noexcept {
  sealpack::nn::testing::give_back(block);
}
