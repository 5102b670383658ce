// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/verbs/broker_config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "formats/files/file_source.h"
#include "formats/toml/toml_table.h"
#include "keymgmt/broker/server/server.h"
#include "keymgmt/keystore/private_file.h"
#include "keymgmt/keystore/tpm_key.h"

namespace sealpack::broker {
namespace {

constexpr const char* kFileName = "broker.toml";
constexpr std::uint32_t kLongestNetwork = 120;          // seconds
constexpr std::uint32_t kLongestFile = 90 * 24 * 3600;  // seconds

// A number of the table, where it is there, within bounds.
template <typename Number>
Status take(TomlTable& table, std::string_view key, Number& out, std::uint64_t low,
            std::uint64_t high) {
  const auto value = TRY(table.number(key));
  if (!value) return done();
  if (*value < low || *value > high) {
    return table.error_at(
        ErrorCode::kMalformed, key,
        std::string(key) + " is from " + std::to_string(low) + " to " + std::to_string(high));
  }
  out = static_cast<Number>(*value);
  return done();
}
Status take(TomlTable& table, std::string_view key, std::string& out) {
  auto value = TRY(table.text(key));
  if (value) out = *std::move(value);
  return done();
}
Status take_keys(TomlTable& table, std::string_view key, std::vector<std::string>& out) {
  auto value = TRY(table.text_list(key));
  if (!value) return done();
  if (value->empty() || value->size() > kMaxKeysOfUse) {
    return table.error_at(
        ErrorCode::kMalformed, key,
        std::string(key) + " lists 1 to " + std::to_string(kMaxKeysOfUse) + " keys");
  }
  out = *std::move(value);
  return done();
}
Status take_seconds(TomlTable& table, std::string_view key, std::chrono::milliseconds& out) {
  std::uint64_t seconds = static_cast<std::uint64_t>(out.count()) / 1000;
  TRY(take(table, key, seconds, 1, 3600));
  out = std::chrono::seconds(seconds);
  return done();
}

Status take_address(TomlTable& table, std::string_view key, std::string& out) {
  TRY(take(table, key, out));
  const Status right = check_listen_address(out, std::string(key));
  if (right.ok()) return done();
  return table.error_at(ErrorCode::kMalformed, key, right.error().message());
}

Status parse_limits(TomlTable table, ServerLimits& limits) {
  constexpr std::uint64_t kMany = 1U << 20U;
  constexpr std::uint64_t kTebi = std::uint64_t{1} << 40U;
  TRY(take(table, "connections", limits.connections, 1, kMany));
  TRY(take(table, "connections_per_address", limits.connections_per_address, 1, kMany));
  TRY(take(table, "handshakes_per_second", limits.handshakes_per_second, 1, kMany));
  TRY(take(table, "handshake_burst", limits.handshake_burst, 1, kMany));
  TRY(take(table, "requests_per_second", limits.requests_per_second, 1, kMany));
  TRY(take(table, "request_burst", limits.request_burst, 1, kMany));
  TRY(take(table, "in_flight", limits.in_flight, 1, kMany));
  TRY(take(table, "in_flight_per_address", limits.in_flight_per_address, 1, kMany));
  TRY(take(table, "body_memory", limits.body_memory, 8 * kMaxHeadSize, kTebi));
  TRY(take_seconds(table, "handshake_seconds", limits.handshake_time));
  TRY(take_seconds(table, "request_seconds", limits.request_time));
  TRY(take_seconds(table, "answer_seconds", limits.answer_time));
  TRY(take_seconds(table, "idle_seconds", limits.idle_time));
  TRY(take_seconds(table, "shutdown_seconds", limits.shutdown_time));
  return table.finish();
}

Status parse_listen(TomlTable table, BrokerConfig& config) {
  TRY(take_address(table, "address", config.listen));
  TRY(take(table, "admin", config.admin));
  if (!config.admin.empty()) TRY(take_address(table, "admin", config.admin));
  config.public_log = TRY(table.boolean("public_log")).value_or(false);
  TRY(take(table, "certificate", config.certificate));
  TRY(take(table, "key", config.key));
  TRY(take(table, "threads", config.threads, 1, 64));
  return table.finish();
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}
std::string quoted(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& one : list) out += (out.empty() ? "" : ", ") + quoted(one);
  return '[' + out + ']';
}
std::string seconds(std::chrono::milliseconds time) {
  return std::to_string(time.count() / 1000);
}

constexpr std::string_view kTpm = "tpm:";

// The KEYREF with the path that is in it, if one is, replaced.
template <typename Replace>
std::string with_path(const std::string& text, const Replace& replace) {
  if (BrokerConfig::is_file(text)) return replace(text);
  if (!text.starts_with(kTpm)) return text;
  const keystore::TpmKeyRef ref = keystore::parse_tpm_key_ref(text);
  return std::string(kTpm) + replace(ref.path) + (ref.tcti.empty() ? "" : "?tcti=" + ref.tcti);
}

}  // namespace

bool BrokerConfig::is_file(const std::string& key_ref) {
  return !key_ref.starts_with(kTpm) && !key_ref.starts_with("pkcs11:") &&
         !key_ref.starts_with("exec:");
}

std::string BrokerConfig::key_ref(const std::string& text) const {
  return with_path(text, [this](const std::string& relative) { return path(relative).string(); });
}

std::string absolute_key_ref(const std::string& text) {
  return with_path(text, [](const std::string& relative) {
    return std::filesystem::absolute(relative).string();
  });
}

