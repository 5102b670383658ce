// SPDX-License-Identifier: Apache-2.0
// What an operator decides about products, devices and keys: revoke, licence, policy, enrol.
#include <algorithm>
#include <memory>

#include "attest/files/endorsement_file.h"
#include "attest/policy/policy_file.h"
#include "formats/files/file_source.h"
#include "formats/toml/toml_table.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/keystore/key_file.h"
#include "keymgmt/verbs/broker_folder.h"

namespace sealpack::broker {
namespace {

constexpr std::size_t kMaxPublicKeyFile = 65536;

struct NamedKind {
  const char* name;
  RevokedKind kind;
};
constexpr NamedKind kKinds[] = {{"device", RevokedKind::kDevice},
                                {"bundle", RevokedKind::kContent},
                                {"release", RevokedKind::kRelease},
                                {"measurement", RevokedKind::kMeasurement},
                                {"signer", RevokedKind::kSigner}};
constexpr const char* kCounter = "counter";
constexpr const char* kLease = "lease";

// ---- revoke

struct RevokeOptions {
  std::string folder;
  std::string kind;
  std::string value;
  std::string authority;
  std::uint64_t below = 0;
  std::string because;
  bool end = false;
};

// Digests are of fixed size; a signer may be named by its file.
Result<ByteVector> revoked_value(RevokedKind kind, const std::string& text) {
  if (kind == RevokedKind::kSigner && text.ends_with(".pub")) {
    return to_vector(TRY(keystore::load_public_key(text, std::nullopt)).digest.bytes);
  }
  const bool digest = kind == RevokedKind::kContent || kind == RevokedKind::kRelease ||
                      kind == RevokedKind::kSigner;
  if (digest) return to_vector(TRY(parse_digest(text, "VALUE")).bytes);
  return parse_value(text, "VALUE");
}

Status raise_floor(const BrokerFolder& folder, const RevokeOptions& options,
                   cli::Terminal& terminal) {
  if (options.below == 0) return Error(ErrorCode::kUsage, "revoke counter wants --below N");
  const ProductName name =
      TRY(find_product(*TRY(folder.state()), options.value, options.authority));
  const ProductFloor floor{name.authority, name.product, {options.below, std::nullopt}};
  return folder.apply(RaiseFloor{floor},
                      "releases of " + printable(name.product) + " below counter " +
                          std::to_string(options.below) + " are recalled",
                      terminal);
}

// Frees the place of an instance that runs no longer; what runs is not stopped by it.
Status end_lease(const BrokerFolder& folder, const RevokeOptions& options,
                 cli::Terminal& terminal) {
  if (options.end) return Error(ErrorCode::kUsage, "a lease that ended is asked for anew");
  const ByteVector bytes = TRY(parse_value(options.value, "VALUE"));
  EndLease change;
  if (bytes.size() != change.instance.size()) {
    return Error(ErrorCode::kUsage,
                 "an instance has 16 bytes, not " + std::to_string(bytes.size()));
  }
  std::copy(bytes.begin(), bytes.end(), change.instance.begin());
  return folder.apply(change, "the lease of instance " + to_hex(bytes) + " is over", terminal);
}

Status revoke(const RevokeOptions& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  if (options.kind == kCounter) {
    if (options.end) {
      return Error(ErrorCode::kUsage, "a floor is never lowered: release with a higher counter");
    }
    return raise_floor(folder, options, terminal);
  }
  if (options.kind == kLease) return end_lease(folder, options, terminal);
  for (const NamedKind& named : kKinds) {
    if (options.kind != named.name) continue;
    ByteVector value = TRY(revoked_value(named.kind, options.value));
    const std::string what = std::string(named.name) + " " + to_hex(value);
    if (options.end) {
      return folder.apply(EndRevocation{named.kind, std::move(value)}, what + " is let in again",
                          terminal);
    }
    if (options.because.empty()) return Error(ErrorCode::kUsage, "--because is required");
    return folder.apply(Revoke{{named.kind, std::move(value), options.because, unix_time()}},
                        what + " is revoked", terminal);
  }
  return Error(ErrorCode::kUsage, "there is nothing called " + printable(options.kind));
}

// ---- licence

struct LicenceOptions {
  std::string folder;
  std::string product;
  std::string authority;
  std::uint64_t instances = 0;
  std::uint64_t lease = 0;
  std::string not_before;
  std::string not_after;
  std::vector<std::string> devices;
  bool remove = false;
};

Status licence(const LicenceOptions& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  const ProductName name =
      TRY(find_product(*TRY(folder.state()), options.product, options.authority));
  const std::string product = printable(name.product);
  if (options.remove) {
    return folder.apply(RemoveLicence{name.authority, name.product},
                        "the licence of " + product + " is gone: it is not limited", terminal);
  }
  Licence licence;
  licence.authority = name.authority;
  licence.product = name.product;
  licence.max_instances = options.instances;
  licence.lease_seconds = options.lease;
  if (!options.not_before.empty()) {
    licence.not_before = TRY(cli::parse_time(options.not_before).within("--not-before"));
  }
  if (!options.not_after.empty()) {
    licence.not_after = TRY(cli::parse_time(options.not_after).within("--not-after"));
  }
  for (const std::string& device : options.devices) {
    licence.devices.push_back(TRY(parse_value(device, "--device")));
  }
  std::sort(licence.devices.begin(), licence.devices.end());
  return folder.apply(PutLicence{std::move(licence)}, product + " is licensed", terminal);
}

// ---- policy

struct PolicyOptions {
  std::string folder;
  std::string product;
  std::string authority;
  std::string file;
  bool remove = false;
};

Status set_policy(const PolicyOptions& options, cli::Terminal& terminal) {
  if (options.file.empty() != options.remove) {
    return Error(ErrorCode::kUsage, "broker policy takes a file, or --remove");
  }
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  const ProductName name =
      TRY(find_product(*TRY(folder.state()), options.product, options.authority));
  ProductPolicy policy{name.authority, name.product, ""};
  if (!options.remove) {
    const ByteVector text = TRY(load_file(options.file, TomlTable::kMaxSize));
    (void)TRY(policy::parse_policy(as_text(text), options.file));
    policy.text = std::string(as_text(text));
  }
  return folder.apply(PutPolicy{std::move(policy)},
                      std::string(options.remove ? "no policy besides the release's for "
                                                 : "a policy of the broker's own for ") +
                          printable(name.product),
                      terminal);
}

// ---- enrol

struct EnrolOptions {
  std::string folder;
  std::string key;
  std::string ak_name;
  std::string ek_name;
  std::string name;
  bool remove = false;
};

// TPM2B_NAME without its size: the hash algorithm, then its digest (TPM 2.0 part 1, section 16).
Result<ByteVector> parse_tpm_name(const std::string& text, const std::string& what) {
  ByteVector name = TRY(parse_value(text, what));
  const bool sha256 = name.size() == 34 && name[0] == 0 && name[1] == 0x0b;
  const bool sha384 = name.size() == 50 && name[0] == 0 && name[1] == 0x0c;
  const bool sha512 = name.size() == 66 && name[0] == 0 && name[1] == 0x0d;
  if (sha256 || sha384 || sha512) return name;
  return Error(ErrorCode::kUsage, what + ": " + printable(text) +
                                      " is no name of a TPM's key: 000b and 32 bytes, or 000c and "
                                      "48, or 000d and 64");
}

Status enrol(const EnrolOptions& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  attest::Endorsements found;
  TRY(attest::add_endorsement_file(TRY(load_file(options.key, kMaxPublicKeyFile)), options.key,
                                   found));
  if (found.public_keys.size() != 1 || !found.certificates.empty()) {
    return Error(ErrorCode::kMalformed, printable(options.key) + " is not one public key");
  }
  const Digest digest = crypto::sha256(found.public_keys.front());
  const std::string what = "attestation key " + to_hex(digest.bytes);
  if (options.remove) return folder.apply(RemoveTpm{digest}, what + " is forgotten", terminal);
  if (options.ek_name.empty() || options.ak_name.empty()) {
    return Error(ErrorCode::kUsage, "--ak-name and --ek-name are required");
  }
  TpmDevice device{digest, TRY(parse_tpm_name(options.ak_name, "--ak-name")),
                   TRY(parse_tpm_name(options.ek_name, "--ek-name")), options.name};
  return folder.apply(EnrolTpm{std::move(device)}, what + " is enrolled", terminal);
}

void add_product(CLI::App& verb, std::string& product, std::string& authority) {
  verb.add_option("PRODUCT", product, "The product, as its releases name it")->required();
  verb.add_option("--authority", authority, "Which authority's, where several have that product")
      ->type_name("HEX");
}

std::string common_codes() {
  return cli::exit_codes(
      {{ErrorCode::kUsage, "wrong command line, or nothing of that name"},
       {ErrorCode::kIo, "a file or the store cannot be read"},
       {ErrorCode::kMalformed, "a file breaks the rules of its format"},
       {ErrorCode::kRefused, "others may read the folder, or it goes backwards"}});
}

}  // namespace

void add_broker_revoke(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<RevokeOptions>();
  CLI::App* verb = group.add_subcommand(
      "revoke",
      "No key any more for a device, bundle, release, measurement, signer or counter; "
      "from the next request on");
  verb->add_option(
          "KIND", options->kind,
          "device, bundle, release, measurement, signer; counter, of a product; lease, of an "
          "instance that runs no longer")
      ->required()
      ->check(CLI::IsMember(
          {"device", "bundle", "release", "measurement", "signer", "counter", "lease"}));
  verb->add_option("VALUE", options->value,
                   "In hex: the claim that names the device or measures; a digest; a signer's .pub "
                   "too; the product with counter")
      ->required();
  add_folder_option(*verb, options->folder);
  verb->add_option("--because", options->because, "The reason, for the log")->type_name("TEXT");
  verb->add_option("--below", options->below, "With counter: the lowest that is still given out")
      ->type_name("N");
  verb->add_option("--authority", options->authority, "With counter: which authority's product")
      ->type_name("HEX");
  verb->add_flag("--end", options->end, "Take the revocation back");
  verb->footer(common_codes());
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return revoke(*options, terminal); };
  });
}

