// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/keygen.h"

#include <memory>
#include <ostream>

#include "formats/cli/json_output.h"
#include "keymgmt/keystore/tpm_key.h"
#include "keymgmt/verbs/verbs.h"

namespace sealpack::keystore {
namespace {

struct Options {
  std::string role;
  std::string out;
  std::string type;
  std::string name;
  std::string passphrase_file;
  std::optional<std::string> tpm;
  bool no_passphrase = false;
  bool force = false;
};

struct NamedType {
  const char* name;
  crypto::KeyType signing;
  crypto::KeyType unwrapping;
};
// One name for P-256 whatever it does: the role says which.
constexpr std::array<NamedType, 6> kTypes = {{
    {"ed25519", crypto::KeyType::kEd25519, crypto::KeyType::kEd25519},
    {"p256", crypto::KeyType::kEcdsaP256, crypto::KeyType::kEcdhP256},
    {"p384", crypto::KeyType::kEcdsaP384, crypto::KeyType::kEcdsaP384},
    {"x25519", crypto::KeyType::kX25519, crypto::KeyType::kX25519},
    {"rsa3072", crypto::KeyType::kRsa3072, crypto::KeyType::kRsa3072},
    {"aes256", crypto::KeyType::kAes256, crypto::KeyType::kAes256},
}};

Result<crypto::KeyType> chosen_type(Role role, const std::string& name) {
  if (name.empty()) return default_key_type(role);
  for (const NamedType& type : kTypes) {
    if (name == type.name) return signs(role) ? type.signing : type.unwrapping;
  }
  return Error(ErrorCode::kUsage, "there is no key type " + printable(name))
      .with_hint("ed25519, p256, p384 sign; x25519, p256, rsa3072, aes256 unwrap");
}

std::string name_of(crypto::KeyType type) {
  for (const NamedType& named : kTypes) {
    if (type == named.signing || type == named.unwrapping) return named.name;
  }
  return "unknown";
}

// What the owner of a key of this role must know; empty where there is nothing to say.
std::string advice(Role role) {
  switch (role) {
    case Role::kAuthority:
      return "keep a copy of the authority key offline: without it the product cannot be released "
             "again, and who has it can release anything in its name";
    case Role::kEscrow:
      return "keep the escrow key offline and test that copy: it opens every bundle that names it, "
             "anywhere, and nothing else may be left when all other keys are lost";
    case Role::kBroker:
      return "the broker key opens every bundle sealed to it: keep it in a token where you can";
    case Role::kGrantSigner:
      return "loaders pin the grant signer's key: who has it learns no model, but can say what "
             "time it is and lift floors and leases for those who have a key already";
    case Role::kSimulatedRoot:
      return "SIMULATED: who has this key can claim any measurement; for laboratories alone";
    default:
      return "";
  }
}

void report(const Options& options, Role role, crypto::KeyType type, const KeyPairFiles& files,
            cli::Terminal& terminal) {
  if (terminal.json()) {
    cli::Json json = {{"role", to_string(role)},
                      {"type", name_of(type)},
                      {"encrypted", !options.no_passphrase},
                      {"private_key", files.private_path.string()}};
    json["public_key"] = files.public_path ? cli::Json(files.public_path->string()) : nullptr;
    json["digest"] = files.digest ? cli::Json(cli::json_digest(*files.digest)) : nullptr;
    cli::print_json(terminal, json);
    return;
  }
  std::ostream& out = terminal.report();
  out << "private key  " << printable(files.private_path.string()) << '\n';
  if (files.public_path) out << "public key   " << printable(files.public_path->string()) << '\n';
  out << "role         " << to_string(role) << ", " << name_of(type) << '\n';
  if (files.digest) out << "digest       " << cli::json_digest(*files.digest) << '\n';
}

// P-256, which is what TPMs sign and agree with.
Status keygen_in_tpm(const Options& options, Role role, PassphraseSource& passwords,
                     cli::Terminal& terminal) {
  if (!options.type.empty() && options.type != "p256") {
    return Error(ErrorCode::kUsage, "keys in a TPM are of type p256");
  }
  if (!role_allows(role, signs(role) ? crypto::KeyType::kEcdsaP256 : crypto::KeyType::kEcdhP256)) {
    return Error(ErrorCode::kUsage, std::string("keys of role ") + to_string(role) +
                                        " are of other types than a TPM has");
  }
  const TpmKeyFiles files =
      TRY(generate_tpm_key(role, *options.tpm, options.out, options.name, passwords,
                           options.force ? Overwrite::kReplace : Overwrite::kRefuse));
  if (terminal.json()) {
    cli::print_json(terminal, {{"role", to_string(role)},
                               {"type", "p256"},
                               {"private_key", "tpm:" + files.key_path.string()},
                               {"public_key", files.public_path.string()},
                               {"digest", cli::json_digest(files.digest)}});
  } else {
    terminal.report() << "private key  tpm:" << printable(files.key_path.string())
                      << "\npublic key   " << printable(files.public_path.string())
                      << "\nrole         " << to_string(role) << ", p256\ndigest       "
                      << cli::json_digest(files.digest) << '\n';
  }
  terminal.note("the key cannot leave this TPM: when the board is lost, so is the key");
  return done();
}

Status keygen(const Options& options, cli::Terminal& terminal) {
  const std::optional<Role> role = parse_role(options.role);
  if (!role) {
    return Error(ErrorCode::kUsage, "there is no role " + printable(options.role))
        .with_hint(
            "authority, publisher, reviewer, grantor, grant-signer, log, simulated-root, "
            "recipient, escrow, broker or device");
  }
  TerminalPassphrase prompt;
  FilePassphrase file(options.passphrase_file);
  PassphraseSource* passphrases = &prompt;
  if (!options.passphrase_file.empty()) passphrases = &file;
  if (options.tpm) return keygen_in_tpm(options, *role, *passphrases, terminal);
  const crypto::KeyType type = TRY(chosen_type(*role, options.type));
  if (options.no_passphrase) passphrases = nullptr;
  const KeyPairFiles files =
      TRY(generate_key_pair(*role, type, options.out, options.name, passphrases,
                            options.force ? Overwrite::kReplace : Overwrite::kRefuse));
  report(options, *role, type, files, terminal);
  if (options.no_passphrase) {
    terminal.note("the private key is not encrypted: whoever reads the file has it");
  }
  if (const std::string text = advice(*role); !text.empty()) terminal.note(text);
  if (type == crypto::KeyType::kAes256) {
    terminal.note("a symmetric key has no public half: whoever seals to it can also open");
  }
  return done();
}

}  // namespace

void add_keygen(CLI::App& app, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("keygen", "Make a key pair: NAME.key and NAME.pub");
  verb->add_option("ROLE", options->role,
                   "authority, publisher, reviewer, grantor, grant-signer, log, simulated-root "
                   "(sign); recipient, escrow, broker, device (open)")
      ->required();
  verb->add_option("--out", options->out, "NAME: where the files go, without .key and .pub")
      ->required();
  verb->add_option("--type", options->type,
                   "ed25519 (default), p256, p384; x25519 (default), p256, rsa3072, aes256");
  verb->add_option("--name", options->name, "Text for people, kept in both files");
  CLI::Option* file = verb->add_option("--passphrase-file", options->passphrase_file,
                                       "Encrypt under the first line of this file (mode 0600); "
                                       "with --tpm: the password of the TPM's endorsement "
                                       "hierarchy, where it has one");
  verb->add_flag("--no-passphrase", options->no_passphrase, "Leave the private key unencrypted")
      ->excludes(file);
  verb->add_option("--tpm", options->tpm,
                   "Make the key in this TPM, which it never leaves: NAME.tpmkey, for KEYREF "
                   "tpm:NAME.tpmkey")
      ->type_name("TCTI");
  verb->add_flag("--force", options->force, "Replace files that exist");
  verb->footer(cli::exit_codes(
      {{ErrorCode::kUsage, "wrong command line, or a file exists"},
       {ErrorCode::kIo, "a file cannot be written, or a TPM not reached"},
       {ErrorCode::kUnsupported, "the TPM lacks an algorithm"},
       {ErrorCode::kNotAuthentic, "something pretends to be the TPM"},
       {ErrorCode::kRefused, "others may read the passphrase file, or a TPM's password is wrong"},
       {ErrorCode::kTryAgain, "the TPM is busy, or in its lockout"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return keygen(*options, terminal); };
  });
}

}  // namespace sealpack::keystore
