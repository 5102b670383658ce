// SPDX-License-Identifier: Apache-2.0
// What an operator decides about products, devices and keys: revoke, licence, policy, enrol.
#include <algorithm>
#include <memory>

#include "attest/files/endorsement_file.h"
#include "attest/policy/policy_file.h"
#include "formats/files/file_source.h"
#include "formats/toml/toml_table.h"
#include "keymgmt/broker/known.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/keystore/armored_file.h"
#include "keymgmt/provision/device_files.h"
#include "keymgmt/provision/vendor.h"
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
  if (kind == RevokedKind::kSigner) {
    return to_vector(TRY(parse_key_digest(text, "VALUE")).bytes);
  }
  const bool digest = kind == RevokedKind::kContent || kind == RevokedKind::kRelease;
  if (digest) return to_vector(TRY(parse_digest(text, "VALUE")).bytes);
  return parse_value(text, "VALUE");
}

Status raise_floor(const BrokerFolder& folder, const RevokeOptions& options,
                   cli::Terminal& terminal) {
  if (options.below == 0) return Error(ErrorCode::kUsage, "revoke counter wants --below N");
  const ProductName name =
      TRY(find_product(*TRY(folder.state()), options.value, options.authority));
  note_unreleased(name, terminal);
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
    const bool known = TRY(is_known(*folder.store, named.kind, value));
    TRY(folder.apply(Revoke{{named.kind, std::move(value), options.because, unix_time()}},
                     what + " is revoked", terminal, {{"known", known}}));
    if (!known) {
      terminal.note(std::string("this ") + named.name +
                    " is not known here: noted, in case that it comes; or is it written wrong? "
                    "Compare with `sealpack broker list`");
    }
    return done();
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

// A licence may come before its devices do; for one that is written wrong it would never serve.
Result<std::vector<std::string>> unknown_devices(const BrokerFolder& folder,
                                                 const std::vector<ByteVector>& devices) {
  std::vector<std::string> unknown;
  for (const ByteVector& device : devices) {
    if (!TRY(has_met(*folder.store, device))) unknown.push_back(to_hex(device));
  }
  return unknown;
}

Status licence(const LicenceOptions& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  const ProductName name =
      TRY(find_product(*TRY(folder.state()), options.product, options.authority));
  const std::string product = printable(name.product);
  if (options.remove) {
    return folder.apply(RemoveLicence{name.authority, name.product},
                        "the licence of " + product + " is gone: it is not limited", terminal);
  }
  note_unreleased(name, terminal);
  Licence licence;
  licence.authority = name.authority;
  licence.product = name.product;
  licence.max_instances = options.instances;
  licence.lease_seconds = options.lease;
  if (!options.not_before.empty()) {
    licence.not_before = TRY(parse_moment(options.not_before, "--not-before"));
  }
  if (!options.not_after.empty()) {
    licence.not_after = TRY(parse_moment(options.not_after, "--not-after"));
  }
  for (const std::string& device : options.devices) {
    licence.devices.push_back(TRY(parse_value(device, "--device")));
  }
  std::sort(licence.devices.begin(), licence.devices.end());
  const auto unknown = TRY(unknown_devices(folder, licence.devices));
  TRY(folder.apply(PutLicence{std::move(licence)}, product + " is licensed", terminal,
                   {{"unknown_devices", unknown}}));
  for (const std::string& device : unknown) {
    terminal.warning("device " + device +
                     " is not known here: no TPM of that name is enrolled, and no evidence named "
                     "it yet; licensed, in case that it comes, or is it written wrong?");
  }
  return done();
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
    note_unreleased(name, terminal);
    const ByteVector text = TRY(load_file(options.file, TomlTable::kMaxSize));
    (void)TRY(policy::parse_policy(as_text(text), options.file));
    policy.text = std::string(as_text(text));
  }
  return folder.apply(PutPolicy{std::move(policy)},
                      options.remove
                          ? "the broker's own policy for " + printable(name.product) +
                                " is removed: only the release's policy counts now"
                          : "a policy of the broker's own for " + printable(name.product),
                      terminal);
}

// ---- enrol

