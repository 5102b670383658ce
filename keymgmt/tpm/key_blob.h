// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "keymgmt/tpm/endorsement.h"
#include "keymgmt/tpm/policy_digest.h"

namespace sealpack::tpm {

inline constexpr std::size_t kMaxKeyBlobSize = 8192;

// A key that only one TPM can use, as it lies in a file beside it: the content of a PEM block
// "SEALPACK TPM KEY" (docs/PROVISIONING.md).
struct KeyBlob {
  EndorsementKind kind{};
  Name device;  // of the endorsement key under which it is wrapped
  std::string role;
  PublicArea object;
  ByteVector private_part;
  // Of a key that a vendor provisioned; without it the key was made in the TPM and is used freely.
  // Nothing here is believed as it is: all but the role is in the key's policy, which the TPM
  // compares.
  struct Binding {
    ByteVector grantor;  // SPKI of the key that approves boot policies
    Digest authority;
    std::string product;
    std::uint32_t policy_index = 0;
    std::uint32_t floor_index = 0;
    std::uint64_t epoch = 0;        // value of the policy counter, its lowest byte zero
    std::uint32_t minimum = 0;      // lowest number of a boot policy that may serve
    ByteVector recipient;           // SPKI; sealed data do not show whose key they are
    std::uint32_t cap_pcr = 15;     // extended when the key was used
    std::uint64_t floor_value = 0;  // of the floor counter, which never is below
    bool operator==(const Binding&) const = default;
  };
  std::optional<Binding> binding;
  bool operator==(const KeyBlob&) const = default;

  // SPKI of the key.
  Result<ByteVector> spki() const;
};

ByteVector serialize_key_blob(const KeyBlob& blob);
Result<KeyBlob> parse_key_blob(Bytes bytes);  // kMalformed, kUnsupported, kLimit

}  // namespace sealpack::tpm
