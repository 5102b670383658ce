// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/event_claims.h"

#include <algorithm>
#include <set>

#include "formats/base/byte_reader.h"

namespace sealpack::attest {
namespace {

using crypto::HashAlgorithm;

// Where what boots is measured: EFI applications; commands and files of GRUB, command line and
// initrd of the Linux stub; parts, command line and extensions of unified kernel images; keys of
// shim.
constexpr std::uint8_t kEventPcrs[] = {4, 8, 9, 11, 12, 13, 14};
constexpr std::size_t kMaxEventClaims = 512;  // a PCR

// EFI_GLOBAL_VARIABLE, {8be4df61-93ca-11d2-aa0d-00e098032b8c}.
constexpr std::uint8_t kGlobalVariable[16] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
                                              0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
constexpr std::string_view kSecureBoot("S\0e\0c\0u\0r\0e\0B\0o\0o\0t\0", 20);

// UEFI_VARIABLE_DATA; nullopt for another variable or none.
Result<std::optional<Bytes>> secure_boot_variable(Bytes data) {
  ByteReader in(data, "UEFI_VARIABLE_DATA");
  const Bytes vendor = TRY(in.bytes(sizeof kGlobalVariable, "VariableName"));
  const std::uint64_t name_count = TRY(in.u64("UnicodeNameLength"));
  const std::uint64_t size = TRY(in.u64("VariableDataLength"));
  if (!std::equal(vendor.begin(), vendor.end(), std::begin(kGlobalVariable)) ||
      name_count != kSecureBoot.size() / 2) {
    return std::optional<Bytes>();
  }
  const Bytes name = TRY(in.bytes(kSecureBoot.size(), "UnicodeName"));
  const Bytes value = TRY(in.bytes(size, "VariableData"));
  TRY(in.finish());
  if (as_text(name) != kSecureBoot) return std::optional<Bytes>();
  return std::optional<Bytes>(value);
}

bool was_quoted(const std::vector<PcrValue>& values, std::uint8_t pcr) {
  return std::any_of(values.begin(), values.end(), [&](const PcrValue& value) {
    return value.bank == HashAlgorithm::kSha256 && value.index == pcr;
  });
}

// None where there are more than are claimed: a policy that asks for them then refuses.
std::set<ByteVector> measured_digests(const EventLog& log, std::uint8_t pcr) {
  std::set<ByteVector> digests;
  for (const LoggedEvent& event : log.events) {
    if (event.index != pcr || event.type == kEvNoAction) continue;
    const auto digest = event.digest(HashAlgorithm::kSha256);
    if (!digest || is_specified_constant(HashAlgorithm::kSha256, *digest)) continue;
    digests.insert(to_vector(*digest));
    if (digests.size() > kMaxEventClaims) return {};
  }
  return digests;
}

}  // namespace

std::optional<bool> measured_secure_boot(const EventLog& log, HashAlgorithm hash,
                                         std::uint32_t index) {
  std::optional<bool> stated;
  for (const LoggedEvent& event : log.events) {
    if (event.index != index || event.type == kEvNoAction) continue;
    const auto digest = event.digest(hash);
    if (!digest) return std::nullopt;
    if (is_separator(hash, *digest)) return stated;
    const ByteVector of_data = crypto::hash(hash, event.data);
    if (!std::equal(of_data.begin(), of_data.end(), digest->begin(), digest->end())) continue;
    const auto value = secure_boot_variable(event.data);
    if (!value.ok() || !*value) continue;
    const Bytes bytes = **value;
    if (bytes.size() > 1 || (bytes.size() == 1 && bytes[0] > 1)) return std::nullopt;
    const bool on = bytes.size() == 1 && bytes[0] == 1;
    if (stated && *stated != on) return std::nullopt;
    stated = on;
  }
  return std::nullopt;  // never closed: whatever runs could have added it
}

void add_event_claims(const EventLog& log, const std::vector<PcrValue>& values, Claims& claims) {
  for (const std::uint8_t pcr : kEventPcrs) {
    if (!was_quoted(values, pcr)) continue;
    const std::string name = "pcr" + std::to_string(pcr) + "_event";
    for (const ByteVector& digest : measured_digests(log, pcr)) claims.add_bytes(name, digest);
  }
}

}  // namespace sealpack::attest
