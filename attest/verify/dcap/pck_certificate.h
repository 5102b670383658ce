// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/dcap/quote.h"
#include "keymgmt/x509/certificate.h"

namespace sealpack::attest::dcap {

// What Intel's PCK certificate says about a platform: extension 1.2.840.113741.1.13.1 ("Intel SGX
// PCK Certificate and Certificate Revocation List Profile Specification").
struct PckExtension {
  static constexpr const char* kOid = "1.2.840.113741.1.13.1";

  Array<16> ppid{};
  Array<16> component_svns{};
  std::uint16_t pce_svn = 0;
  Array<2> pce_id{};
  Array<6> fmspc{};
  // Only of certificates by the Platform CA.
  std::optional<Array<16>> platform_instance_id;
  std::optional<bool> smt_enabled;
  bool operator==(const PckExtension&) const = default;
};

// The value of the extension. Each field at most once, none that the specification does not have.
// kMalformed.
Result<PckExtension> parse_pck_extension(Bytes der);

}  // namespace sealpack::attest::dcap
