// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to attest/verify/snp: what AMD's extensions say about a VCEK or VLEK ("Versioned Chip
// Endorsement Key (VCEK) Certificate and KDS Interface Specification", 57230).

#include <optional>

#include "attest/verify/snp/product.h"
#include "attest/verify/snp/report.h"
#include "keymgmt/x509/certificate.h"

namespace sealpack::attest::snp {

struct EndorsementKey {
  x509::Certificate certificate;
  Product product;
  Tcb tcb;
  ByteVector hardware_id;  // of a VCEK: 64 bytes, 8 for Turin
  std::string csp_id;      // of a VLEK: the cloud that leases it
};

std::string_view leaf_name(SigningKey kind);                   // "SEV-VCEK"
std::string authority_name(SigningKey kind, Product product);  // "SEV-Milan", "SEV-VLEK-Milan"
std::string root_name(Product product);                        // "ARK-Milan"

// nullopt and reasons: snp.leaf-extension, snp.product, snp.hwid, snp.csp-id.
std::optional<EndorsementKey> parse_endorsement_key(const x509::Certificate& certificate,
                                                    SigningKey kind, std::vector<Reason>& reasons);

}  // namespace sealpack::attest::snp
