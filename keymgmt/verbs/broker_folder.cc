// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/verbs/broker_folder.h"

#include <chrono>
#include <ostream>

#include "attest/files/endorsement_folder.h"
#include "attest/files/roots_file.h"
#include "formats/cli/json_output.h"

namespace sealpack::broker {
namespace {

using keystore::Role;

// A broker starts unattended: what is not in the passphrase file is not asked for.
class Unattended final : public keystore::PassphraseSource {
 public:
  explicit Unattended(std::filesystem::path file) : file_(std::move(file)) {}
  Result<crypto::SecretBytes> passphrase(const std::string& what) override {
    if (file_.empty()) {
      return Error(ErrorCode::kUsage, what + " wants a passphrase or PIN")
          .with_hint("name the file that holds it: passphrase_file in broker.toml");
    }
    return keystore::load_passphrase(file_);
  }
  Result<crypto::SecretBytes> new_passphrase(const std::string& what) override {
    return passphrase(what);
  }

 private:
  std::filesystem::path file_;
};

Unattended passphrases_of(const BrokerConfig& config) {
  return Unattended(config.passphrase_file.empty() ? std::filesystem::path()
                                                   : config.path(config.passphrase_file));
}

}  // namespace

std::uint64_t unix_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

void add_folder_option(CLI::App& verb, std::string& folder) {
  verb.add_option("--dir", folder, "The broker's folder, made by init; default: this one")
      ->type_name("DIR")
      ->default_str(".");
  folder = ".";
}

Result<BrokerFolder> BrokerFolder::open(const std::string& folder) {
  BrokerFolder out;
  out.config = TRY(load_broker_config(folder));
  out.store = TRY(Store::open(out.config.store_uri()));
  return out;
}

Status BrokerFolder::apply(const Change& change, const std::string& what,
                           cli::Terminal& terminal) const {
  const std::uint64_t index = TRY(store->apply(change, unix_time()));
  if (terminal.json()) {
    cli::print_json(terminal, {{"done", what}, {"log_index", index}});
  } else {
    terminal.out() << what << " (log entry " << index << ")\n";
  }
  return done();
}

Result<ServiceKeys> BrokerFolder::keys() const {
  Unattended passphrases = passphrases_of(config);
  ServiceKeys keys;
  for (const std::string& text : config.recipient_keys) {
    keystore::Unwrapper opened =
        TRY(keystore::open_unwrapper(config.key_ref(text), {Role::kBroker}, passphrases));
    auto* decryptor = std::get_if<std::unique_ptr<crypto::Decryptor>>(&opened.key);
    if (decryptor == nullptr) {
      return Error(ErrorCode::kUsage, printable(text) + " is a symmetric key, not a recipient's");
    }
    keys.recipients.push_back(std::move(*decryptor));
  }
  for (const std::string& text : config.grant_keys) {
    keys.grants.push_back(
        TRY(keystore::open_signer(config.key_ref(text), {Role::kGrantSigner}, passphrases)));
  }
  return keys;
}

Result<std::shared_ptr<const crypto::Signer>> BrokerFolder::log_signer() const {
  Unattended passphrases = passphrases_of(config);
  return std::shared_ptr<const crypto::Signer>(
      TRY(keystore::open_signer(config.key_ref(config.log_key), {Role::kLog}, passphrases)));
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
  options.online_lifetime = config.online_seconds;
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

Result<ProductName> find_product(const State& state, const std::string& product,
                                 const std::string& authority) {
  std::vector<ProductName> found;
  for (const RegisteredRelease& release : state.releases) {
    if (release.product != product) continue;
    if (!authority.empty() && to_hex(release.authority.bytes) != authority) continue;
    if (found.empty() || found.back().authority != release.authority) {
      found.push_back({release.authority, product});
    }
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return Error(ErrorCode::kUsage, "no release of product " + printable(product) + " is here")
        .with_hint("sealpack broker list shows the products");
  }
  return Error(ErrorCode::kUsage, "several authorities have a product " + printable(product))
      .with_hint("say which with --authority HEX");
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

}  // namespace sealpack::broker
