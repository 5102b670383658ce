// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/pcr/qemu_kernel.h"

namespace sealpack::measure {
namespace {

// Fields of the setup header, by their offsets in the file.
constexpr std::size_t kHeaderMagicAt = 0x202;
constexpr std::size_t kVersionAt = 0x206;
constexpr std::size_t kTypeOfLoaderAt = 0x210;
constexpr std::size_t kLoadFlagsAt = 0x211;
constexpr std::size_t kRamdiskImageAt = 0x218;
constexpr std::size_t kRamdiskSizeAt = 0x21c;
constexpr std::size_t kHeapEndAt = 0x224;
constexpr std::size_t kCommandLineAt = 0x228;
constexpr std::size_t kInitrdMaxAt = 0x22c;
constexpr std::size_t kXloadFlagsAt = 0x236;
constexpr std::size_t kHeaderEnd = 0x268;

constexpr std::uint64_t kOldestVersion = 0x206;
constexpr std::uint64_t kXloadFlagsVersion = 0x20c;
constexpr std::uint64_t kLoadedAbove4g = 1U << 1U;
constexpr std::uint8_t kLoadedHigh = 1U << 0U;
constexpr std::uint8_t kCanUseHeap = 1U << 7U;
constexpr std::uint8_t kQemu = 0xb0;
constexpr std::uint64_t kSetupAddress = 0x10000;
constexpr std::uint64_t kCommandLineAddress = 0x20000;
constexpr std::uint64_t kAcpiDataSize = 0x28000;  // kept free below the end of low memory
constexpr std::uint64_t kPageMask = 4095;

std::uint64_t get(Bytes bytes, std::size_t at, unsigned size) {
  std::uint64_t value = 0;
  for (unsigned i = size; i-- > 0;) value = (value << 8U) | bytes[at + i];
  return value;
}

void put(ByteVector& bytes, std::size_t at, std::uint64_t value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) {
    bytes[at + i] = static_cast<std::uint8_t>((value >> (8U * i)) & 0xffU);
  }
}

// Memory below 4 GiB, where QEMU puts the initrd.
std::uint64_t low_memory(LinuxBoot::Machine machine, std::uint64_t memory) {
  const bool q35 = machine == LinuxBoot::Machine::kQ35;
  const std::uint64_t most = q35 ? 0xb0000000 : 0xe0000000;
  const std::uint64_t split = q35 ? 0x80000000 : 0xc0000000;
  return memory >= most ? split : memory;
}

}  // namespace

Result<ByteVector> kernel_as_qemu_loads_it(Bytes kernel, std::uint64_t initrd_size,
                                           std::string_view command_line,
                                           LinuxBoot::Machine machine, std::uint64_t memory) {
  if (kernel.size() < kHeaderEnd ||
      as_text(kernel.subspan(kHeaderMagicAt, 4)) != std::string_view("HdrS")) {
    return Error(ErrorCode::kMalformed, "the kernel is no bzImage of x86");
  }
  const std::uint64_t version = get(kernel, kVersionAt, 2);
  if (version < kOldestVersion || (kernel[kLoadFlagsAt] & kLoadedHigh) == 0) {
    return Error(ErrorCode::kUnsupported,
                 "a kernel of boot protocol " + std::to_string(version >> 8U) + "." +
                     std::to_string(version & 0xffU) + ", or loaded low; 2.6 and high are needed");
  }
  if (command_line.find("vga=") != std::string_view::npos) {
    return Error(ErrorCode::kUnsupported,
                 "a video mode on the command line, which QEMU writes into "
                 "the kernel");
  }
  ByteVector out = to_vector(kernel);
  out[kTypeOfLoaderAt] = kQemu;
  out[kLoadFlagsAt] |= kCanUseHeap;
  put(out, kHeapEndAt, kCommandLineAddress - kSetupAddress - 0x200, 2);
  put(out, kCommandLineAt, kCommandLineAddress, 4);
  if (initrd_size == 0) return out;
  const std::uint64_t low = low_memory(machine, memory);
  const bool anywhere =
      version >= kXloadFlagsVersion && (get(kernel, kXloadFlagsAt, 2) & kLoadedAbove4g) != 0;
  std::uint64_t highest = anywhere ? 0xffffffff : get(kernel, kInitrdMaxAt, 4);
  if (low < kAcpiDataSize) return Error(ErrorCode::kUsage, "a machine of too little memory");
  if (highest >= low - kAcpiDataSize) highest = low - kAcpiDataSize - 1;
  if (initrd_size >= highest) {
    return Error(ErrorCode::kUsage, "an initrd of " + format_size(initrd_size) +
                                        " does not fit into the memory of the machine");
  }
  put(out, kRamdiskImageAt, (highest - initrd_size) & ~kPageMask, 4);
  put(out, kRamdiskSizeAt, initrd_size, 4);
  return out;
}

}  // namespace sealpack::measure
