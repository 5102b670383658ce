// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"
#include "keymgmt/crypto/signature.h"

// Evidence without a TEE: a statement signed by a key of the installation. It proves who holds that
// key and nothing else, so it is for laboratories and tests. docs/attestation/simulated.md.
namespace sealpack::attest {

inline constexpr std::string_view kSimulatedLabel = "sealpack/v1/simulated-evidence";
inline constexpr std::size_t kMaxSimulatedReportData = 64;

// A statement as it travels: canonical protobuf subset (FORMAT.md §2), 1 version (1), 2 measurement
// (32 bytes), 3 report data (1 to 64 bytes), 4 SPKI of the root, 5 its signature over
// simulated_transcript.
struct SimulatedReport {
  Digest measurement;
  ByteVector report_data;
  ByteVector root_spki;
  ByteVector signature;
  bool operator==(const SimulatedReport&) const = default;
};

// What the root signs: label, measurement, report data and root, length-prefixed.
ByteVector simulated_transcript(const SimulatedReport& report);

ByteVector serialize_simulated_report(const SimulatedReport& report);
// kMalformed; kUnsupported for another version. The signature is not verified.
Result<SimulatedReport> parse_simulated_report(Bytes bytes);

// A serialized Evidence of the TEE "simulated". kUsage for report data of another size; errors of
// the signer.
Result<ByteVector> make_simulated_evidence(const Digest& measurement, Bytes report_data,
                                           const crypto::Signer& root);

}  // namespace sealpack::attest