void add_broker_licence(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<LicenceOptions>();
  CLI::App* verb =
      group.add_subcommand("licence", "How often, how long and on which devices a product may run");
  add_product(*verb, options->product, options->authority);
  add_folder_option(*verb, options->folder);
  verb->add_option("--instances", options->instances, "At most so many at a time; needs --lease")
      ->type_name("N");
  verb->add_option("--lease", options->lease, "A key is good for so long, then it is renewed")
      ->type_name("SECONDS");
  verb->add_option("--not-before", options->not_before, "No keys before")->type_name("TIME");
  verb->add_option("--not-after", options->not_after, "No keys after")->type_name("TIME");
  verb->add_option("--device", options->devices,
                   "On these devices alone, named as for revoke; may be repeated")
      ->type_name("HEX")
      ->allow_extra_args(false)
      ->take_all();
  verb->add_flag("--remove", options->remove, "No limits");
  verb->footer(common_codes());
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return licence(*options, terminal); };
  });
}

void add_broker_policy(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<PolicyOptions>();
  CLI::App* verb = group.add_subcommand(
      "policy", "The broker's own rules for a product, on top of what its releases say");
  add_product(*verb, options->product, options->authority);
  verb->add_option("FILE", options->file, "A policy, as for build --policy");
  add_folder_option(*verb, options->folder);
  verb->add_flag("--remove", options->remove, "The release's policy alone");
  verb->footer(common_codes());
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return set_policy(*options, terminal); };
  });
}

void add_broker_enrol(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<EnrolOptions>();
  CLI::App* verb = group.add_subcommand("enrol", "Believe the attestation key of a TPM");
  verb->add_option("AK", options->key, "Its public key, PEM or DER")->required();
  add_folder_option(*verb, options->folder);
  verb->add_option("--ak-name", options->ak_name, "Its name, as the TPM computes it (000b…)")
      ->type_name("HEX");
  verb->add_option("--ek-name", options->ek_name,
                   "Name of the endorsement key that it was activated under")
      ->type_name("HEX");
  verb->add_option("--name", options->name, "Text for people");
  verb->add_flag("--remove", options->remove, "Believe it no longer");
  verb->footer(common_codes());
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return enrol(*options, terminal); };
  });
}

}  // namespace sealpack::broker
