// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "formats/base/bytes.h"

// Commands of TPM 2.0 as they cross the wire, for what sealpack itself never does to a TPM: what
// its owner, its maker or an attacker do.
namespace sealpack::testing {

inline constexpr std::uint32_t kTpmOwner = 0x40000001;
inline constexpr std::uint32_t kTpmLockout = 0x4000000a;
inline constexpr std::uint32_t kTpmEndorsement = 0x4000000b;

class TpmBytes {
 public:
  TpmBytes& u8(std::uint64_t value) { return number(value, 1); }
  TpmBytes& u16(std::uint64_t value) { return number(value, 2); }
  TpmBytes& u32(std::uint64_t value) { return number(value, 4); }
  TpmBytes& raw(Bytes bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  TpmBytes& sized(Bytes bytes) { return u16(bytes.size()).raw(bytes); }
  ByteVector take() { return std::move(out_); }

 private:
  TpmBytes& number(std::uint64_t value, unsigned size) {
    for (unsigned i = size; i-- > 0;) out_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    return *this;
  }
  ByteVector out_;
};

// With one password for each handle of the first `authorized`.
inline ByteVector tpm_command(std::uint32_t code, const std::vector<std::uint32_t>& handles,
                              const std::vector<std::string_view>& passwords, Bytes parameters) {
  TpmBytes body;
  for (const std::uint32_t handle : handles) body.u32(handle);
  if (!passwords.empty()) {
    TpmBytes area;
    for (const std::string_view password : passwords) {
      area.u32(0x40000009).u16(0).u8(1).sized(as_bytes(password));
    }
    const ByteVector bytes = area.take();
    body.u32(bytes.size()).raw(bytes);
  }
  const ByteVector rest = body.raw(parameters).take();
  return TpmBytes()
      .u16(passwords.empty() ? 0x8001 : 0x8002)
      .u32(10 + rest.size())
      .u32(code)
      .raw(rest)
      .take();
}

inline std::uint32_t tpm_code(Bytes response) {
  if (response.size() < 10) return 0xffffffff;
  return std::uint32_t{response[6]} << 24U | std::uint32_t{response[7]} << 16U |
         std::uint32_t{response[8]} << 8U | response[9];
}

inline ByteVector tpm_change_auth(std::uint32_t hierarchy, std::string_view password) {
  return tpm_command(0x129, {hierarchy}, {""}, TpmBytes().sized(as_bytes(password)).take());
}

inline ByteVector tpm_clear() {
  return tpm_command(0x126, {kTpmLockout}, {""}, {});
}

// By the owner; `attributes` is TPMA_NV.
inline ByteVector tpm_nv_define(std::uint32_t index, std::uint32_t attributes, std::size_t size,
                                std::string_view password = "", std::string_view owner = "") {
  const ByteVector area = TpmBytes().u32(index).u16(0x000b).u32(attributes).u16(0).u16(size).take();
  return tpm_command(0x12a, {kTpmOwner}, {owner},
                     TpmBytes().sized(as_bytes(password)).sized(area).take());
}
inline ByteVector tpm_nv_write(std::uint32_t index, Bytes content, std::size_t offset = 0) {
  return tpm_command(0x137, {kTpmOwner, index}, {""}, TpmBytes().sized(content).u16(offset).take());
}
inline constexpr std::uint32_t kNvOwnerWrites =
    0x02060002;  // AUTHREAD, OWNERREAD, NO_DA, OWNERWRITE

}  // namespace sealpack::testing
