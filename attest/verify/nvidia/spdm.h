// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::attest {

inline constexpr std::size_t kSpdmNonceSize = 32;
inline constexpr std::size_t kSpdmSignatureSize = 96;  // ES384, r || s

// GET_MEASUREMENTS of SPDM 1.1 (DSP0274 section 10.11) that asks for all measurements and a
// signature; the nonce is the verifier's. kMalformed; kUnsupported for a newer version of SPDM.
Result<std::array<std::uint8_t, kSpdmNonceSize>> parse_spdm_request(Bytes bytes);

struct SpdmMeasurement {
  std::uint8_t index = 0;  // from 1
  std::uint8_t type = 0;   // DMTFSpecMeasurementValueType
  Bytes value;
};

// A field of NVIDIA's opaque data.
struct OpaqueField {
  std::uint16_t id = 0;
  Bytes value;
};

// MEASUREMENTS of SPDM 1.1 with NVIDIA's opaque data. Views into the input.
struct SpdmReport {
  Bytes signed_part;                          // everything before the signature
  Bytes record;                               // all measurement blocks
  std::vector<SpdmMeasurement> measurements;  // ascending by index
  std::uint64_t opaque_version = 0;           // 0: none is stated
  std::vector<OpaqueField> opaque;            // no id twice
  Bytes signature;

  std::optional<Bytes> find(std::uint16_t id) const;
};

// kMalformed; kUnsupported for newer versions of SPDM or of NVIDIA's data. The message ends where
// its lengths say; one zero byte after it is tolerated, because drivers (580.95 on Hopper) hand it
// out with one. Nothing else may follow.
Result<SpdmReport> parse_spdm_report(Bytes bytes);

}  // namespace sealpack::attest
