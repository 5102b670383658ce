// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "attest/evidence/evidence.h"
#include "attest/verify/tpm/event_log.h"
#include "attest/verify/tpm/tpm_algorithms.h"
#include "attest/verify/tpm/tpm_public.h"
#include "tests/attest/authority/mint.h"

// A TPM that signs whatever a test likes: what a genuine one would, until the test edits one field.
namespace sealpack::testing {

// Big-endian fields, as TPMs write them.
class TpmWriter {
 public:
  TpmWriter& u8(std::uint64_t value) { return integer(value, 1); }
  TpmWriter& u16(std::uint64_t value) { return integer(value, 2); }
  TpmWriter& u32(std::uint64_t value) { return integer(value, 4); }
  TpmWriter& u64(std::uint64_t value) { return integer(value, 8); }
  TpmWriter& raw(Bytes bytes);
  TpmWriter& sized(Bytes bytes) { return u16(bytes.size()).raw(bytes); }
  ByteVector take() { return std::move(out_); }

 private:
  TpmWriter& integer(std::uint64_t value, unsigned size);
  ByteVector out_;
};

// TPMS_ATTEST of a quote.
struct QuoteFields {
  std::uint32_t magic = 0xff544347;
  std::uint16_t type = 0x8018;
  ByteVector qualified_signer = ByteVector(34, 0x0b);
  ByteVector extra_data = {1, 2, 3, 4};
  std::uint64_t clock = 123456;
  std::uint32_t reset_count = 7;
  std::uint32_t restart_count = 3;
  std::uint8_t safe = 1;
  std::uint64_t firmware_version = 0x2020031200120003;
  // Bank and bitmap, least PCRs first, as they are written.
  struct Selection {
    std::uint16_t bank = 0x000b;
    ByteVector bitmap;
  };
  std::vector<Selection> selections;
  ByteVector pcr_digest;
};
ByteVector write_quote(const QuoteFields& fields);

inline constexpr std::uint32_t kGoodAttributes = tpm::kFixedTpm | tpm::kFixedParent |
                                                 tpm::kSensitiveDataOrigin | tpm::kUserWithAuth |
                                                 tpm::kRestricted | tpm::kSign;

class MintedTpm {
 public:
  explicit MintedTpm(MintKeyType type = MintKeyType::kP256, bool pss = false);
  // With a key on a curve one of whose coordinates begins with a zero: the first or the second.
  static MintedTpm with_leading_zero(MintKeyType type, std::size_t coordinate);

  const MintKey& key() const { return key_; }
  Digest key_digest() const { return key_.digest(); }
  std::uint32_t attributes = kGoodAttributes;
  crypto::HashAlgorithm hash = crypto::HashAlgorithm::kSha256;
  // As TPMs before revision 1.38 of the specification write coordinates.
  bool omits_leading_zeros = false;

  ByteVector area() const;  // TPMT_PUBLIC
  ByteVector name() const;
  ByteVector sign(Bytes message) const;  // TPMT_SIGNATURE

  // What a genuine TPM that holds these values would state.
  QuoteFields fields_for(const std::vector<attest::PcrValue>& values) const;
  // All items of "tpm" evidence, the log among them if there is one.
  attest::Evidence evidence(const QuoteFields& fields, const std::vector<attest::PcrValue>& values,
                            Bytes log = {}) const;

 private:
  MintKey key_;
  bool pss_;
};

// A crypto-agile log. Values as if a TPM had been extended by it.
class MintedLog {
 public:
  explicit MintedLog(std::vector<crypto::HashAlgorithm> banks = {crypto::HashAlgorithm::kSha256},
                     attest::EventLogKind kind = attest::EventLogKind::kTpm);

  // Measures `measured`, and says `data` about it.
  MintedLog& add(std::uint32_t index, std::uint32_t type, Bytes data, Bytes measured);
  MintedLog& add(std::uint32_t index, std::uint32_t type, Bytes data) {
    return add(index, type, data, data);
  }
  MintedLog& add(std::uint32_t index, std::uint32_t type, std::string_view data) {
    return add(index, type, as_bytes(data), as_bytes(data));
  }
  MintedLog& separator(std::uint32_t index);
  // Firmware that measures a version, SecureBoot and separators in PCR 0 to 7, and boots.
  MintedLog& boot(bool secure_boot);

  const ByteVector& bytes() const { return bytes_; }
  std::vector<attest::PcrValue> values(crypto::HashAlgorithm bank,
                                       const std::vector<std::uint8_t>& pcrs) const;

 private:
  std::vector<crypto::HashAlgorithm> banks_;
  ByteVector bytes_;
  std::vector<std::map<std::uint32_t, ByteVector>> registers_;
};

// UEFI_VARIABLE_DATA of SecureBoot.
ByteVector secure_boot_variable(std::uint8_t value);

// The item of evidence, to be edited.
ByteVector& item(attest::Evidence& evidence, std::string_view kind);

// A file of the published vectors, nullopt where they are absent.
std::optional<ByteVector> load_vector(const std::string& name);
#define LOAD_OR_SKIP(bytes, name)                          \
  const auto bytes = sealpack::testing::load_vector(name); \
  if (!bytes) GTEST_SKIP() << "no published vector " << (name)

}  // namespace sealpack::testing
