// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/gpu_items.h"

namespace sealpack::attest {
namespace {

constexpr std::string_view kPrefix = "gpu";
constexpr std::string_view kParts[] = {"request", "report", "certificates"};

}  // namespace

std::string gpu_kind(std::size_t number, std::string_view part) {
  std::string kind(kPrefix);
  if (number > 1) kind += std::to_string(number);
  return kind.append("-").append(part);
}

bool is_gpu_kind(std::string_view kind) {
  return kind.starts_with(kPrefix);
}

std::size_t count_gpus(const Evidence& evidence) {
  for (std::size_t number = kMaxGpus; number > 0; --number) {
    for (const std::string_view part : kParts) {
      if (evidence.find(gpu_kind(number, part)) != nullptr) return number;
    }
  }
  return 0;
}

}  // namespace sealpack::attest