std::string BrokerConfig::store_uri() const {
  constexpr std::string_view kSqlite = "sqlite:";
  if (!store.starts_with(kSqlite)) return store;
  return std::string(kSqlite) + path(store.substr(kSqlite.size())).string();
}

Result<BrokerConfig> parse_broker_config(std::string_view text, const std::string& name) {
  TomlTable root = TRY(TomlTable::parse(text, name));
  BrokerConfig config;
  TRY(take(root, "store", config.store));
  TRY(take_keys(root, "recipient_keys", config.recipient_keys));
  TRY(take_keys(root, "grant_keys", config.grant_keys));
  TRY(take(root, "log_key", config.log_key));
  TRY(take(root, "passphrase_file", config.passphrase_file));
  TRY(take(root, "endorsements", config.endorsements));
  TRY(take(root, "roots", config.roots));
  TRY(take(root, "minimum_tcb_evaluation", config.minimum_tcb_evaluation, 0, 1U << 20U));
  auto listen = TRY(root.table("listen"));
  auto challenge = TRY(root.table("challenge"));
  auto limits = TRY(root.table("limits"));
  TRY(root.finish());
  if (listen) TRY(parse_listen(std::move(*listen), config));
  if (challenge) {
    TRY(take(*challenge, "network_seconds", config.network_seconds, 1, kLongestNetwork));
    TRY(take(*challenge, "file_seconds", config.file_seconds, 1, kLongestFile));
    TRY(challenge->finish());
  }
  if (limits) TRY(parse_limits(std::move(*limits), config.limits));
  return config;
}

std::string serialize_broker_config(const BrokerConfig& config) {
  const ServerLimits& limits = config.limits;
  std::string out =
      "# A sealpack broker; docs/BROKER.md explains every line. Paths are relative "
      "to this folder.\n";
  const auto line = [&](const char* key, const std::string& value) {
    out += std::string(key) + " = " + value + '\n';
  };
  line("store", quoted(config.store));
  line("recipient_keys", quoted(config.recipient_keys));
  line("grant_keys", quoted(config.grant_keys));
  line("log_key", quoted(config.log_key));
  if (!config.passphrase_file.empty()) line("passphrase_file", quoted(config.passphrase_file));
  if (!config.endorsements.empty()) line("endorsements", quoted(config.endorsements));
  if (!config.roots.empty()) line("roots", quoted(config.roots));
  line("minimum_tcb_evaluation", std::to_string(config.minimum_tcb_evaluation));
  out += "\n[listen]\n";
  line("address", quoted(config.listen));
  line("admin", quoted(config.admin));
  line("public_log", config.public_log ? "true" : "false");
  line("certificate", quoted(config.certificate));
  line("key", quoted(config.key));
  line("threads", std::to_string(config.threads));
  out += "\n[challenge]\n";
  line("network_seconds", std::to_string(config.network_seconds));
  line("file_seconds", std::to_string(config.file_seconds));
  out += "\n[limits]\n";
  line("connections", std::to_string(limits.connections));
  line("connections_per_address", std::to_string(limits.connections_per_address));
  line("handshakes_per_second", std::to_string(limits.handshakes_per_second));
  line("handshake_burst", std::to_string(limits.handshake_burst));
  line("requests_per_second", std::to_string(limits.requests_per_second));
  line("request_burst", std::to_string(limits.request_burst));
  line("in_flight", std::to_string(limits.in_flight));
  line("in_flight_per_address", std::to_string(limits.in_flight_per_address));
  line("body_memory", std::to_string(limits.body_memory));
  line("handshake_seconds", seconds(limits.handshake_time));
  line("request_seconds", seconds(limits.request_time));
  line("answer_seconds", seconds(limits.answer_time));
  line("idle_seconds", seconds(limits.idle_time));
  line("shutdown_seconds", seconds(limits.shutdown_time));
  return out;
}

Status check_private_folder(const std::filesystem::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) {
    return io_error("cannot open the broker's folder " + printable(folder.string()), errno);
  }
  if (!S_ISDIR(status.st_mode)) {
    return Error(ErrorCode::kIo, printable(folder.string()) + " is no folder");
  }
  if (status.st_uid != ::geteuid() || (status.st_mode & 077U) != 0) {
    return Error(ErrorCode::kRefused,
                 "others may enter the broker's folder " + printable(folder.string()))
        .with_hint("chown it to the broker's user and chmod 700 it");
  }
  return done();
}

Result<BrokerConfig> load_broker_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kFileName;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return Error(ErrorCode::kIo, "there is no " + printable(path.string()))
        .with_hint("name the broker's folder with --dir; `sealpack broker init` makes one");
  }
  TRY(check_private_folder(folder));
  const ByteVector text = TRY(load_file(path, TomlTable::kMaxSize)
                                  .with_hint("sealpack broker init makes the folder of a broker"));
  BrokerConfig config = TRY(parse_broker_config(as_text(text), path.string()));
  config.folder = folder;
  return config;
}

Status check_broker_config(const BrokerConfig& config) {
  (void)TRY(parse_broker_config(serialize_broker_config(config), config.path(kFileName).string()));
  return done();
}

Status store_broker_config(const BrokerConfig& config, bool replace) {
  TRY(check_broker_config(config));
  return keystore::store_file(config.path(kFileName), as_bytes(serialize_broker_config(config)),
                              0600, replace ? Overwrite::kReplace : Overwrite::kRefuse);
}

}  // namespace sealpack::broker
