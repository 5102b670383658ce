// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "formats/base/result.h"
#include "keymgmt/broker/server/limits.h"

// The folder of a broker and its broker.toml (docs/BROKER.md §2).
namespace sealpack::broker {

// Of one use: as many as a rotation needs that waits for others.
inline constexpr std::size_t kMaxKeysOfUse = 8;

struct BrokerConfig {
  std::filesystem::path folder;
  std::string store = "sqlite:store.db";
  // KEYREFs, the newest first. Paths are relative to the folder.
  std::vector<std::string> recipient_keys = {"broker.key"};
  std::vector<std::string> grant_keys = {"grants.key"};
  std::string log_key = "log.key";
  std::string passphrase_file;  // for all of them; empty: none is encrypted and no token has a PIN
  std::string endorsements;     // a folder; empty: requests bring all there is
  std::string roots;            // a roots.toml; empty: the manufacturers'
  std::string listen = "127.0.0.1:8443";
  std::string admin = "127.0.0.1:8444";
  bool public_log = false;
  std::string certificate = "tls.crt";
  std::string key = "tls.key";
  std::uint32_t threads = 2;
  std::uint32_t network_seconds = 60;
  std::uint32_t file_seconds = 7 * 24 * 3600;
  std::uint32_t minimum_tcb_evaluation = 0;
  ServerLimits limits;

  std::filesystem::path path(const std::string& relative) const { return folder / relative; }
  // Not in a token, a TPM or behind a program.
  static bool is_file(const std::string& key_ref);
  // A KEYREF of this configuration with its path made whole.
  std::string key_ref(const std::string& text) const;
  std::string store_uri() const;
};

// A KEYREF of a command line, so that it means the same wherever a broker is started.
std::string absolute_key_ref(const std::string& text);

// `text` of FOLDER/broker.toml, closed schema. kMalformed, with the line.
Result<BrokerConfig> parse_broker_config(std::string_view text, const std::string& name);
std::string serialize_broker_config(const BrokerConfig& config);
// What parse_broker_config says of it once it is written.
Status check_broker_config(const BrokerConfig& config);

// kRefused where others may enter the folder.
Status check_private_folder(const std::filesystem::path& folder);
Result<BrokerConfig> load_broker_config(const std::filesystem::path& folder);
// Writes nothing that could not be read again.
Status store_broker_config(const BrokerConfig& config, bool replace);

}  // namespace sealpack::broker
