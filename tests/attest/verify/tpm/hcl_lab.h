// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/attest/verify/tpm/minted_tpm.h"

namespace sealpack::testing {

// Azure's firmware and its virtual TPM, for tests: an HCL report and a quote that fit each other,
// every field of which a test may change. Whoever holds the processor's keys makes the hardware
// report.
class HclLab {
 public:
  explicit HclLab(std::uint32_t report_type);

  // JSON of the variable data, to be edited before the hardware report is made.
  std::string json;
  std::uint32_t version = 2;
  std::uint32_t data_version = 1;
  std::uint32_t report_type;
  std::uint32_t hash_type = 1;
  std::optional<std::uint32_t> data_size;
  ByteVector behind = ByteVector(100);

  // SHA-256 of the variable data and zeros, 64 bytes.
  ByteVector binding() const;
  ByteVector report(Bytes hardware) const;

  MintedTpm tpm;
  MintedLog log;
  std::vector<attest::PcrValue> values;
  QuoteFields fields;

  // Evidence with the items of a quote, the log among them, and this hardware report.
  attest::Evidence evidence(const std::string& tee, Bytes hardware) const;
};

std::string base64url(Bytes bytes);
void replace_once(std::string& text, const std::string& from, const std::string& to);

}  // namespace sealpack::testing
