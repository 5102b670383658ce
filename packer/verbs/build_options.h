// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "formats/base/result.h"

namespace sealpack::packer {

// The command line of `build`, completed from sealpack.toml. Empty means not said.
struct BuildOptions {
  std::string model;
  std::string out;
  std::vector<std::string> signers;
  std::string authority;  // .pub; the only signer when empty
  std::vector<std::string> to;
  std::vector<std::string> to_file;
  std::vector<std::string> to_passphrase;  // files
  std::string escrow;
  std::string escrow_reason;
  std::vector<std::string> open;  // --public
  std::vector<std::string> seal;
  std::vector<std::string> exclude;
  std::string redact = "";
  std::string plan;   // file of `sealpack plan`
  std::string split;  // folder of a model that was divided elsewhere
  std::string policy;
  std::string product;
  std::string version;
  std::string counter;
  std::string not_before;
  std::string not_after;
  std::string licence;
  std::string parent;
  std::string passphrase_file;
  std::string config;  // path of sealpack.toml
  unsigned threads = 0;
  bool opaque = false;
  bool keep_metadata = false;
  bool accept_oracle = false;
  bool force = false;
  bool dry_run = false;
  bool json = false;
};

// Fills what the command line left open from `path` (closed schema, docs/USAGE.md); paths in the
// file are relative to its folder. kMalformed naming line and column; kIo.
//
// A file that was found, not named, may lie in a folder somebody else filled: it cannot name
// programs or libraries to run (kRefused).
enum class ConfigSource { kNamed, kFound };
Status read_config(const std::filesystem::path& path, BuildOptions& options, ConfigSource source);

}  // namespace sealpack::packer
