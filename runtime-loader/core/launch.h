// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/crypto/signature.h"
#include "runtime-loader/core/answer.h"
#include "unpacker/core/trust.h"

namespace sealpack::loader {

inline constexpr std::uint64_t kMaxLaunchSize = 1U << 20U;
inline constexpr std::size_t kMaxOwners = 16;
inline constexpr std::size_t kMaxBundles = 16;

// Somebody whose bundles a session takes: a model vendor, a data owner.
struct Owner {
  std::string name;  // "vendor"; 1 to 64 bytes of a-z, 0-9, '-'
  unpacker::Trust trust;
  // The broker whose grants are believed. Without it only a backend whose keys the host holds takes
  // grants, and they are unsigned.
  std::optional<crypto::VerifyingKey> broker;
  // Bundles of this owner are opened only against a counter floor that the host cannot turn back:
  // that of a backend's counter store, or one in a grant.
  bool counter_required = false;
};

// What a TEE is launched with. Its digest is part of the TEE's measurement, so whoever sees the
// measurement knows whom the TEE trusts (docs/LOADER-FORMATS.md §1).
struct LaunchConfig {
  std::vector<Owner> owners;  // ascending by name
  Narrowing answer;
  // Bytes of secure memory for models; 0: as much as the backend has.
  std::uint64_t memory_limit = 0;
  // Answers leave sealed to this key (sealed_output.h), never in the clear.
  std::optional<crypto::EncryptionKey> answer_key;
};

ByteVector serialize_launch(const LaunchConfig& config);
// Strict and canonical. kMalformed, kLimit, kUnsupported; kUsage never: what Trust means is judged
// when a bundle is verified.
Result<LaunchConfig> parse_launch(Bytes bytes);

Digest launch_digest(Bytes serialized);

// What a simulated TEE says it is: nobody vouches for it. `program` digests the program's bytes,
// `policy` what confines it (system call list, memory cap).
Digest simulated_measurement(const Digest& program, const Digest& launch, const Digest& policy);

}  // namespace sealpack::loader