struct EnrolOptions {
  std::string folder;
  std::string key;
  std::string ak_name;
  std::string ek_name;
  std::string proof;
  std::string record;
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

// As a vendor has it: what a device proved when it was provisioned.
Result<TpmDevice> provisioned_device(const EnrolOptions& options) {
  const auto record = TRY(
      provision::parse_record(TRY(keystore::load_armored(options.record, provision::kRecordLabel)))
          .within(printable(options.record)));
  const auto proof =
      TRY(provision::parse_proof(TRY(keystore::load_armored(options.proof, provision::kProofLabel)))
              .within(printable(options.proof)));
  TRY(provision::check_proof(record, proof).within(printable(options.proof)));
  return TpmDevice{crypto::sha256(TRY(record.attestation.spki())),
                   to_vector(tpm::name_of(record.attestation)), to_vector(record.device),
                   options.name};
}

// As another tool activated it, which the operator vouches for.
Result<TpmDevice> named_device(const EnrolOptions& options) {
  attest::Endorsements found;
  TRY(attest::add_endorsement_file(TRY(load_file(options.key, kMaxPublicKeyFile)), options.key,
                                   found));
  if (found.public_keys.size() != 1 || !found.certificates.empty()) {
    return Error(ErrorCode::kMalformed, printable(options.key) + " is not one public key");
  }
  TpmDevice device{crypto::sha256(found.public_keys.front()), {}, {}, options.name};
  if (options.remove) return device;
  if (options.ek_name.empty() || options.ak_name.empty()) {
    return Error(ErrorCode::kUsage, "--ak-name and --ek-name are required");
  }
  device.ak_name = TRY(parse_tpm_name(options.ak_name, "--ak-name"));
  device.ek_name = TRY(parse_tpm_name(options.ek_name, "--ek-name"));
  return device;
}

Status enrol(const EnrolOptions& options, cli::Terminal& terminal) {
  if (options.key.empty() == options.proof.empty()) {
    return Error(ErrorCode::kUsage, "broker enrol takes a key, or --proof and --record");
  }
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  TpmDevice device =
      TRY(options.proof.empty() ? named_device(options) : provisioned_device(options));
  const std::string what = "attestation key " + to_hex(device.attestation_key.bytes);
  if (options.remove) {
    return folder.apply(RemoveTpm{device.attestation_key}, what + " is forgotten", terminal);
  }
  const std::string name = to_hex(device.ek_name);
  TRY(folder.apply(EnrolTpm{std::move(device)}, what + " is enrolled", terminal));
  terminal.note("revoke and licence know the device as " + name);
  return done();
}

void add_product(CLI::App& verb, std::string& product, std::string& authority) {
  verb.add_option("PRODUCT", product, "The product, as its releases name it")->required();
  verb.add_option("--authority", authority,
                  "Whose product: a .pub, or its digest in hex; where several authorities have it, "
                  "or none yet")
      ->type_name("AUTHORITY");
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
  verb->add_option("--authority", options->authority,
                   "With counter: whose product, a .pub or its digest in hex")
      ->type_name("AUTHORITY");
  verb->add_flag("--end", options->end, "Take the revocation back");
  verb->footer(
      broker_help("sealpack broker revoke device C0C1C2 --because \"stolen\" --dir D\n"
                  "sealpack broker revoke counter acme/ranker --below 41 --dir D\n"
                  "sealpack broker revoke device C0C1C2 --end --dir D",
                  "DIR/broker.toml, DIR/store.db or the database that broker.toml names",
                  {{ErrorCode::kUsage, "wrong command line, or no product of that name"},
                   {ErrorCode::kRefused,
                    "nothing of that name is revoked or runs, or a floor would be lowered"}}));
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
  verb->footer(broker_help(
      "sealpack broker licence acme/ranker --instances 20 --lease 3600 --not-after 2027-06-30 "
      "--dir D",
      "DIR/broker.toml, DIR/store.db or the database that broker.toml names",
      {{ErrorCode::kUsage,
        "wrong command line, limits that contradict each other, or no product of that name"},
       {ErrorCode::kRefused, "others may read the folder, or there is no licence to remove"}}));
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
  verb->footer(broker_help(
      "sealpack broker policy acme/ranker stricter.toml --dir D",
      "DIR/broker.toml, DIR/store.db or the database that broker.toml names",
      {{ErrorCode::kUsage, "wrong command line, or no product of that name"},
       {ErrorCode::kMalformed, "the policy or broker.toml breaks the rules of its format"},
       {ErrorCode::kRefused,
        "the policy ignores what must not be ignored, or there is none to remove"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return set_policy(*options, terminal); };
  });
}

void add_broker_enrol(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<EnrolOptions>();
  CLI::App* verb = group.add_subcommand("enrol", "Believe the attestation key of a TPM");
  CLI::Option* key = verb->add_option("AK", options->key, "Its public key, PEM or DER");
  add_folder_option(*verb, options->folder);
  verb->add_option("--ak-name", options->ak_name, "Its name, as the TPM computes it (000b…)")
      ->type_name("HEX");
  verb->add_option("--ek-name", options->ek_name,
                   "Name of the endorsement key that it was activated under")
      ->type_name("HEX");
  CLI::Option* proof =
      verb->add_option("--proof", options->proof,
                       "Instead of key and names: what `provision install` wrote on the device")
          ->type_name("FILE")
          ->excludes(key);
  CLI::Option* record =
      verb->add_option("--record", options->record, "And what `provision answer` wrote of it")
          ->type_name("FILE")
          ->needs(proof);
  proof->needs(record);
  verb->add_option("--name", options->name, "Text for people");
  verb->add_flag("--remove", options->remove, "Believe it no longer");
  verb->footer(broker_help(
      "sealpack broker enrol --proof dev.proof --record dev.record --name \"rack 4\" --dir D\n"
      "sealpack broker enrol AK.pub --ak-name 000b… --ek-name 000b… --dir D\n"
      "sealpack broker enrol AK.pub --remove --dir D",
      "DIR/broker.toml, DIR/store.db or the database that broker.toml names",
      {{ErrorCode::kUsage, "wrong command line, or no name of a key"},
       {ErrorCode::kMalformed,
        "a file is not what it should be: a public key, a proof, a record, broker.toml"},
       {ErrorCode::kNotAuthentic, "the proof is not the one that the record expects"},
       {ErrorCode::kRefused, "others may read the folder, or the key is not enrolled"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return enrol(*options, terminal); };
  });
}

}  // namespace sealpack::broker
