// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "unpacker/core/trust.h"

namespace sealpack::unpacker {

// A trust.toml before its files are read (closed schema, every key optional but [authority]):
//
//   product = "acme/ranker"               refuse any other
//   counter_floor = 17                    refuse releases with a lower counter
//   floor_release = "sha256:HEX"          with that counter, this release alone
//   content = "sha256:HEX"                this content digest alone
//   time = "host"                         judge validity by the host's clock, or "none"
//
//   [authority]                           may be the root of the product
//   keys = ["root.pub"]                   paths relative to this file
//   threshold = 1                         how many of them sign each release
//   sign = true                           whether they sign releases at all
//   [publisher]                           sign on the authority's behalf
//   keys = ["ci.pub", "hsm.pub"]
//   threshold = 1
//   [reviewer]                            countersign
//   keys = ["review.pub"]
//   threshold = 1
//
//   [revocations]
//   file = "revoked.toml"
//   minimum_serial = 4
//
// Without `sign`, the authority signs releases unless [publisher] is there and [authority] states
// no threshold: publishers act for it, reviewers never do.
struct TrustText {
  struct Signers {
    std::string role;
    std::vector<std::string> key_paths;
    std::uint32_t threshold = 1;
    bool sign = true;
  };
  std::vector<Signers> signers;  // authority first
  std::optional<std::string> product;
  std::uint64_t counter_floor = 0;
  std::optional<Digest> floor_release;
  std::optional<Digest> content;
  bool use_host_time = true;
  std::optional<std::string> revocations_path;
  std::uint64_t minimum_serial = 0;
};

// `name` stands for the file in messages. kMalformed with line and column for what the schema does
// not know; kUsage for a threshold out of range and for rules that nobody can meet.
Result<TrustText> parse_trust_text(std::string_view text, const std::string& name);

// A revocation file: serial = N, and lists of "sha256:HEX" named keys (of SPKIs), contents and
// releases. All three may be absent; the serial may not. kMalformed.
Result<Revocations> parse_revocations(std::string_view text, const std::string& name);

struct TrustFile {
  Trust trust;
  bool use_host_time = true;
};

// What --trust names: one .pub file of role authority, whose key then is the sole authority and
// signs releases itself, or one .toml file. kUsage for none or several (a threshold is missing
// then), for a key of another role than the table it is listed in, for a key listed twice or in two
// roles; kRefused for revocations older than minimum_serial.
Result<TrustFile> load_trust(const std::vector<std::filesystem::path>& paths);

// The text of a trust.toml, whose paths are relative to `folder`; `name` stands for it in messages.
Result<TrustFile> load_trust_text(std::string_view text, const std::string& name,
                                  const std::filesystem::path& folder);

}  // namespace sealpack::unpacker
