// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "formats/base/bytes.h"

// The MEASUREMENT that AMD's firmware makes of a guest that QEMU starts with KVM, computed from the
// files that it is started with.
namespace sealpack::attest::snp {

using LaunchDigest = std::array<std::uint8_t, 48>;

// QEMU's -kernel, -initrd and -append with kernel-hashes=on.
struct DirectBoot {
  Bytes kernel;
  Bytes initrd;              // empty: none
  std::string command_line;  // without the NUL that QEMU adds
};

struct Launch {
  Bytes firmware;  // -bios: the whole image
  std::optional<DirectBoot> direct_boot;
  std::uint32_t processors = 1;  // -smp, all of them
  // CPUID Fn0000_0001_EAX of -cpu: processor_signature().
  std::uint32_t processor_signature = 0;
  // SEV_FEATURES of the processors: bit 0 is SNP itself. Kernels of hosts that turn on others
  // (debug swap, bit 5) change the digest.
  std::uint64_t features = 1;
};

inline constexpr std::uint32_t kMaxProcessors = 4096;

// kMalformed, kUnsupported: firmware_image.h, and for a direct boot with firmware that does not
// check it; kUsage for no processor, more than kMaxProcessors, or features without SNP.
Result<LaunchDigest> launch_digest(const Launch& launch);

// The signature of one of QEMU's processor models, of any version ("EPYC-Milan-v2"); kUsage for
// others.
Result<std::uint32_t> processor_signature(std::string_view model);
// From family, model and stepping as CPUID combines them.
std::uint32_t processor_signature(std::uint32_t family, std::uint32_t model,
                                  std::uint32_t stepping);
std::vector<std::string_view> processor_models();

}  // namespace sealpack::attest::snp
