// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/targets.h"

#include "formats/base/bytes.h"
#include "runtime-loader/tee/process/own_memory.h"

namespace sealpack::plan {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

// Buffers for blocks and messages.
constexpr std::uint64_t kOwn = 3 * kMiB / 2;
// What the process backend keeps, whatever it takes: its least cap of a model is the same number.
constexpr std::uint64_t kProcessOwn = tee::own_memory(1, 0);
constexpr std::uint64_t kProcessOwnOfLarge = tee::own_memory(1, tee::kLargeModel) - kProcessOwn;

constexpr Target kTargets[] = {
    {"process", 0, "a process takes what --tee-memory gives it", 0, "shared memory of any size", 0,
     "measured: one byte to another process and back", kProcessOwn, kProcessOwnOfLarge},
    {"op-tee", 15 * kMiB, "OP-TEE plat-rpi3: CFG_TZDRAM_SIZE 0x00F00000, for all applications",
     4 * kMiB, "OP-TEE plat-rpi3: CFG_SHMEM_SIZE 0x00400000", 50e-6,
     "assumed, not measured; see the benchmark framework of OP-TEE, or give --switch-cost", kOwn},
    {"sgx", 93 * kMiB, "SGX1 with 128 MiB of PRM: about 93 MiB are left for enclaves' pages", 0,
     "the enclave reads the host's memory", 5e-6,
     "Weisse et al., HotCalls, ISCA 2017: 8,000 to 17,000 cycles a call", kOwn},
    {"cvm", 0, "the memory of the VM", 0, "memory shared with the host", 30e-6,
     "assumed, not measured: a message over vsock; or give --switch-cost", kOwn},
};

}  // namespace

std::span<const Target> all_targets() {
  return kTargets;
}

Result<const Target*> find_target(std::string_view name) {
  std::string names;
  for (const Target& target : kTargets) {
    if (target.name == name) return &target;
    names += (names.empty() ? "" : ", ") + std::string(target.name);
  }
  return Error(ErrorCode::kUsage, "no target " + printable(name) + "; there are " + names);
}

}  // namespace sealpack::plan
