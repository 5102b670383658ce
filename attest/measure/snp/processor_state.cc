// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/snp/processor_state.h"

namespace sealpack::attest::snp {
namespace {

void put(Page& page, std::size_t offset, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    page[offset + i] = static_cast<std::uint8_t>(value >> 8U * i);
  }
}

struct Segment {
  std::size_t offset;
  std::uint16_t selector;
  std::uint16_t attributes;
  std::uint64_t base;
};

void put_segment(Page& page, const Segment& segment) {
  constexpr std::uint64_t kLimit = 0xFFFF;
  put(page, segment.offset, segment.selector, 2);
  put(page, segment.offset + 2, segment.attributes, 2);
  put(page, segment.offset + 4, kLimit, 4);
  put(page, segment.offset + 8, segment.base, 8);
}

}  // namespace

Page processor_state(std::uint32_t start, std::uint32_t signature, std::uint64_t features) {
  constexpr std::uint16_t kData = 0x93;  // present, writable, accessed
  constexpr std::uint16_t kCode = 0x9B;
  constexpr std::uint16_t kLocalTable = 0x82;
  constexpr std::uint16_t kTask = 0x8B;
  const Segment segments[] = {
      {0x000, 0, kData, 0},                         // ES
      {0x010, 0xF000, kCode, start & 0xFFFF0000U},  // CS
      {0x020, 0, kData, 0},                         // SS
      {0x030, 0, kData, 0},                         // DS
      {0x040, 0, kData, 0},                         // FS
      {0x050, 0, kData, 0},                         // GS
      {0x060, 0, 0, 0},                             // GDTR
      {0x070, 0, kLocalTable, 0},                   // LDTR
      {0x080, 0, 0, 0},                             // IDTR
      {0x090, 0, kTask, 0},                         // TR
  };
  Page page{};
  for (const Segment& segment : segments) put_segment(page, segment);
  put(page, 0x0D0, 0x1000, 8);           // EFER: SVME, by KVM
  put(page, 0x148, 0x40, 8);             // CR4: MCE, by KVM
  put(page, 0x158, 0x10, 8);             // CR0: ET
  put(page, 0x160, 0x400, 8);            // DR7
  put(page, 0x168, 0xFFFF0FF0, 8);       // DR6
  put(page, 0x170, 0x2, 8);              // RFLAGS
  put(page, 0x178, start & 0xFFFFU, 8);  // RIP
  put(page, 0x268, 0x7040600070406, 8);  // G_PAT
  put(page, 0x310, signature, 8);        // RDX
  put(page, 0x3B0, features, 8);         // SEV_FEATURES
  put(page, 0x3E8, 0x1, 8);              // XCR0: x87
  put(page, 0x408, 0x1F80, 4);           // MXCSR
  put(page, 0x410, 0x37F, 2);            // x87 FCW
  return page;
}

}  // namespace sealpack::attest::snp
