// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>

#include "attest/verify/verify.h"

namespace sealpack::attest {

// Whom a private installation believes, as people write it (TOML, closed schema). Each list
// replaces the manufacturer's roots of that TEE; what is not listed stays as vendor_roots() has it.
//
//   amd = ["sha256:9f05…"]            SHA-256 of the root's SPKI, or
//   tpm = ["vendors/ek-roots.pem"]    a file of certificates (PEM, DER) or public keys (these or
//   simulated = ["lab-root.pub"]      JWK), beside this one where the path is relative
//
// Keys: amd, intel, nitro, nvidia, nvidia_rim, tpm, psa, cca, tpm_attestation_keys, simulated.
// And a table for each TPM that was enrolled, by credential activation, as `sealpack broker enrol`
// has it:
//
//   [[tpm_enrolments]]
//   attestation_key = "ak.pub"        or "sha256:…"
//   ak_name = "000b…"                 TPM2B_NAME without its size: of the attestation key
//   ek_name = "000b…"                 and of the endorsement key
struct RootsFile {
  Roots roots;
  // Public keys that the file names by path: verifiers of tokens need the key and not its digest
  // alone.
  std::vector<ByteVector> public_keys;
};

inline constexpr std::size_t kMaxRootsInList = 1024;

// `read` gives the content of a file that is named. kMalformed with the place; kLimit.
Result<RootsFile> parse_roots(
    std::string_view text, const std::string& name,
    const std::function<Result<ByteVector>(const std::filesystem::path&)>& read);
Result<RootsFile> load_roots(const std::filesystem::path& path);

}  // namespace sealpack::attest
