// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/verbs/broker_folder.h"

#include <algorithm>
#include <chrono>
#include <ostream>

#include "attest/files/endorsement_folder.h"
#include "attest/files/roots_file.h"
#include "keymgmt/broker/server/server.h"
#include "keymgmt/keystore/key_file.h"

namespace sealpack::broker {

std::uint64_t unix_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

Result<std::string> admin_address(const std::string& option) {
  if (option == "none") return std::string();
  TRY(check_listen_address(option, "--admin"));
  return option;
}

void add_folder_option(CLI::App& verb, std::string& folder) {
  verb.add_option("--dir", folder, "The broker's folder, made by init; default: this one")
      ->type_name("DIR")
      ->default_str(".");
  folder = ".";
}

std::string broker_help(const char* example, const char* files,
                        std::initializer_list<cli::ExitCode> specific) {
  constexpr cli::ExitCode kCommon[] = {
      {ErrorCode::kUsage, "wrong command line"},
      {ErrorCode::kIo, "a file or the store cannot be read or written"},
      {ErrorCode::kMalformed, "broker.toml or the store is broken"},
      {ErrorCode::kUnsupported, "the store is of a newer version"},
      {ErrorCode::kRefused, "others may read the folder or the store"},
      {ErrorCode::kTryAgain, "the database is busy or does not answer"},
      {ErrorCode::kLimit, "a file or a name is larger than it may be"}};
  const auto codes = cli::merge_codes(kCommon, {specific.begin(), specific.end()});
  return cli::help_footer(example, files, codes);
}

Result<BrokerFolder> BrokerFolder::open(const std::string& folder) {
  BrokerFolder out;
  out.config = TRY(load_broker_config(folder));
  out.store = TRY(Store::open(out.config.store_uri()));
  return out;
}

Status BrokerFolder::apply(const Change& change, const std::string& what, cli::Terminal& terminal,
                           const cli::Json& more) const {
  const std::uint64_t index = TRY(store->apply(change, unix_time()));
  if (terminal.json()) {
    cli::Json json = {{"done", what}, {"log_index", index}};
    json.update(more);
    cli::print_json(terminal, json);
  } else {
    terminal.report() << what << " (log entry " << index << ")\n";
  }
  return done();
}

Result<ServiceKeys> BrokerFolder::keys(const KeyReport& report) const {
  ServiceKeys keys;
  for (const std::string& text : config.recipient_keys) {
    keys.recipients.push_back(TRY(open_recipient(config, text, report)));
  }
  for (const std::string& text : config.grant_keys) {
    keys.grants.push_back(TRY(open_signer_of(config, kGrantKeys, text, report)));
  }
  return keys;
}

Result<std::shared_ptr<const crypto::Signer>> BrokerFolder::log_signer(
    const KeyReport& report) const {
  return std::shared_ptr<const crypto::Signer>(
      TRY(open_signer_of(config, kLogKeys, config.log_key, report)));
}

Result<attest::Endorsements> BrokerFolder::endorsements() const {
  attest::Endorsements out;
  if (!config.endorsements.empty()) {
    out = TRY(attest::load_endorsements(config.path(config.endorsements)));
  }
  if (!config.roots.empty()) {
    const attest::RootsFile roots = TRY(attest::load_roots(config.path(config.roots)));
    out.public_keys.insert(out.public_keys.end(), roots.public_keys.begin(),
                           roots.public_keys.end());
  }
  return out;
}

Result<ServiceOptions> BrokerFolder::service_options(bool lab) const {
  ServiceOptions options;
  options.lab = lab;
  options.network_lifetime = config.network_seconds;
  options.file_lifetime = config.file_seconds;
  options.minimum_tcb_evaluation = config.minimum_tcb_evaluation;
  options.roots = attest::vendor_roots();
  if (!config.roots.empty()) {
    options.roots = TRY(attest::load_roots(config.path(config.roots))).roots;
  }
  options.endorsements = TRY(endorsements());
  options.clock = unix_time;
  return options;
}

namespace {

// The authorities of all products with this name, each once.
std::vector<ProductName> products_called(const State& state, const std::string& product) {
  std::vector<ProductName> found;
  const auto add = [&](const auto& records, bool released) {
    for (const auto& record : records) {
      if (record.product != product) continue;
      const bool known = std::any_of(found.begin(), found.end(), [&](const ProductName& one) {
        return one.authority == record.authority;
      });
      if (!known) found.push_back({record.authority, product, released});
    }
  };
  add(state.releases, true);
  add(state.licences, false);
  add(state.policies, false);
  add(state.floors, false);
  return found;
}

}  // namespace

Result<ProductName> find_product(const State& state, const std::string& product,
                                 const std::string& authority) {
  const std::vector<ProductName> found = products_called(state, product);
  if (!authority.empty()) {
    const Digest whose = TRY(parse_key_digest(authority, "--authority"));
    for (const ProductName& one : found) {
      if (one.authority == whose) return one;
    }
    return ProductName{whose, product, false};
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return Error(ErrorCode::kUsage, "no release of product " + printable(product) + " is here")
        .with_hint(
            "sealpack broker list shows the products; --authority FILE.pub says whose one is that "
            "comes later");
  }
  return Error(ErrorCode::kUsage, "several authorities have a product " + printable(product))
      .with_hint("say which with --authority FILE.pub");
}

void note_unreleased(const ProductName& name, cli::Terminal& terminal) {
  if (name.released) return;
  terminal.note("no release of " + printable(name.product) + " by authority " +
                to_hex(name.authority.bytes).substr(0, 16) +
                " is here yet: this holds from its first on");
}

Result<std::uint64_t> parse_moment(const std::string& text, const char* option) {
  const std::uint64_t time = TRY(cli::parse_time(text).within(option));
  if (time != 0) return time;
  return Error(ErrorCode::kUsage, std::string(option) + ": nothing began or ended in 1970");
}

Result<ByteVector> parse_value(const std::string& text, const std::string& what) {
  constexpr std::string_view kPrefix = "sha256:";
  auto bytes = from_hex(text.starts_with(kPrefix) ? text.substr(kPrefix.size()) : text);
  if (bytes.ok() && !bytes->empty()) return bytes;
  return Error(ErrorCode::kUsage, what + ": " + printable(text) + " is not written in hex");
}

Result<Digest> parse_digest(const std::string& text, const std::string& what) {
  const ByteVector bytes = TRY(parse_value(text, what));
  Digest digest;
  if (bytes.size() != digest.bytes.size()) {
    return Error(ErrorCode::kUsage,
                 what + ": a digest has 32 bytes, not " + std::to_string(bytes.size()));
  }
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

Result<Digest> parse_key_digest(const std::string& text, const std::string& what) {
  if (!text.ends_with(".pub")) return parse_digest(text, what);
  return TRY(keystore::load_public_key(text, std::nullopt)).digest;
}

}  // namespace sealpack::broker
