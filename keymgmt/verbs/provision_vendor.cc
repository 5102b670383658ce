// SPDX-License-Identifier: Apache-2.0
// What runs where the vendor's keys are: no TPM is needed.
#include <chrono>
#include <memory>
#include <ostream>

#include "formats/cli/help.h"
#include "formats/cli/json_output.h"
#include "formats/files/file_source.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/keystore/armored_file.h"
#include "keymgmt/keystore/key_ref.h"
#include "keymgmt/provision/vendor.h"
#include "keymgmt/verbs/provision.h"

namespace sealpack::provision {
namespace {

using keystore::Role;

struct VendorOptions {
  std::string file;
  std::string key;
  std::string grantor;
  std::string passphrase_file;
  std::string authority;
  std::string product;
  std::vector<std::string> ek_roots;
  std::vector<std::string> ek_names;
  std::vector<std::string> revocation_lists;
  std::string at;
  std::string out;
  std::string record;
  std::string proof;
  std::vector<std::string> pcrs;
  std::string index = "0x01805ea1";
  std::uint32_t number = 0;
  std::uint32_t minimum = 0;
  std::uint32_t cap = 15;
  std::uint64_t floor = 0;
  std::string certificate;
  bool force = false;
};

Overwrite overwrite_of(const VendorOptions& options) {
  return options.force ? Overwrite::kReplace : Overwrite::kRefuse;
}

Result<Scope> scope_of(const VendorOptions& options) {
  const auto authority = TRY(keystore::load_public_key(options.authority, Role::kAuthority));
  if (authority.role != Role::kAuthority) {
    return Error(ErrorCode::kUsage, printable(options.authority) + " is no key of role authority");
  }
  return Scope{authority.digest, options.product};
}

// Runs `work` with what asks for passphrases.
template <typename Work>
auto with_passphrases(const VendorOptions& options, const Work& work) {
  keystore::TerminalPassphrase prompt;
  keystore::FilePassphrase file(options.passphrase_file);
  keystore::PassphraseSource& source =
      options.passphrase_file.empty() ? static_cast<keystore::PassphraseSource&>(prompt) : file;
  return work(source);
}

Result<std::unique_ptr<crypto::Signer>> open_grantor(const VendorOptions& options) {
  return with_passphrases(options, [&](keystore::PassphraseSource& source) {
    return keystore::open_signer(options.grantor, {Role::kGrantor}, source);
  });
}

Result<ByteVector> read_small(const std::string& path) {
  constexpr std::uint64_t kLimit = 1U << 20U;
  const auto file = TRY(FileSource::open(path));
  if (file->size() > kLimit) {
    return Error(ErrorCode::kLimit, printable(path) + " has " + format_size(file->size()));
  }
  ByteVector bytes(static_cast<std::size_t>(file->size()));
  TRY(file->read_at(0, bytes));
  return bytes;
}

Result<DeviceTrust> device_trust(const VendorOptions& options) {
  DeviceTrust trust;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  trust.now =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
  if (!options.at.empty()) trust.now = TRY(cli::parse_time(options.at));
  for (const std::string& path : options.ek_roots) {
    for (x509::Certificate& certificate :
         TRY(x509::Certificate::parse_pem(TRY(read_small(path))).within(printable(path)))) {
      // What is given is believed as a root when it is one, and else is on the way to one.
      if (certificate.subject_name() == certificate.issuer_name()) {
        trust.roots.push_back(certificate.key_digest());
      }
      trust.pool.push_back(std::move(certificate));
    }
  }
  for (const std::string& path : options.revocation_lists) {
    trust.revocation_lists.push_back(TRY(read_small(path)));
  }
  for (const std::string& hex : options.ek_names) {
    trust.known.push_back(TRY(from_hex(hex).within("--ek-name")));
    if (!tpm::is_name(trust.known.back())) {
      return Error(ErrorCode::kUsage, "--ek-name is the device's name as `enrol` prints it");
    }
  }
  return trust;
}

Result<EnrolRequest> load_request(const std::string& path) {
  return parse_request(TRY(keystore::load_armored(path, kRequestLabel))).within(printable(path));
}

Result<EnrolProof> load_proof(const std::string& path) {
  return parse_proof(TRY(keystore::load_armored(path, kProofLabel))).within(printable(path));
}

Result<EnrolRecord> load_record(const std::string& path) {
  return parse_record(TRY(keystore::load_armored(path, kRecordLabel))).within(printable(path));
}

Status check_device(const VendorOptions& options, const EnrolRequest& request,
                    cli::Terminal& terminal) {
  std::vector<Reason> reasons = judge_device(request, TRY(device_trust(options)));
  if (reasons.empty()) return done();
  terminal.give_reasons(std::move(reasons));
  return Error(ErrorCode::kRefused, "the TPM of the request is not one to give keys to")
      .with_hint(
          "--ek-root: certificates of its maker; --ek-name: you read its name off the device");
}

std::vector<FloorTable::Entry> floors_of(const VendorOptions& options, const Scope& scope) {
  if (options.floor == 0) return {};
  return {{scope, {options.floor, std::nullopt}}};
}

Status answer(const VendorOptions& options, cli::Terminal& terminal) {
  EnrolRequest request = TRY(load_request(options.file));
  if (!options.certificate.empty()) {
    request.endorsement_certificate = TRY(read_small(options.certificate));
  }
  TRY(check_device(options, request, terminal));
  const Scope scope = TRY(scope_of(options));
  const auto grantor = TRY(open_grantor(options));
  const keystore::LoadedPrivateKey key =
      TRY(with_passphrases(options, [&](keystore::PassphraseSource& source) {
        return keystore::load_private_key(options.key, {Role::kDevice}, source);
      }));
  const Enrolment enrolment =
      TRY(answer_request(request, {scope, key.key, *grantor, floors_of(options, scope),
                                   options.minimum, options.cap}));
  TRY(keystore::store_armored(options.record, kRecordLabel, serialize(enrolment.record), 0600,
                              overwrite_of(options)));
  TRY(keystore::store_armored(options.out, kAnswerLabel, serialize_signed(enrolment.answer), 0644,
                              overwrite_of(options)));
  terminal.note("only the TPM of device " + to_hex(enrolment.record.device) +
                " can take the key out of the answer");
  return done();
}

Status accept(const VendorOptions& options, cli::Terminal& terminal) {
  const EnrolProof proof = TRY(load_proof(options.file));
  const EnrolRecord record = TRY(load_record(options.record));
  TRY(check_proof(record, proof).within(printable(options.file)));
  const Digest attestation = crypto::sha256(TRY(record.attestation.spki()));
  if (terminal.json()) {
    cli::print_json(terminal, {{"device", to_hex(record.device)},
                               {"attestation_key", cli::json_digest(attestation)},
                               {"recipient", cli::json_digest(record.recipient)},
                               {"product", record.scope.product}});
    return done();
  }
  terminal.out() << "device           " << to_hex(record.device) << "\nattestation key  "
                 << cli::json_digest(attestation) << "\nrecipient        "
                 << cli::json_digest(record.recipient) << '\n';
  terminal.note("a broker takes proof and record too: sealpack broker enrol --proof … --record …");
  return done();
}

Status policy(const VendorOptions& options, cli::Terminal& terminal) {
  BootTerms terms;
  terms.scope = TRY(scope_of(options));
  terms.number = options.number;
  terms.cap_pcr = options.cap;
  terms.policy_index = TRY(parse_index(options.index));
  for (const std::string& path : options.pcrs) {
    const ByteVector text = TRY(read_small(path));
    terms.environments.push_back({TRY(parse_pcr_lines(as_text(text), path))});
  }
  const auto grantor = TRY(open_grantor(options));
  const SignedStatement statement = TRY(sign_boot_policy(terms, *grantor));
  TRY(keystore::store_armored(options.out, kBootPolicyLabel, serialize_signed(statement), 0644,
                              overwrite_of(options)));
  terminal.note("devices that confirm boot policy " + std::to_string(options.number) +
                " refuse all lower numbers from then on");
  return done();
}

Status floors(const VendorOptions& options, cli::Terminal& terminal) {
  const EnrolRequest request = TRY(load_request(options.file));
  std::vector<Reason> reasons = judge_counters(request);
  if (!reasons.empty()) {
    terminal.give_reasons(std::move(reasons));
    return Error(ErrorCode::kRefused, "the device does not prove where its counters stand");
  }
  const EnrolRecord record = TRY(load_record(options.record));
  TRY(check_enrolled(request, record, TRY(load_proof(options.proof)))
          .within(printable(options.file)));
  const Scope scope = TRY(scope_of(options));
  // Floors replace those that the device has: for another product they would end the right ones.
  if (scope != record.scope) {
    return Error(ErrorCode::kUsage,
                 "the device was enrolled for product " + printable(record.scope.product) +
                     " of authority " + cli::json_digest(record.scope.authority) + ", not for " +
                     printable(scope.product) + " of " + cli::json_digest(scope.authority));
  }
  const auto grantor = TRY(open_grantor(options));
  const SignedStatement statement = TRY(sign_floors(request, floors_of(options, scope), *grantor));
  TRY(keystore::store_armored(options.out, kFloorsLabel, serialize_signed(statement), 0644,
                              overwrite_of(options)));
  terminal.note("valid once, on device " + to_hex(tpm::name_of(request.endorsement)));
  return done();
}

std::string help(const char* example) {
  constexpr cli::ExitCode kCodes[] = {
      {ErrorCode::kUsage, "wrong command line, or another kind of file or key"},
      {ErrorCode::kIo, "a file cannot be read or written, or a TPM not be reached"},
      {ErrorCode::kMalformed, "a file breaks the rules of its format"},
      {ErrorCode::kUnsupported, "a key of a type that TPMs cannot verify, or a newer file"},
      {ErrorCode::kNotAuthentic, "a proof does not hold"},
      {ErrorCode::kRefused, "the TPM is not one to give keys to, or others may read a key"},
      {ErrorCode::kKeyUnavailable, "a passphrase or PIN is wrong, or a token is not there"},
      {ErrorCode::kLimit, "a file is larger than it may be"}};
  return cli::help_footer(example, "", kCodes);
}

void add_signing(CLI::App& verb, VendorOptions& options) {
  verb.add_option("--grantor", options.grantor,
                  "Signing key of role grantor and type p256, which TPMs can verify")
      ->type_name("KEYREF")
      ->required();
  verb.add_option("--passphrase-file", options.passphrase_file,
                  "First line: passphrase of key files, PIN of tokens (mode 0600)");
  verb.add_option("--authority", options.authority, "Whose bundles the key is for")
      ->type_name("AUTHORITY.pub")
      ->required();
  verb.add_option("--product", options.product, "The product as releases name it")->required();
  verb.add_option("--out", options.out, "Where it goes")->required();
  verb.add_flag("--force", options.force, "Replace files that are there");
}

void add_answer(CLI::App& verb, VendorOptions& options) {
  verb.add_option("REQUEST", options.file, "From the device")->required();
  add_signing(verb, options);
  verb.add_option("--key", options.key,
                  "Private key file of role device: of this device, or of the whole product")
      ->required();
  verb.add_option("--record", options.record, "Where the device's record goes")->required();
  verb.add_option("--ek-root", options.ek_roots,
                  "PEM certificates of TPM makers; self-signed ones are believed");
  verb.add_option("--ek-crl", options.revocation_lists, "Their revocation lists, DER");
  verb.add_option("--ek-name", options.ek_names,
                  "A device that you vouch for, by the name that `enrol` prints");
  verb.add_option("--ek-certificate", options.certificate,
                  "DER: the TPM's certificate, where its maker gives it out and the TPM has none");
  verb.add_option("--cap", options.cap,
                  "PCR that is extended when the key was used; as in policies")
      ->capture_default_str();
  verb.add_option("--at", options.at, "Judge certificates at this time instead of now");
  // No defaults: a device that is enrolled again forgets what it confirmed, and no TPM says whether
  // it is.
  verb.add_option("--floor", options.floor,
                  "Lowest counter of a release that it may open: what is good today; 0: all are")
      ->required();
  verb.add_option("--minimum-policy", options.minimum,
                  "Lowest number of a boot policy that may ever serve, likewise; 0: all may")
      ->required();
}

}  // namespace

void add_vendor_verbs(CLI::App& provision, cli::Job& job) {
  auto options = std::make_shared<VendorOptions>();
  const auto add = [&](const char* name, const char* text, const char* example, auto run) {
    return add_verb(provision, job, options, name, text, help(example), run);
  };
  add_answer(
      *add("answer", "For the vendor: wrap a key for one device",
           "sealpack provision answer device.request --key product.key --grantor grantor.key "
           "--authority vendor.pub --product camera --ek-root makers.pem --out device.answer "
           "--record device.record --floor 0 --minimum-policy 0",
           answer),
      *options);

  CLI::App* verb = add("accept", "For the vendor: check a device's proof",
                       "sealpack provision accept device.proof --record device.record", accept);
  verb->add_option("PROOF", options->file, "From the device")->required();
  verb->add_option("--record", options->record, "Of the answer")->required();

  verb = add("policy", "For the vendor: sign which machines may use the key",
             "sealpack provision policy --number 2 --pcrs golden.pcrs --grantor grantor.key "
             "--authority vendor.pub --product camera --out boot-2",
             policy);
  add_signing(*verb, *options);
  verb->add_option("--number", options->number, "1 to 240, higher for every new firmware")
      ->required();
  verb->add_option("--pcrs", options->pcrs,
                   "Lines INDEX HEX as `pcrs` prints them; one file for each kind of machine")
      ->required();
  verb->add_option("--cap", options->cap, "PCR that is extended when the key was used")
      ->capture_default_str();
  verb->add_option("--index", options->index, "NV index of the policy counter")
      ->capture_default_str();

  verb = add("floors", "For the vendor: set a device's floor anew",
             "sealpack provision floors device.request --proof device.proof --record device.record "
             "--floor 5 --grantor grantor.key --authority vendor.pub --product camera --out "
             "device.floors",
             floors);
  verb->add_option("REQUEST", options->file, "From `status --out` on the device")->required();
  verb->add_option("--proof", options->proof, "From the device's enrolment, as `accept` takes it")
      ->required();
  verb->add_option("--record", options->record, "Of the answer to it")->required();
  add_signing(*verb, *options);
  verb->add_option("--floor", options->floor, "Lowest counter of a release that it may open")
      ->required();
}

}  // namespace sealpack::provision
