// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "formats/base/bytes.h"
#include "keymgmt/crypto/signature.h"

namespace sealpack::unpacker {

// The signatures one role must give: `threshold` distinct keys out of `keys`.
struct SignerRule {
  std::string role;  // "authority", "publisher", "reviewer"
  std::vector<crypto::VerifyingKey> keys;
  std::uint32_t threshold = 1;
};

struct Revocations {
  std::uint64_t serial = 0;
  std::vector<Digest> keys;      // signers
  std::vector<Digest> contents;  // content digests
  std::vector<Digest> releases;  // release digests
};

// Everything a reader believes before it sees a bundle. Comes from the caller, never from the
// bundle; a default Trust accepts nothing.
struct Trust {
  // Digests of the keys that may be the root of the bundle's product.
  std::vector<Digest> authorities;
  // Every rule must be met. One key may not appear in two rules.
  std::vector<SignerRule> signers;
  std::optional<std::string> product;  // refuse any other
  std::uint64_t counter_floor = 0;
  // With counter == counter_floor only this release (SHA-256 of its payload) is accepted.
  std::optional<Digest> floor_release;
  std::optional<Digest> content;  // pin
  Revocations revocations;
};

// The time to judge validity by. No time: a release with validity limits is refused.
struct Clock {
  std::optional<std::uint64_t> unix_seconds;
};

}  // namespace sealpack::unpacker
