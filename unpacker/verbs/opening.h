// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/verb.h"
#include "unpacker/core/bundle.h"
#include "unpacker/verbs/content_key.h"

// What verbs that open a bundle share: options, and the way from a path to a verified or open
// bundle.
namespace sealpack::unpacker {

struct TrustOptions {
  std::vector<std::string> paths;  // --trust
  std::string at;                  // --at; empty = now
  bool given() const { return !paths.empty(); }
};
enum class TrustNeed { kOptional, kRequired };
void add_trust_options(CLI::App& verb, TrustOptions& options, TrustNeed need);

struct LoadedTrust {
  Trust trust;
  Clock clock;
  std::string time_source;  // "host clock", "--at", "none (the trust file says so)"
};
Result<LoadedTrust> load_trust_options(const TrustOptions& options);

// --key, --passphrase-file, --grant
void add_key_options(CLI::App& verb, KeyOptions& options, bool required);

// The file's path goes before every message.
Result<UnverifiedBundle> open_unverified(const std::string& path);
Result<VerifiedBundle> open_verified(const std::string& path, const LoadedTrust& trust);
Result<OpenBundle> open_with_keys(VerifiedBundle bundle, const KeyOptions& keys);
// The content key of a bundle that nobody vouches for: the claimed policy is respected all the
// same. For work on a bundle that the caller owns, never for using what is in it.
Result<crypto::ContentKey> content_key_without_proof(const ClaimedBundle& claimed,
                                                     const std::vector<bundle::Slot>& slots,
                                                     const KeyOptions& keys);

// A positional argument: the path of a bundle.
void add_bundle_argument(CLI::App& verb, std::string& path);
// --threads; 0 = one a core.
void add_threads_option(CLI::App& verb, unsigned& threads);
unsigned thread_count(unsigned threads);

}  // namespace sealpack::unpacker
