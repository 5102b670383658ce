// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// Domain separation, as formats/bundle/labels.h. docs/LOADER-FORMATS.md §6 has the same table.
namespace sealpack::loader {

inline constexpr std::string_view kLaunchLabel = "sealpack/v1/launch";
inline constexpr std::string_view kSimulatedMeasurementLabel = "sealpack/v1/simulated-measurement";
inline constexpr std::string_view kGrantLabel = "sealpack/grant/v1";
inline constexpr std::string_view kGrantFactsLabel = "sealpack/v1/grant-facts";
inline constexpr std::string_view kEndorseKeyLabel = "sealpack/v1/endorse-key";
inline constexpr std::string_view kOutputKeyLabel = "sealpack/v1/output-key";
inline constexpr std::string_view kOutputSegmentLabel = "sealpack/v1/output-segment";
inline constexpr std::string_view kSpillLabel = "sealpack/v1/spill";
inline constexpr std::string_view kGrantType = "application/vnd.sealpack.key-grant.v1";
inline constexpr std::string_view kReceiptType = "application/vnd.sealpack.receipt.v1";
inline constexpr std::string_view kOutputType = "application/vnd.sealpack.sealed-output.v1";

// The one HPKE suite of grants: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
inline constexpr std::string_view kGrantSuite = "hpke-0020-0001-0002";

}  // namespace sealpack::loader
