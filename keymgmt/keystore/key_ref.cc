// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/key_ref.h"

#include "keymgmt/keystore/exec_key.h"
#include "keymgmt/keystore/pkcs11_key.h"
#include "keymgmt/keystore/tpm_key.h"

namespace sealpack::keystore {

namespace {

constexpr std::string_view kExec = "exec:";
constexpr std::string_view kPkcs11 = "pkcs11:";
constexpr std::string_view kTpm = "tpm:";

Status check_host_key(const std::string& key_ref) {
  if (key_ref.empty()) return Error(ErrorCode::kUsage, "the reference to a key is empty");
  return done();
}

ExecProgram program_of(const std::string& key_ref) {
  return ExecProgram{key_ref.substr(kExec.size())};
}

// Before its mode is looked at: a public key may be read by all.
Status check_not_public(const std::string& path) {
  if (!path.ends_with(".pub")) return done();
  return Error(ErrorCode::kUsage, printable(path) + " is a public key")
      .with_hint("name the private key, the .key file beside it");
}

}  // namespace

Result<std::unique_ptr<crypto::Signer>> open_signer(const std::string& key_ref,
                                                    const std::vector<Role>& allowed,
                                                    PassphraseSource& passphrases) {
  TRY(check_host_key(key_ref));
  if (key_ref.starts_with(kPkcs11)) return open_pkcs11_signer(key_ref, passphrases);
  if (key_ref.starts_with(kExec)) return open_exec_signer(program_of(key_ref));
  if (key_ref.starts_with(kTpm)) {
    return open_tpm_signer(parse_tpm_key_ref(key_ref), allowed, passphrases);
  }
  TRY(check_not_public(key_ref));
  const LoadedPrivateKey loaded = TRY(load_private_key(key_ref, allowed, passphrases));
  return loaded.key.signer().within("key file " + printable(key_ref));
}

Result<Unwrapper> open_unwrapper(const std::string& key_ref, const std::vector<Role>& allowed,
                                 PassphraseSource& passphrases) {
  TRY(check_host_key(key_ref));
  if (key_ref.starts_with(kPkcs11)) {
    return Unwrapper{std::nullopt, TRY(open_pkcs11_decryptor(key_ref, passphrases))};
  }
  if (key_ref.starts_with(kExec)) {
    return Unwrapper{std::nullopt, TRY(open_exec_decryptor(program_of(key_ref)))};
  }
  if (key_ref.starts_with(kTpm)) {
    TpmUnwrapper unwrapper =
        TRY(open_tpm_decryptor(parse_tpm_key_ref(key_ref), allowed, passphrases));
    return Unwrapper{unwrapper.role, std::move(unwrapper.key)};
  }
  TRY(check_not_public(key_ref));
  const LoadedPrivateKey loaded = TRY(load_private_key(key_ref, allowed, passphrases));
  const std::string what = "key file " + printable(key_ref);
  if (loaded.key.type() == crypto::KeyType::kAes256) {
    return Unwrapper{loaded.role, TRY(loaded.key.wrapping_key().within(what))};
  }
  return Unwrapper{loaded.role, TRY(loaded.key.decryptor().within(what))};
}

}  // namespace sealpack::keystore
