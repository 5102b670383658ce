// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/labels.h"
#include "keymgmt/crypto/hpke.h"
#include "keymgmt/crypto/kdf.h"
#include "keymgmt/crypto/private_key.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/provision/device.h"
#include "keymgmt/provision/key_policy.h"

namespace sealpack::provision {
namespace {

using crypto::SecretBytes;

constexpr std::string_view kFloorKeyLabel = "sealpack/v1/tpm-floor-key";
constexpr std::string_view kCapLabel = "sealpack/v1/tpm-cap";

ByteVector big_endian(std::uint64_t number) {
  ByteVector out;
  for (unsigned shift = 64; shift > 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(number >> (shift - 8)));
  }
  return out;
}

// For one enrolment alone: a product's key serves many devices, and one device again and again.
// What goes in was compared by the TPM when it let the key be used.
SecretBytes derive_floor_key(const SecretBytes& from, const tpm::KeyBlob& key) {
  const tpm::KeyBlob::Binding& binding = *key.binding;
  Digest derived = crypto::hmac_sha256(from.reveal(), bundle::LengthPrefixed()
                                                          .add(kFloorKeyLabel)
                                                          .add(Bytes(key.device))
                                                          .add(big_endian(binding.policy_index))
                                                          .add(big_endian(binding.epoch))
                                                          .add(big_endian(binding.floor_index))
                                                          .bytes());
  SecretBytes out = SecretBytes::copy_of(derived.bytes);
  crypto::wipe(derived.bytes);
  return out;
}

// A P-256 key that stays in the TPM: each use runs the policy, so after the cap there is none.
class TpmDecryptor final : public crypto::Decryptor {
 public:
  TpmDecryptor(std::shared_ptr<tpm::Tpm> tpm, tpm::Tpm::Object object, tpm::PolicyRun policy,
               crypto::EncryptionKey key)
      : tpm_(std::move(tpm)),
        object_(std::move(object)),
        policy_(std::move(policy)),
        key_(std::move(key)) {}

  const crypto::EncryptionKey& public_key() const override { return key_; }

  Result<SecretBytes> agree(Bytes point) const { return tpm_->agree(object_, point, policy_); }

  Result<SecretBytes> hpke_open(Bytes enc, Bytes info, Bytes aad, Bytes ciphertext) const override {
    TRY(crypto::check_encapsulated_key(key_, enc));
    const SecretBytes shared = TRY(agree(enc));
    return crypto::hpke_open_with_shared_secret(shared, enc, key_, info, aad, ciphertext);
  }

  Result<SecretBytes> rsa_oaep_unwrap(Bytes /*wrapped*/) const override {
    return Error(ErrorCode::kUnsupported, "the device's key is not an RSA key");
  }

 private:
  std::shared_ptr<tpm::Tpm> tpm_;
  tpm::Tpm::Object object_;
  tpm::PolicyRun policy_;
  crypto::EncryptionKey key_;
};

struct Opened {
  std::unique_ptr<crypto::Decryptor> decryptor;
  SecretBytes floor_key;
};

Result<Opened> open_sealed(tpm::Tpm& tpm, const tpm::KeyBlob& key, const tpm::PolicyRun& policy) {
  const tpm::Tpm::Object object = TRY(tpm.load(key.object, key.private_part));
  const SecretBytes data = TRY(tpm.unseal(object, policy));
  const auto loaded = TRY(crypto::PrivateKey::from_pkcs8(data, crypto::PrivateKey::Use::kUnwrap));
  const Bytes spki = loaded.spki();
  const ByteVector& said = key.binding->recipient;
  if (!std::equal(spki.begin(), spki.end(), said.begin(), said.end())) {
    return Error(ErrorCode::kRefused, "the TPM holds another key than its file says");
  }
  return Opened{TRY(loaded.decryptor()), derive_floor_key(data, key)};
}

Result<Opened> open_in_tpm(const std::shared_ptr<tpm::Tpm>& tpm, const tpm::KeyBlob& key,
                           const tpm::PolicyRun& policy) {
  const ByteVector spki = TRY(key.object.spki());
  if (spki != key.binding->recipient) {
    return Error(ErrorCode::kRefused, "the TPM holds another key than its file says");
  }
  auto decryptor =
      std::make_unique<TpmDecryptor>(tpm, TRY(tpm->load(key.object, key.private_part)), policy,
                                     TRY(crypto::EncryptionKey::from_spki(spki)));
  // With its own public key: as hard to come by as the private key's square, and the same each
  // time.
  const SecretBytes own = TRY(decryptor->agree(Bytes(spki).last(65)));
  return Opened{std::move(decryptor), derive_floor_key(own, key)};
}

}  // namespace

DeviceKey::DeviceKey(std::shared_ptr<tpm::Tpm> tpm, BootPolicy policy)
    : tpm_(std::move(tpm)), policy_(std::move(policy)) {}

Result<std::unique_ptr<DeviceKey>> DeviceKey::open(std::shared_ptr<tpm::Tpm> tpm,
                                                   const tpm::KeyBlob& key,
                                                   const std::vector<BootPolicy>& policies) {
  if (!key.binding) return Error(ErrorCode::kUsage, "the key was not provisioned by a vendor");
  if (policies.empty()) {
    return Error(ErrorCode::kRefused, "no boot policy is installed for the key")
        .with_hint("sealpack provision install POLICY --key KEY");
  }
  if (tpm::name_of(tpm->endorsement_key()) != key.device) {
    return Error(ErrorCode::kNotAuthentic, "the key is wrapped for another TPM");
  }
  std::optional<Error> failure;
  for (const BootPolicy& policy : policies) {
    Status fits = check_number(*tpm, key, policy);
    auto found = fits.ok() ? find_environment(*tpm, policy, false)
                           : Result<std::size_t>(std::move(fits).take_error());
    if (!found.ok()) {
      if (!failure) failure = std::move(found).take_error();
      continue;
    }
    const auto run = policy_run(policy, policy.environments[*found], terms_of(key));
    std::unique_ptr<DeviceKey> out(new DeviceKey(tpm, policy));
    Opened opened = TRY(key.object.kind == tpm::ObjectKind::kSealed ? open_sealed(*tpm, key, run)
                                                                    : open_in_tpm(tpm, key, run));
    out->decryptor_ = std::move(opened.decryptor);
    out->floor_key_ = std::move(opened.floor_key);
    return out;
  }
  return *std::move(failure);
}

DeviceKey::~DeviceKey() {
  (void)cap();
}

Digest cap_value() {
  return crypto::sha256(as_bytes(kCapLabel));
}

Status DeviceKey::cap_now() {
  const tpm::PcrMask mask = 1U << policy_.cap_pcr;
  TRY(tpm_->extend_pcr(policy_.cap_pcr, cap_value()));
  const std::vector<tpm::PcrValue> after = TRY(tpm_->read_pcrs(mask));
  if (after.size() == 1 && after[0].value != Digest{}) return done();
  return Error(ErrorCode::kNotAuthentic, "the cap PCR did not change");
}

Status DeviceKey::cap() {
  if (capped_) return done();
  TRY(cap_now());
  capped_ = true;
  return done();
}

}  // namespace sealpack::provision
