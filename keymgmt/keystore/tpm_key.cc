// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/tpm_key.h"

#include <algorithm>
#include <mutex>

#include "keymgmt/crypto/hpke.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/keystore/armored_file.h"
#include "keymgmt/keystore/private_file.h"
#include "keymgmt/tpm/tpm.h"

namespace sealpack::keystore {
namespace {

constexpr std::string_view kScheme = "tpm:";
constexpr std::string_view kTcti = "?tcti=";

// A key that is loaded. The TPM serves one caller at a time.
class LoadedKey {
 public:
  LoadedKey(std::unique_ptr<tpm::Tpm> tpm, tpm::Tpm::Object object, std::string name)
      : tpm_(std::move(tpm)), object_(std::move(object)), name_(std::move(name)) {}

  Result<ByteVector> sign(const Digest& digest) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return tpm_->sign(object_, digest).within(name_);
  }
  Result<crypto::SecretBytes> agree(Bytes point) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return tpm_->agree(object_, point).within(name_);
  }
  const std::string& name() const { return name_; }

 private:
  mutable std::mutex mutex_;
  std::unique_ptr<tpm::Tpm> tpm_;
  tpm::Tpm::Object object_;
  std::string name_;
};

class TpmSigner final : public crypto::Signer {
 public:
  TpmSigner(std::unique_ptr<LoadedKey> loaded, crypto::VerifyingKey key)
      : loaded_(std::move(loaded)), key_(std::move(key)) {}

  const crypto::VerifyingKey& public_key() const override { return key_; }

  Result<ByteVector> sign(Bytes message) const override {
    const ByteVector raw = TRY(loaded_->sign(crypto::sha256(message)));
    ByteVector signature = TRY(crypto::ecdsa_with_low_s(key_.algorithm(), raw));
    // A device that errs (or is made to err) while signing can give its key away.
    if (!key_.verify(message, signature).ok()) {
      return Error(ErrorCode::kNotAuthentic,
                   loaded_->name() + ": the signature does not hold under its public key");
    }
    return signature;
  }

 private:
  std::unique_ptr<LoadedKey> loaded_;
  crypto::VerifyingKey key_;
};

class TpmDecryptor final : public crypto::Decryptor {
 public:
  TpmDecryptor(std::unique_ptr<LoadedKey> loaded, crypto::EncryptionKey key)
      : loaded_(std::move(loaded)), key_(std::move(key)) {}

  const crypto::EncryptionKey& public_key() const override { return key_; }

  Result<crypto::SecretBytes> hpke_open(Bytes enc, Bytes info, Bytes aad,
                                        Bytes ciphertext) const override {
    TRY(crypto::check_encapsulated_key(key_, enc));
    const crypto::SecretBytes shared = TRY(loaded_->agree(enc));
    return crypto::hpke_open_with_shared_secret(shared, enc, key_, info, aad, ciphertext);
  }
  Result<crypto::SecretBytes> rsa_oaep_unwrap(Bytes /*wrapped*/) const override {
    return Error(ErrorCode::kUnsupported, loaded_->name() + ": the key is not an RSA key");
  }

 private:
  std::unique_ptr<LoadedKey> loaded_;
  crypto::EncryptionKey key_;
};

struct Found {
  tpm::KeyBlob blob;
  Role role{};
};

Result<Found> find_key(const TpmKeyRef& key_ref, const std::vector<Role>& allowed,
                       tpm::ObjectKind kind) {
  Found out{TRY(load_tpm_key(key_ref.path)), {}};
  const std::string name = "TPM key " + printable(key_ref.path);
  const auto role = parse_role(out.blob.role);
  if (!role) return Error(ErrorCode::kUnsupported, name + ": role " + printable(out.blob.role));
  out.role = *role;
  if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), *role) == allowed.end()) {
    return Error(ErrorCode::kUsage, name + " has the role " + out.blob.role);
  }
  if (out.blob.binding) {
    return Error(ErrorCode::kRefused, name + " opens bundles in a measured machine alone")
        .with_hint("sealpack run --tpm-key " + key_ref.path);
  }
  if (out.blob.object.kind != kind) {
    return Error(ErrorCode::kUnsupported,
                 name + (signs(*role) ? " signs and does not open" : " opens and does not sign"));
  }
  // Of use to everybody who can read it and reach the TPM.
  TRY(load_private_file(key_ref.path, crypto::SecretBytes::kMaxSize).within("TPM key"));
  return out;
}

