// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "formats/base/bytes.h"

namespace sealpack::policy {

// How the value of a claim is written in a rule and held in ClaimRule::accepted.
enum class ClaimKind {
  kBytes,   // hex in text; the bytes themselves
  kBits,    // as kBytes, a mask of bits. Rules may state which bits are set and which may be
  kFlag,    // true or false; one byte, 1 or 0
  kNumber,  // a whole number below 2^63; 8 bytes, big-endian. Rules may state a minimum instead
  kText,    // a string; its UTF-8 bytes
  // As above, but evidence may make the claim several times: each occurrence must be accepted.
  kBytesSet,
  kTextSet,
};

// One claim that the evidence of a TEE makes. The verifier (attest/verify) states its value in this
// form; docs/POLICY.md says where in the evidence it lies.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): rows read better than they pack
struct ClaimName {
  std::string_view name;
  ClaimKind kind = ClaimKind::kBytes;
  // A policy for the TEE must have a rule for it, be it one that ignores it for a stated reason.
  bool mandatory = false;
  // Sizes in bytes that a value may have; empty for what is no bytes.
  std::span<const std::size_t> sizes = {};
  // Closed list of values of a text; empty where any may be accepted.
  std::span<const std::string_view> texts = {};
  // The value of all zeros marks a debug environment and is never accepted.
  bool zero_is_debug = false;
  // Evidence that makes the claim is refused where no rule is there for it: what it says is bad
  // news. A flag is made only where it holds, and takes no rule but one that ignores it.
  bool bad_news = false;
  // A rule that ignores it accepts nothing, unless another accepts values of the claim `or_stated`,
  // where there is one.
  bool never_ignored = false;
  // Of a set: a rule for it refuses evidence that does not state the claim at all.
  bool never_empty = false;
  std::string_view or_stated = {};

  // A policy must have a rule for it that may accept `value` (a text) of the claim `claim`.
  struct Where {
    std::string_view claim;
    std::string_view value;
  };
  Where mandatory_where = {};
  // A rule that ignores it accepts nothing beside one that accepts values of this claim, which say
  // nothing without it.
  std::string_view not_ignored_with = {};
  // Of the GPU beside a TEE: a policy must have a rule for it that has one for any claim of the
  // GPU, and so must one that is to accept evidence with a GPU.
  bool mandatory_with_gpu = false;

  bool is_set() const { return kind == ClaimKind::kBytesSet || kind == ClaimKind::kTextSet; }
  bool is_bytes() const {
    return kind == ClaimKind::kBytes || kind == ClaimKind::kBits || kind == ClaimKind::kBytesSet;
  }
  bool is_text() const { return kind == ClaimKind::kText || kind == ClaimKind::kTextSet; }
};

// How the names of claims about the GPU beside a TEE begin.
inline constexpr std::string_view kGpuPrefix = "gpu_";

struct TeeClaims {
  std::string_view tee;
  std::span<const ClaimName> claims;  // ascending by name
};

// All TEEs that a policy may name, ascending.
std::span<const TeeClaims> all_tee_claims();
// nullptr for other names.
const TeeClaims* find_tee(std::string_view tee);
const ClaimName* find_claim(const TeeClaims& tee, std::string_view claim);

}  // namespace sealpack::policy
