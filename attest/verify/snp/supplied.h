// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to attest/verify/snp: certificates and revocation lists as they are supplied, read once.
// Nothing about them is proven, and nothing here depends on a report, a time or roots.

#include <array>

#include "attest/verify/read_endorsements.h"
#include "attest/verify/snp/endorsement_key.h"

namespace sealpack::attest::snp {

struct SuppliedCertificate {
  x509::Certificate certificate;
  std::string common_name;  // of the subject
  ByteVector subject_name;
  ByteVector issuer_name;
  std::optional<EndorsementKey> key;  // where the common name is that of a VCEK or VLEK
  std::vector<Reason> key_reasons;    // why there is none although it is
};

struct SuppliedList {
  ByteVector der;
  ByteVector issuer_name;
};

struct Supplied {
  static constexpr std::array kReadFrom{&Endorsements::certificates,
                                        &Endorsements::revocation_lists};
  std::vector<SuppliedCertificate> certificates;
  std::vector<SuppliedList> revocation_lists;
};

// Out of the evidence's table; reasons "snp.certificates".
Supplied read_table(Bytes table, ChainCache* cache, std::vector<Reason>& reasons);

// Out of endorsements, where certificates and lists of other makers lie too, in forms that need not
// concern us.
class SuppliedEndorsements {
 public:
  explicit SuppliedEndorsements(const VerifyInput& input);
  const Supplied& get() const { return *supplied_; }
  // For the next report: call it when this one is accepted.
  void remember() const;

 private:
  const VerifyInput& input_;
  std::shared_ptr<const Supplied> supplied_;
  bool known_ = false;
};

}  // namespace sealpack::attest::snp