tpm::PasswordSource source_of(PassphraseSource& passwords) {
  return [&passwords](tpm::Hierarchy hierarchy) {
    return passwords.passphrase(std::string("the TPM's ") + tpm::to_string(hierarchy) +
                                " hierarchy");
  };
}

Result<std::unique_ptr<LoadedKey>> load(const TpmKeyRef& key_ref, const tpm::KeyBlob& blob,
                                        PassphraseSource& passwords) {
  const std::string name = "TPM key " + printable(key_ref.path);
  auto tpm = TRY(
      tpm::Tpm::open({key_ref.tcti, blob.kind, blob.device, source_of(passwords)}).within(name));
  auto object = TRY(tpm->load(blob.object, blob.private_part).within(name));
  tpm->ask_no_more();  // `passwords` may not live as long
  return std::make_unique<LoadedKey>(std::move(tpm), std::move(object), name);
}

std::filesystem::path with_ending(std::filesystem::path base, const char* ending) {
  base += ending;
  return base;
}

}  // namespace

TpmKeyRef parse_tpm_key_ref(std::string_view key_ref) {
  const std::string_view rest = key_ref.substr(kScheme.size());
  const std::size_t tcti = rest.find(kTcti);
  if (tcti == std::string_view::npos) return {std::string(rest), ""};
  return {std::string(rest.substr(0, tcti)), std::string(rest.substr(tcti + kTcti.size()))};
}

Result<tpm::KeyBlob> load_tpm_key(const std::filesystem::path& path) {
  return tpm::parse_key_blob(TRY(load_armored(path, kTpmKeyLabel)))
      .within(printable(path.string()));
}

Status store_tpm_key(const std::filesystem::path& path, const tpm::KeyBlob& key,
                     Overwrite overwrite) {
  return store_armored(path, kTpmKeyLabel, tpm::serialize_key_blob(key), 0600, overwrite);
}

Result<TpmKeyFiles> generate_tpm_key(Role role, const std::string& tcti,
                                     const std::filesystem::path& base, const std::string& name,
                                     PassphraseSource& passwords, Overwrite overwrite) {
  const auto kind = signs(role) ? tpm::ObjectKind::kSignP256 : tpm::ObjectKind::kAgreeP256;
  const auto tpm =
      TRY(tpm::Tpm::open({tcti, tpm::EndorsementKind::kP256, std::nullopt, source_of(passwords)}));
  tpm::Tpm::Created created = TRY(tpm->create_key(kind));
  TpmKeyFiles files{with_ending(base, ".tpmkey"), with_ending(base, ".pub"), {}};
  const ByteVector spki = TRY(created.object.spki());
  files.digest = crypto::sha256(spki);
  const std::string text = TRY(serialize_public_key(role, name, spki));
  TRY(store_tpm_key(
      files.key_path,
      {tpm::EndorsementKind::kP256, tpm::name_of(tpm->endorsement_key()), to_string(role),
       created.object, std::move(created.private_part), std::nullopt},
      overwrite));
  Status stored = store_file(files.public_path, as_bytes(text), 0644, overwrite);
  if (!stored.ok() && overwrite == Overwrite::kRefuse) {
    std::error_code ignored;  // half a pair helps nobody
    std::filesystem::remove(files.key_path, ignored);
  }
  TRY(std::move(stored));
  return files;
}

Result<std::unique_ptr<crypto::Signer>> open_tpm_signer(const TpmKeyRef& key_ref,
                                                        const std::vector<Role>& allowed,
                                                        PassphraseSource& passwords) {
  const Found found = TRY(find_key(key_ref, allowed, tpm::ObjectKind::kSignP256));
  auto key = TRY(crypto::VerifyingKey::from_spki(TRY(found.blob.spki())));
  return std::unique_ptr<crypto::Signer>(
      std::make_unique<TpmSigner>(TRY(load(key_ref, found.blob, passwords)), std::move(key)));
}

Result<TpmUnwrapper> open_tpm_decryptor(const TpmKeyRef& key_ref, const std::vector<Role>& allowed,
                                        PassphraseSource& passwords) {
  const Found found = TRY(find_key(key_ref, allowed, tpm::ObjectKind::kAgreeP256));
  auto key = TRY(crypto::EncryptionKey::from_spki(TRY(found.blob.spki())));
  return TpmUnwrapper{found.role, std::make_unique<TpmDecryptor>(
                                      TRY(load(key_ref, found.blob, passwords)), std::move(key))};
}

}  // namespace sealpack::keystore
