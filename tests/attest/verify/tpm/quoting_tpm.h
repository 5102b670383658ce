// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "attest/verify/verify.h"
#include "tests/attest/verify/tpm/minted_tpm.h"

namespace sealpack::testing {

inline constexpr std::uint64_t kQuoteTime = 1800000000;

inline ByteVector text_of(std::string_view text) {
  return to_vector(as_bytes(text));
}

// A TPM that was enrolled and quotes PCR 0, 4, 7 and 9 after a measured boot.
class QuotingTpm : public ::testing::Test {
 protected:
  QuotingTpm() {
    log.boot(true);
    values = log.values(crypto::HashAlgorithm::kSha256, {0, 4, 7, 9});
    fields = tpm.fields_for(values);
    enrol(tpm);
  }

  void enrol(const MintedTpm& one) {
    roots.tpm_enrolments = {{one.key_digest(), one.name(), ek_name}};
  }
  attest::Verdict verify_fields() const {
    return verify(tpm.evidence(fields, values, log.bytes()));
  }
  attest::Verdict verify(const attest::Evidence& evidence) const {
    return attest::verify({evidence, endorsements, roots, kQuoteTime, expected});
  }
  static ByteVector claim(const attest::Verdict& verdict, std::string_view name) {
    const attest::Claim* found = verdict.claims ? verdict.claims->find(name) : nullptr;
    return found == nullptr ? text_of("(no claim)") : found->value;
  }

  MintedTpm tpm;
  MintedLog log;
  std::vector<attest::PcrValue> values;
  QuoteFields fields;
  ByteVector ek_name = ByteVector(34, 0xee);
  ByteVector nonce = fields.extra_data;
  attest::Endorsements endorsements;
  attest::Roots roots;
  std::optional<ByteVector> expected = nonce;
};

}  // namespace sealpack::testing
