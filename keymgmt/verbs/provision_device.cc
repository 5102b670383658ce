// SPDX-License-Identifier: Apache-2.0
// What runs on a device, beside its TPM.
#include <algorithm>
#include <memory>
#include <ostream>

#include "formats/cli/help.h"
#include "formats/cli/json_output.h"
#include "keymgmt/keystore/armored_file.h"
#include "keymgmt/keystore/key_file.h"
#include "keymgmt/provision/passwords.h"
#include "keymgmt/verbs/provision.h"

namespace sealpack::provision {
namespace {

using tpm::EndorsementKind;
using tpm::Tpm;

struct DeviceOptions {
  std::string tcti;
  PasswordFiles passwords{"", "", true};
  std::string key;
  std::string out;
  std::string ek = "auto";
  std::string index = "0x01805ea1";
  std::string floor_index = "0x01805ea2";
  std::string file;
  std::string grantor;
  std::string proof;
  std::string pcrs = "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15";
  bool force = false;
  bool irrevocably = false;
};

Overwrite overwrite_of(const DeviceOptions& options) {
  return options.force ? Overwrite::kReplace : Overwrite::kRefuse;
}

struct OpenTpm {
  std::unique_ptr<Tpm> tpm;
  EndorsementKind kind{};
};

tpm::TpmOptions tpm_options(const DeviceOptions& options, EndorsementKind kind,
                            std::optional<tpm::Name> pinned) {
  return {options.tcti, kind, std::move(pinned), password_source(options.passwords)};
}

// The first kind of endorsement key that has a certificate; P-256, which is quick to make, where
// none has.
Result<EndorsementKind> chosen_kind(const DeviceOptions& options) {
  for (const tpm::EndorsementProfile& profile : tpm::endorsement_profiles()) {
    if (options.ek == profile.name) return profile.kind;
  }
  const auto certified = TRY(tpm::certified_kinds(options.tcti));
  return certified.empty() ? EndorsementKind::kP256 : certified.front();
}

Result<OpenTpm> open_first(const DeviceOptions& options) {
  const EndorsementKind kind = TRY(chosen_kind(options));
  return OpenTpm{TRY(Tpm::open(tpm_options(options, kind, std::nullopt))), kind};
}

Result<std::unique_ptr<Tpm>> open_pinned(const DeviceOptions& options, const tpm::KeyBlob& key) {
  return Tpm::open(tpm_options(options, key.kind, key.device)).within("TPM");
}

Status write_request(const DeviceOptions& options, const EnrolRequest& request,
                     cli::Terminal& terminal) {
  TRY(keystore::store_armored(options.out, kRequestLabel, serialize(request), 0644,
                              overwrite_of(options)));
  const std::string name = to_hex(tpm::name_of(request.endorsement));
  if (terminal.json()) {
    cli::print_json(terminal, {{"request", options.out},
                               {"device", name},
                               {"certificate", !request.endorsement_certificate.empty()},
                               {"tpm", request.manufacturer}});
    return done();
  }
  terminal.out() << "request      " << printable(options.out) << "\ndevice       " << name << '\n';
  if (request.endorsement_certificate.empty()) {
    terminal.note("the TPM has no certificate: the vendor must take the device's name from you");
  }
  return done();
}

Status enrol(const DeviceOptions& options, Epoch epoch, cli::Terminal& terminal) {
  const OpenTpm open = TRY(open_first(options));
  Counters indices;
  indices.policy_index = TRY(parse_index(options.index));
  indices.floor_index = TRY(parse_index(options.floor_index));
  const EnrolRequest request = TRY(make_request(*open.tpm, open.kind, indices, epoch));
  if (!begins_epoch(request.counters)) {
    return Error(ErrorCode::kRefused, "the device is enrolled, and has confirmed boot policies")
        .with_hint("`sealpack provision re-enrol` ends the keys it has and starts anew");
  }
  return write_request(options, request, terminal);
}

Status enrol_first(const DeviceOptions& options, cli::Terminal& terminal) {
  return enrol(options, Epoch::kKeep, terminal);
}
Status enrol_again(const DeviceOptions& options, cli::Terminal& terminal) {
  return enrol(options, Epoch::kNew, terminal);
}

Status status(const DeviceOptions& options, cli::Terminal& terminal) {
  const DeviceFiles files(options.key);
  const tpm::KeyBlob key = TRY(files.load_key());
  TRY(grantor_of(key));
  const auto tpm = TRY(open_pinned(options, key));
  Counters indices;
  indices.policy_index = key.binding->policy_index;
  indices.floor_index = key.binding->floor_index;
  const auto counter = TRY(tpm->read_counter(indices.policy_index));
  if (!options.out.empty()) {
    TRY(write_request(options, TRY(make_request(*tpm, key.kind, indices, Epoch::kKeep)), terminal));
    return done();
  }
  const bool alive = counter && (*counter & ~std::uint64_t{0xff}) == key.binding->epoch;
  const std::uint64_t low = counter ? *counter & 0xffU : 0;
  cli::Json policies = cli::Json::array();
  for (const BootPolicy& policy : TRY(files.load_policies(key))) {
    const bool booted = find_environment(*tpm, policy, true).ok();
    const bool usable = alive && find_environment(*tpm, policy, false).ok();
    policies.push_back({{"number", policy.number}, {"booted", booted}, {"usable", usable}});
  }
  const cli::Json json = {{"device", to_hex(key.device)},
                          {"product", key.binding->product},
                          {"alive", alive},
                          {"confirmed", low > kNumberBase ? low - kNumberBase : 0},
                          {"policies", policies}};
  if (terminal.json()) {
    cli::print_json(terminal, json);
    return done();
  }
  std::ostream& out = terminal.out();
  out << "device       " << to_hex(key.device) << "\nproduct      "
      << printable(key.binding->product) << "\nkey          "
      << (alive ? "alive" : "ended: revoked, or the device was enrolled again") << "\nconfirmed    "
      << json["confirmed"] << '\n';
  for (const auto& policy : policies) {
    out << "policy       " << policy["number"]
        << (!alive             ? ", of a key that has ended"
            : policy["usable"] ? ", this machine may use the key"
            : policy["booted"] ? ", this machine; the key was used in this boot"
                               : ", another machine or firmware")
        << '\n';
  }
  return done();
}

// The TPM that an answer is for, by whichever of its endorsement keys.
Result<OpenTpm> open_device_of(const DeviceOptions& options, const tpm::Name& device) {
  std::optional<Error> failure;
  for (const tpm::EndorsementProfile& profile : tpm::endorsement_profiles()) {
    auto tpm = Tpm::open(tpm_options(options, profile.kind, device));
    if (tpm.ok()) return OpenTpm{*std::move(tpm), profile.kind};
    const ErrorCode code = tpm.error().code();
    if (code == ErrorCode::kNotAuthentic || code == ErrorCode::kUnsupported) continue;
    if (!failure) failure = std::move(tpm).take_error();
  }
  if (failure) return *std::move(failure);
  return Error(ErrorCode::kRefused, "the answer is for another device: " + to_hex(device));
}

// A key that is bound to other counters than the one in its place would live on, with the floors
// that it has now. Before that one takes its place: where the power fails in between, the same
// answer is installed again.
Status end_replaced_key(Tpm& tpm, const tpm::KeyBlob& before, const tpm::KeyBlob& now,
                        cli::Terminal& terminal) {
  if (!before.binding || before.device != now.device ||
      before.binding->policy_index == now.binding->policy_index) {
    return done();
  }
  if (TRY(tpm.read_counter(before.binding->policy_index))) TRY(revoke_keys(tpm, before));
  terminal.note("the key that was there is ended: it was bound to other counters");
  return done();
}

Status install_key(const DeviceOptions& options, const SignedStatement& answer,
                   cli::Terminal& terminal) {
  if (options.grantor.empty() || options.proof.empty()) {
    return Error(ErrorCode::kUsage,
                 "an answer needs --grantor, whom to believe, and --proof, "
                 "where the vendor's proof goes");
  }
  const auto grantor = TRY(keystore::load_public_key(options.grantor, keystore::Role::kGrantor));
  if (grantor.role != keystore::Role::kGrantor) {
    return Error(ErrorCode::kUsage, printable(options.grantor) + " is no key of role grantor");
  }
  const EnrolAnswer parsed =
      TRY(parse_answer(TRY(verify_statement(kAnswerType, answer, grantor.verifying_key()))));
  const auto open = TRY(open_device_of(options, parsed.device));
  const EndorsementKind kind = open.kind;
  const Installed installed = TRY(install_answer(*open.tpm, kind, answer, grantor.verifying_key()));
  const DeviceFiles files(options.key);
  const auto before = files.load_key();
  if (before.ok() && options.force) {
    TRY(end_replaced_key(*open.tpm, *before, installed.key, terminal));
  }
  TRY(files.store_key(installed.key, overwrite_of(options)));
  TRY(install_floors(*open.tpm, installed.key, installed.floors, files.floors()));
  TRY(keystore::store_armored(options.proof, kProofLabel, serialize(installed.proof), 0644,
                              overwrite_of(options)));
  terminal.note("next: send the proof to the vendor, and install a boot policy");
  return done();
}

Status install_boot_policy(const DeviceOptions& options, const SignedStatement& statement,
                           cli::Terminal& terminal) {
  const DeviceFiles files(options.key);
  const tpm::KeyBlob key = TRY(files.load_key());
  TRY(verify_boot_policy(key, statement));  // what does not concern the TPM is said without it
  const auto tpm = TRY(open_pinned(options, key));
  const BootPolicy policy = TRY(install_policy(*tpm, files, key, statement));
  terminal.note("boot policy " + std::to_string(policy.number) +
                " is installed; confirm it once the machine that it is for has proven itself");
  return done();
}

Status install(const DeviceOptions& options, cli::Terminal& terminal) {
  const auto file = TRY(keystore::load_armored(options.file));
  const std::string name = printable(options.file);
  const bool known =
      file.label == kAnswerLabel || file.label == kBootPolicyLabel || file.label == kFloorsLabel;
  if (!known) {
    return Error(ErrorCode::kUsage,
                 name + " is a " + printable(file.label) + ", which no device installs");
  }
  const SignedStatement statement = TRY(parse_signed(file.content).within(name));
  if (file.label == kAnswerLabel) return install_key(options, statement, terminal).within(name);
  if (file.label == kBootPolicyLabel) {
    return install_boot_policy(options, statement, terminal).within(name);
  }
  const DeviceFiles files(options.key);
  const tpm::KeyBlob key = TRY(files.load_key());
  const auto tpm = TRY(open_pinned(options, key));
  return install_floors(*tpm, key, statement, files.floors()).within(name);
}

Status confirm(const DeviceOptions& options, cli::Terminal& terminal) {
  const DeviceFiles files(options.key);
  const tpm::KeyBlob key = TRY(files.load_key());
  const auto policies = TRY(files.load_policies(key));
  const auto tpm = TRY(open_pinned(options, key));
  // The next one first: that it runs is what there is to confirm.
  for (std::size_t i = policies.size(); i-- > 0;) {
    if (!find_environment(*tpm, policies[i], true).ok() && i != 0) continue;
    TRY(confirm_policy(*tpm, key, policies[i]));
    if (i != 0) TRY(files.promote_policy());
    terminal.note("boot policy " + std::to_string(policies[i].number) +
                  " is confirmed: earlier ones do not open the key any more");
    return done();
  }
  return Error(ErrorCode::kRefused, "no boot policy is installed");
}

Status revoke(const DeviceOptions& options, cli::Terminal& terminal) {
  if (!options.irrevocably) {
    return Error(ErrorCode::kUsage, "the key would never open anything again on this device")
        .with_hint("say --irrevocably if that is what you want");
  }
  const tpm::KeyBlob key = TRY(DeviceFiles(options.key).load_key());
  const auto tpm = TRY(open_pinned(options, key));
  TRY(revoke_keys(*tpm, key));
  terminal.note(
      "the key is ended; bundles that are sealed to the product open on other devices as "
      "before, and to this one a vendor can give a new key (re-enrol)");
  return done();
}

Status pcrs(const DeviceOptions& options, cli::Terminal& terminal) {
  const tpm::PcrMask mask = TRY(parse_pcr_list(options.pcrs));
  const OpenTpm open = TRY(open_first(options));
  terminal.out() << format_pcrs(TRY(open.tpm->read_pcrs(mask)));
  return done();
}

void add_tpm(CLI::App& verb, DeviceOptions& options) {
  verb.add_option("--tpm", options.tcti,
                  "The TPM: device:/dev/tpmrm0 (default), tabrmd, swtpm:path=SOCKET")
      ->type_name("TCTI");
  verb.add_option("--owner-password-file", options.passwords.owner,
                  "First line: the password of the TPM's owner hierarchy, where it has one; asked "
                  "for otherwise")
      ->type_name("FILE");
  verb.add_option("--endorsement-password-file", options.passwords.endorsement,
                  "The same of its endorsement hierarchy")
      ->type_name("FILE");
}

std::vector<std::string> endorsement_names() {
  std::vector<std::string> names = {"auto"};
  for (const tpm::EndorsementProfile& profile : tpm::endorsement_profiles()) {
    names.emplace_back(profile.name);
  }
  return names;
}
void add_key(CLI::App& verb, DeviceOptions& options) {
  verb.add_option("--key", options.key, "The device's key; policies and floors lie beside it")
      ->type_name("KEY.tpmkey")
      ->required();
}
void add_out(CLI::App& verb, DeviceOptions& options) {
  verb.add_option("--out", options.out, "The request, for the vendor")->required();
  verb.add_flag("--force", options.force, "Replace files that are there");
}
void add_enrolling(CLI::App& verb, DeviceOptions& options) {
  add_tpm(verb, options);
  add_out(verb, options);
  verb.add_option("--ek", options.ek,
                  "Which endorsement key; auto: the one with a certificate, else p256")
      ->check(CLI::IsMember(endorsement_names()))
      ->capture_default_str();
  verb.add_option("--index", options.index, "NV index of the policy counter")
      ->capture_default_str();
  verb.add_option("--floor-index", options.floor_index, "NV index of the counter of floors")
      ->capture_default_str();
}

// Every verb here talks to the TPM and reads the same files.
std::string help(const char* example, const char* files) {
  constexpr cli::ExitCode kCodes[] = {
      {ErrorCode::kUsage, "wrong command line, or a file of another kind"},
      {ErrorCode::kIo, "the TPM does not answer, or a file cannot be read or written"},
      {ErrorCode::kMalformed, "a file breaks the rules of its format"},
      {ErrorCode::kUnsupported, "the TPM lacks an algorithm, or a file is of a newer version"},
      {ErrorCode::kNotAuthentic, "a signature does not hold, or it is another TPM"},
      {ErrorCode::kRefused, "for another device or epoch, rolled back, or not what booted"},
      {ErrorCode::kKeyUnavailable, "the TPM does not take the key"},
      {ErrorCode::kTryAgain, "the TPM is busy, or in its lockout"},
      {ErrorCode::kLimit, "a file is larger than it may be"}};
  return cli::help_footer(example, files, kCodes);
}

}  // namespace

void add_device_verbs(CLI::App& provision, cli::Job& job) {
  auto options = std::make_shared<DeviceOptions>();
  const auto add = [&](const char* name, const char* text, const char* example, const char* files,
                       auto run) {
    return add_verb(provision, job, options, name, text, help(example, files), run);
  };
  add_enrolling(*add("enrol", "On the device: ask a vendor for a key",
                     "sealpack provision enrol --out device.request", "", enrol_first),
                *options);
  add_enrolling(*add("re-enrol", "On the device: end the keys it has and ask for a new one",
                     "sealpack provision re-enrol --out device.request", "", enrol_again),
                *options);
  CLI::App* verb =
      add("install", "On the device: take an answer, a boot policy or floors",
          "sealpack provision install device.answer --key device.tpmkey --grantor grantor.pub "
          "--proof device.proof\nsealpack provision install boot-2 --key device.tpmkey",
          "KEY, KEY.policy (the boot policies), KEY.floors (counters of releases)", install);
  verb->add_option("FILE", options->file, "From the vendor")->required();
  add_key(*verb, *options);
  add_tpm(*verb, *options);
  verb->add_option("--grantor", options->grantor, "Whose answer is believed")
      ->type_name("GRANTOR.pub");
  verb->add_option("--proof", options->proof, "Where the proof for the vendor goes");
  verb->add_flag("--force", options->force, "Replace a key that is there");

  verb = add("confirm", "On the device: earlier boot policies never serve again",
             "sealpack provision confirm --key device.tpmkey", "KEY, KEY.policy", confirm);
  add_key(*verb, *options);
  add_tpm(*verb, *options);

  verb = add("revoke", "On the device: end the key for good",
             "sealpack provision revoke --key device.tpmkey --irrevocably", "KEY", revoke);
  add_key(*verb, *options);
  add_tpm(*verb, *options);
  verb->add_flag("--irrevocably", options->irrevocably, "There is no way back");

  verb = add("status", "On the device: the key, its policies and this boot",
             "sealpack provision status --key device.tpmkey --json", "KEY, KEY.policy, KEY.floors",
             status);
  add_key(*verb, *options);
  add_tpm(*verb, *options);
  verb->add_option("--out", options->out, "Write a request for new floors instead");
  verb->add_flag("--force", options->force, "Replace a request that is there");

  verb = add("pcrs", "On the device: what was measured, for boot policies",
             "sealpack provision pcrs --pcr 4,9,11 > golden.pcrs", "", pcrs);
  add_tpm(*verb, *options);
  verb->add_option("--pcr", options->pcrs, "Which PCRs, such as 4,9,11")->capture_default_str();
}

}  // namespace sealpack::provision
