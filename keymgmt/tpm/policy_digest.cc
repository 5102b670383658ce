// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/tpm/policy_digest.h"

#include "keymgmt/crypto/sha256.h"
#include "keymgmt/tpm/wire.h"

namespace sealpack::tpm {
namespace {

// TPM_CC
constexpr std::uint32_t kPolicyNv = 0x149;
constexpr std::uint32_t kPolicyAuthorize = 0x16a;
constexpr std::uint32_t kPolicyCommandCode = 0x16c;
constexpr std::uint32_t kPolicyPcr = 0x17f;

}  // namespace

Digest digest_of(const std::vector<PcrValue>& values) {
  crypto::Sha256 hash;
  for (const PcrValue& pcr : values) hash.update(pcr.value.bytes);
  return hash.finish();
}

ByteVector serialize_selection(PcrMask mask) {
  return WireWriter()
      .u32(1)
      .u16(kAlgSha256)
      .u8(3)
      .u8(static_cast<std::uint8_t>(mask))
      .u8(static_cast<std::uint8_t>(mask >> 8U))
      .u8(static_cast<std::uint8_t>(mask >> 16U))
      .take();
}

void PolicyDigest::extend(std::uint32_t code, Bytes arguments) {
  value_ = crypto::sha256(WireWriter().raw(value_.bytes).u32(code).raw(arguments).take());
}

PolicyDigest& PolicyDigest::pcr(PcrMask mask, const Digest& digest) {
  extend(kPolicyPcr, WireWriter().raw(serialize_selection(mask)).raw(digest.bytes).take());
  return *this;
}

PolicyDigest& PolicyDigest::nv(const Name& index, Bytes operand, std::uint16_t offset,
                               Compare compare) {
  const Digest arguments = crypto::sha256(
      WireWriter().raw(operand).u16(offset).u16(static_cast<std::uint16_t>(compare)).take());
  extend(kPolicyNv, WireWriter().raw(arguments.bytes).raw(index).take());
  return *this;
}

PolicyDigest& PolicyDigest::authorize(const Name& key, Bytes reference) {
  value_ = {};
  extend(kPolicyAuthorize, key);
  value_ = crypto::sha256(WireWriter().raw(value_.bytes).raw(reference).take());
  return *this;
}

PolicyDigest& PolicyDigest::command(Command command) {
  extend(kPolicyCommandCode, WireWriter().u32(static_cast<std::uint32_t>(command)).take());
  return *this;
}

}  // namespace sealpack::tpm
