// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/dcap/pck_certificate.h"
#include "formats/base/reason.h"
#include "keymgmt/crypto/device_signature.h"

namespace sealpack::attest::dcap {

// The key that signed a quote, and the platform whose QE made it: the PCK certificate's key signed
// a report of the QE that names the key. A fact that no time changes; whether the certificate is
// Intel's, and what that QE is worth, are not.
struct CertifiedKey {
  crypto::DeviceKey key;
  std::vector<x509::Certificate> certificates;  // as in the quote: that of the PCK first
  PckExtension pck;
};

// From the quote alone. nullopt with reasons.
std::optional<CertifiedKey> verify_certification(const Quote& quote, std::vector<Reason>& reasons);

}  // namespace sealpack::attest::dcap
