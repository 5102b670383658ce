// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/snp/launch_digest.h"

#include <algorithm>

#include "attest/measure/snp/processor_state.h"
#include "keymgmt/crypto/hash.h"

namespace sealpack::attest::snp {
namespace {

using crypto::HashAlgorithm;

// PAGE_TYPE of SNP_LAUNCH_UPDATE.
enum class PageType : std::uint8_t {
  kNormal = 1,
  kProcessorState = 2,
  kZero = 3,
  kSecrets = 5,
  kCpuid = 6
};

void append(ByteVector& out, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) out.push_back(static_cast<std::uint8_t>(value >> 8U * i));
}
void append(ByteVector& out, Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// The digest as pages come into the guest (SEV-SNP Firmware ABI Specification, SNP_LAUNCH_UPDATE,
// PAGE_INFO): each is hashed with the digest before it, its kind and its address.
class Digester {
 public:
  void add_normal(std::uint64_t address, Bytes pages) {
    for (std::size_t at = 0; at < pages.size(); at += kPageSize) {
      add(PageType::kNormal, address + at, pages.subspan(at, kPageSize));
    }
  }
  // Pages whose content is not part of the digest.
  void add_without_content(PageType type, std::uint64_t address, std::uint64_t size) {
    for (std::uint64_t at = 0; at < size; at += kPageSize) {
      extend(type, address + at, LaunchDigest{});
    }
  }
  void add_processor(const Page& state) {
    // Where the processor's own table of pages has them: all bits of an address set.
    constexpr std::uint64_t kAddress = 0xFFFFFFFFF000;
    add(PageType::kProcessorState, kAddress, state);
  }
  const LaunchDigest& digest() const { return digest_; }

 private:
  void add(PageType type, std::uint64_t address, Bytes page) {
    extend(type, address, crypto::hash(HashAlgorithm::kSha384, page));
  }
  void extend(PageType type, std::uint64_t address, Bytes content) {
    constexpr std::uint16_t kInfoSize = 0x70;
    ByteVector info;
    info.reserve(kInfoSize);
    append(info, digest_);
    append(info, content);
    append(info, kInfoSize, 2);
    append(info, static_cast<std::uint8_t>(type), 1);
    append(info, 0, 1);  // not of a migration agent
    append(info, 0, 4);  // permissions of VMPL 3, 2 and 1: none; reserved
    append(info, address, 8);
    const ByteVector next = crypto::hash(HashAlgorithm::kSha384, info);
    std::copy(next.begin(), next.end(), digest_.begin());
  }

  LaunchDigest digest_{};
};

// QEMU's table of hashes (target/i386/sev.c), which OVMF compares with what it is given to boot:
// entries for command line, initrd and kernel, GUIDs in EFI's byte order.
ByteVector kernel_hashes_table(const DirectBoot& boot) {
  constexpr std::array<std::uint8_t, 16> kTable{0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c,
                                                0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21};
  constexpr std::array<std::uint8_t, 16> kCommandLine{0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd,
                                                      0x94, 0x4c, 0xaa, 0x78, 0xe7, 0x71,
                                                      0x4d, 0x36, 0xab, 0x2a};
  constexpr std::array<std::uint8_t, 16> kInitrd{0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b,
                                                 0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d};
  constexpr std::array<std::uint8_t, 16> kKernel{0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42,
                                                 0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b};
  constexpr std::uint16_t kEntrySize = 16 + 2 + 32;
  ByteVector table;
  append(table, kTable);
  append(table, 16 + 2 + 3 * kEntrySize, 2);
  const auto add_entry = [&](Bytes guid, Bytes content) {
    append(table, guid);
    append(table, kEntrySize, 2);
    append(table, crypto::hash(HashAlgorithm::kSha256, content));
  };
  ByteVector command_line = to_vector(as_bytes(boot.command_line));
  command_line.push_back(0);
  add_entry(kCommandLine, command_line);
  add_entry(kInitrd, boot.initrd);
  add_entry(kKernel, boot.kernel);
  return table;
}

Status add_kernel_hashes(Digester& digester, const Section& section, const FirmwareImage& image,
                         const std::optional<DirectBoot>& boot) {
  if (!boot) {
    digester.add_without_content(PageType::kZero, section.address, section.size);
    return done();
  }
  const ByteVector table = kernel_hashes_table(*boot);
  const std::uint64_t offset = std::uint64_t{image.kernel_hashes} - section.address;
  if (image.kernel_hashes < section.address || offset + table.size() > kPageSize) {
    return Error(ErrorCode::kMalformed, "firmware image: its kernel hashes are outside their page");
  }
  Page page{};
  std::copy(table.begin(), table.end(), page.begin() + static_cast<std::ptrdiff_t>(offset));
  digester.add_normal(section.address, page);
  return done();
}

Status add_section(Digester& digester, const Section& section, const FirmwareImage& image,
                   const std::optional<DirectBoot>& boot) {
  switch (section.type) {
    case SectionType::kMemory:
    case SectionType::kCallingArea:
      digester.add_without_content(PageType::kZero, section.address, section.size);
      return done();
    case SectionType::kSecrets:
      digester.add_without_content(PageType::kSecrets, section.address, section.size);
      return done();
    case SectionType::kCpuid:
      digester.add_without_content(PageType::kCpuid, section.address, section.size);
      return done();
    case SectionType::kKernelHashes:
      return add_kernel_hashes(digester, section, image, boot);
  }
  die("unknown section type");
}

Status check(const Launch& launch, const FirmwareImage& image) {
  if (launch.processors == 0 || launch.processors > kMaxProcessors) {
    return Error(ErrorCode::kUsage,
                 std::to_string(launch.processors) + " processors, 1 to 4096 can be measured");
  }
  if ((launch.features & 1U) == 0) {
    return Error(ErrorCode::kUsage, "features without bit 0: a guest without SEV-SNP");
  }
  const bool checks_kernel =
      image.kernel_hashes != 0 &&
      std::any_of(image.sections.begin(), image.sections.end(), [](const Section& section) {
        return section.type == SectionType::kKernelHashes;
      });
  if (launch.direct_boot && !checks_kernel) {
    return Error(ErrorCode::kUnsupported,
                 "firmware image: it does not check the kernel it is given, so that the kernel "
                 "would not be measured")
        .with_hint("build OvmfPkg/AmdSev/AmdSevX64.dsc");
  }
  return done();
}

}  // namespace

Result<LaunchDigest> launch_digest(const Launch& launch) {
  constexpr std::uint32_t kResetVector = 0xFFFFFFF0;
  const FirmwareImage image = TRY(parse_firmware_image(launch.firmware));
  TRY(check(launch, image));
  Digester digester;
  digester.add_normal(image.address, launch.firmware);
  for (const Section& section : image.sections) {
    TRY(add_section(digester, section, image, launch.direct_boot));
  }
  digester.add_processor(
      processor_state(kResetVector, launch.processor_signature, launch.features));
  const Page secondary =
      processor_state(image.secondary_start, launch.processor_signature, launch.features);
  for (std::uint32_t i = 1; i < launch.processors; ++i) digester.add_processor(secondary);
  return digester.digest();
}

}  // namespace sealpack::attest::snp
