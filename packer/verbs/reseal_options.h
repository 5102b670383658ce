// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "packer/core/reseal.h"
#include "unpacker/verbs/opening.h"

namespace sealpack::packer {

// The command line of `reseal`. Empty means not said.
struct ResealOptions {
  std::string bundle;
  bool in_place = false;
  std::string out;
  bool force = false;
  std::vector<std::string> signers;
  unpacker::TrustOptions trust;
  unpacker::KeyOptions keys;
  // The release.
  std::string policy;
  std::string not_before;
  std::string not_after;
  std::string version;
  std::string counter;
  std::string licence;
  std::string escrow;
  std::string escrow_reason;
  // The recipients.
  std::vector<std::string> add_to;
  std::vector<std::string> drop_to;
  bool rekey = false;
  unsigned threads = 0;

  bool changes_release() const;
  bool changes_slots() const { return !add_to.empty() || !drop_to.empty() || !escrow.empty(); }
};

void add_reseal_options(CLI::App& verb, ResealOptions& options);

// What cannot be combined. kUsage.
Status check_combination(const ResealOptions& options);

// Reads the files that the options name; the escrow is left to the caller, who has its key.
Result<ReleaseChange> load_change(const ResealOptions& options);

}  // namespace sealpack::packer
