// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/snp/supplied.h"

#include "attest/verify/chain_cache.h"
#include "attest/verify/snp/certificate_table.h"
#include "keymgmt/x509/revocation_list.h"

namespace sealpack::attest::snp {
namespace {

using x509::Certificate;

struct Memory : ChainCache::Memory {
  ReadEndorsements<Supplied> endorsements;
};

// DER, or PEM where a host was given that.
Result<Certificate> parse_entry(Bytes bytes, ChainCache* cache) {
  if (!as_text(bytes).starts_with("-----BEGIN")) return parse_certificate(bytes, cache);
  auto blocks = TRY(Certificate::parse_pem(bytes));
  if (blocks.size() != 1) return Error(ErrorCode::kMalformed, "several certificates in one entry");
  return std::move(blocks.front());
}

void add(const Certificate& certificate, Supplied& out) {
  SuppliedCertificate supplied{certificate,
                               certificate.subject_common_name(),
                               certificate.subject_name(),
                               certificate.issuer_name(),
                               {},
                               {}};
  for (const SigningKey kind : {SigningKey::kVcek, SigningKey::kVlek}) {
    if (supplied.common_name != leaf_name(kind)) continue;
    supplied.key = parse_endorsement_key(certificate, kind, supplied.key_reasons);
  }
  out.certificates.push_back(std::move(supplied));
}

void add_list(Bytes der, Supplied& out) {
  auto issuer = x509::RevocationList::issuer_of(der);
  if (issuer) out.revocation_lists.push_back({to_vector(der), std::move(*issuer)});
}

Supplied read(const Endorsements& endorsements, ChainCache* cache) {
  Supplied supplied;
  for (const ByteVector& der : endorsements.certificates) {
    const auto certificate = parse_certificate(der, cache);
    if (certificate.ok()) add(*certificate, supplied);
  }
  for (const ByteVector& der : endorsements.revocation_lists) add_list(der, supplied);
  return supplied;
}

}  // namespace

Supplied read_table(Bytes bytes, ChainCache* cache, std::vector<Reason>& reasons) {
  Supplied supplied;
  const auto table = parse_certificate_table(bytes);
  if (!table.ok()) {
    reasons.push_back({"snp.certificates", table.error().message()});
    return supplied;
  }
  for (const ByteVector& entry : table->certificates) {
    const auto certificate = parse_entry(entry, cache);
    if (certificate.ok()) {
      add(*certificate, supplied);
    } else {
      reasons.push_back({"snp.certificates", certificate.error().message()});
    }
  }
  for (const ByteVector& der : table->revocation_lists) add_list(der, supplied);
  return supplied;
}

SuppliedEndorsements::SuppliedEndorsements(const VerifyInput& input) : input_(input) {
  if (input.cache != nullptr) supplied_ = input.cache->memory<Memory>().endorsements.find(input);
  known_ = supplied_ != nullptr;
  if (!known_) supplied_ = std::make_shared<const Supplied>(read(input.endorsements, input.cache));
}

void SuppliedEndorsements::remember() const {
  if (known_ || input_.cache == nullptr) return;
  input_.cache->memory<Memory>().endorsements.remember(input_, supplied_);
}

}  // namespace sealpack::attest::snp
