// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/chain_cache.h"
#include "attest/verify/verify.h"
#include "tests/attest/authority/mint.h"

namespace sealpack::testing {

using attest::ChainCache;
using attest::Endorsements;
using attest::Evidence;
using attest::Roots;
using attest::Verdict;
using attest::VerifyInput;

// AMD's keys and a processor, for tests: a chain and a report that are accepted, every field of
// which a test may change before they are signed.
class SnpLab {
 public:
  enum class Kind { kVcek, kVlek };
  static constexpr std::uint64_t kNow = 1800000000;

  explicit SnpLab(const std::string& product, Kind kind = Kind::kVcek, std::uint32_t version = 3);

  // The unsigned report.
  void set_u8(std::size_t offset, std::uint8_t value) { report.at(offset) = value; }
  void set_u32(std::size_t offset, std::uint32_t value);
  void set_u64(std::size_t offset, std::uint64_t value);
  void set_bytes(std::size_t offset, Bytes value);
  // All four TCBs, 8 bytes; the leaf's extensions stay as they are.
  void set_all_tcbs(Bytes tcb);
  MintExtension& extension(std::string_view oid);
  void remove_extension(std::string_view oid);

  ByteVector signed_report() const;  // 1184 bytes
  ByteVector ark_der() const;
  ByteVector authority_der() const;
  ByteVector leaf_der() const;
  Verdict run();
  Verdict run(Bytes signed_report);

  ByteVector report = ByteVector(0x2A0);
  MintCertificate ark;
  MintCertificate authority;  // ASK or ASVK
  MintCertificate leaf;
  MintKey ark_key;
  MintKey authority_key;
  MintKey leaf_key;
  MintKey signing_key;  // makes the report's signature
  bool pss = false;     // of RSA keys

  Roots roots;
  Endorsements more;                // beside the three certificates
  bool with_chain = true;           // whether those three are supplied
  std::optional<ByteVector> table;  // the evidence's certificates
  std::optional<ByteVector> expected;
  std::uint64_t now = kNow;
  ChainCache* cache = nullptr;
};

// Keys made once a process: P-384 unless asked otherwise.
const MintKey& lab_key(std::size_t which);

// A table as hosts give it: GUIDs as text, in the order of the text.
ByteVector certificate_table(const std::vector<std::pair<std::string, ByteVector>>& entries);
inline constexpr const char* kVcekGuid = "63da758de6644564adc5f4b93be8accd";
inline constexpr const char* kVlekGuid = "a8074bc2a25a483eaae639c045a0b8a1";
inline constexpr const char* kAskGuid = "4ab7b379bbac4fe4a02f05aef327c782";
inline constexpr const char* kArkGuid = "c0b406a4a803495297433fb6014cd0ae";
inline constexpr const char* kListGuid = "92f81bc358114d3d97ffd19f88dc67ea";

}  // namespace sealpack::testing
