// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

// A program that links counted_heap.cc counts the bytes that operator new gives out.
namespace sealpack::nn::testing {

std::size_t start_counting_heap();  // bytes held now
std::size_t most_heap_held();       // bytes at the most since then

}  // namespace sealpack::nn::testing
