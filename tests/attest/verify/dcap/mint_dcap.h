// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <ostream>

#include "attest/verify/dcap/pck_certificate.h"
#include "attest/verify/verify.h"
#include "tests/attest/authority/mint.h"

// Platforms of Intel that no one made: certificates, lists, documents and quotes under a root of
// the test's own. Everything is public to be edited before quote() and endorsements(); as made, it
// is accepted and up to date.
namespace sealpack::testing {

// Times at which everything is valid, and when.
inline constexpr std::uint64_t kDcapNow = 1750000000;  // 2025-06-15 15:06:40 UTC

// Replaces the one occurrence of `from`; dies where there is none or more.
std::string edited(std::string text, const std::string& from, const std::string& to);

struct MintDcap {
  enum class Kind { kSgx3, kSgx4, kSgx5, kTdx4, kTdx5OfTdx10, kTdx5, kTdx5Extended };
  friend void PrintTo(Kind kind, std::ostream* out) {
    constexpr std::array kNames{"SGX v3", "SGX v4",         "SGX v5", "TDX v4", "TDX v5 of TDX 1.0",
                                "TDX v5", "TDX v5 extended"};
    *out << kNames.at(static_cast<std::size_t>(kind));
  }
  explicit MintDcap(Kind kind);

  // Certificates: the PCK by the Platform CA by the root; TCB Signing by the root.
  MintCertificate root, platform_ca, pck, signing;
  attest::dcap::PckExtension extension;
  std::optional<ByteVector> extension_value;  // instead
  MintList root_list, platform_list;

  // Inner values; signed as they are.
  std::string tcb_info, identity;

  // The quote.
  std::uint16_t version = 0;
  std::uint16_t key_type = 2;
  std::uint32_t tee_type = 0;
  std::uint16_t body_type = 0;  // of version 5
  attest::dcap::Array<16> vendor;
  ByteVector body;
  ByteVector qe_report;                  // but for its report data
  std::optional<ByteVector> qe_binding;  // 64 bytes, instead of what names the attestation key
  ByteVector qe_authentication = ByteVector(32, 0x5a);
  std::uint16_t outer_certification_type = 6;
  std::uint16_t certification_type = 5;
  std::optional<ByteVector> certification_data;  // instead of the chain
  bool chain_with_authority = true;
  ByteVector padding;

  bool tdx() const { return tee_type == 0x81; }
  std::string tee() const { return tdx() ? "tdx" : "sgx"; }
  ByteVector quote() const;
  attest::Endorsements endorsements() const;
  attest::Roots roots() const;

  // Parts, for other combinations. The root is made once: it looks the same wherever it is.
  ByteVector root_der() const, platform_ca_der() const, pck_der() const, signing_der() const;
  ByteVector pck_chain() const;  // PEM
  static ByteVector sign_document(const std::string& name, const std::string& inner);

 private:
  mutable ByteVector root_der_;
};

ByteVector encode_pck_extension(const attest::dcap::PckExtension& extension);

// Private keys of every MintDcap.
struct MintDcapKeys {
  MintKey root, platform_ca, pck, signing, attestation;
};
const MintDcapKeys& mint_dcap_keys();

}  // namespace sealpack::testing
