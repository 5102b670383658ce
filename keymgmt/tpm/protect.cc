// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/tpm/protect.h"

#include <algorithm>

#include "keymgmt/crypto/sha256.h"
#include "keymgmt/crypto/tpm_protection.h"
#include "keymgmt/tpm/wire.h"

namespace sealpack::tpm {
namespace {

using crypto::SecretBytes;

// TPM2B_ENCRYPTED_SECRET holds a TPMS_ECC_POINT where the key is on a curve.
ByteVector secret_structure(const PublicArea& parent, const ByteVector& encrypted) {
  constexpr std::uint8_t kPoint = 4;
  if (parent.unique.size() + 1 != encrypted.size() || encrypted[0] != kPoint) return encrypted;
  const Bytes point = Bytes(encrypted).subspan(1);
  const std::size_t half = point.size() / 2;
  return WireWriter().sized(point.first(half)).sized(point.subspan(half)).take();
}

struct Protected {
  ByteVector blob;
  ByteVector secret;
};

// The outer wrapping that credentials and duplicates share (Part 1, section 24 and 23.3.2.3):
// encrypted under a key derived from a seed for `parent` and the name, then authenticated. Hash and
// cipher are those of the parent.
Result<Protected> protect(const PublicArea& parent, std::string_view label, const Name& name,
                          Bytes plain) {
  if (!is_storage(parent.kind)) {
    return Error(ErrorCode::kUnsupported, "secrets are made for storage keys alone");
  }
  const crypto::HashAlgorithm hash = name_hash(parent.kind);
  const crypto::TpmSeed seed = TRY(crypto::make_tpm_seed(TRY(parent.spki()), hash, label));
  const SecretBytes cipher_key =
      crypto::tpm_kdfa(hash, seed.seed, "STORAGE", name, {}, cipher_bits(parent.kind) / 8U);
  const SecretBytes mac_key =
      crypto::tpm_kdfa(hash, seed.seed, "INTEGRITY", {}, {}, crypto::hash_size(hash));
  const ByteVector encrypted = crypto::aes_cfb_encrypt(cipher_key, plain);
  const ByteVector mac =
      crypto::tpm_hmac(hash, mac_key, WireWriter().raw(encrypted).raw(name).take());
  return Protected{WireWriter().sized(mac).raw(encrypted).take(),
                   secret_structure(parent, seed.encrypted)};
}

// Bytes written one after the other into guarded memory.
class SecretWriter {
 public:
  explicit SecretWriter(std::size_t size) : out_(size) {}
  SecretWriter& u16(std::size_t value) {
    const std::array<std::uint8_t, 2> bytes = {static_cast<std::uint8_t>(value >> 8U),
                                               static_cast<std::uint8_t>(value)};
    return raw(bytes);
  }
  SecretWriter& raw(Bytes bytes) {
    std::copy(bytes.begin(), bytes.end(),
              out_.reveal_for_writing().begin() + static_cast<std::ptrdiff_t>(at_));
    at_ += bytes.size();
    return *this;
  }
  SecretBytes take() {
    if (at_ != out_.size()) die("a secret structure of another size than was said");
    return std::move(out_);
  }

 private:
  SecretBytes out_;
  std::size_t at_ = 0;
};

// TPM2B_SENSITIVE: no authorization value, the seed of sealed data, the secret itself.
SecretBytes serialize_sensitive(std::uint16_t type, Bytes seed, const SecretBytes& secret) {
  const std::size_t size = 2 + 2 + 2 + seed.size() + 2 + secret.size();
  return SecretWriter(2 + size)
      .u16(size)
      .u16(type)
      .u16(0)
      .u16(seed.size())
      .raw(seed)
      .u16(secret.size())
      .raw(secret.reveal())
      .take();
}

// Part 1, section 23.3.2.2: a digest over the sensitive area and the name, then encryption.
ByteVector wrap_inner(const SecretBytes& inner_key, const SecretBytes& sensitive,
                      const Name& name) {
  const SecretBytes hashed =
      SecretWriter(sensitive.size() + name.size()).raw(sensitive.reveal()).raw(name).take();
  const Digest integrity = crypto::sha256(hashed.reveal());
  const SecretBytes plain = SecretWriter(2 + Digest::kSize + sensitive.size())
                                .u16(Digest::kSize)
                                .raw(integrity.bytes)
                                .raw(sensitive.reveal())
                                .take();
  return crypto::aes_cfb_encrypt(inner_key, plain.reveal());
}

}  // namespace

std::uint32_t duplicate_attributes(ObjectKind kind) {
  return kAdminWithPolicy | kNoDa | kEncryptedDuplication |
         (kind == ObjectKind::kAgreeP256 ? kDecrypt : 0);
}

Result<Credential> make_credential(const PublicArea& parent, const Name& object,
                                   const SecretBytes& secret) {
  if (secret.size() == 0 || secret.size() > Digest::kSize) {
    return Error(ErrorCode::kUsage, "a credential has 1 to 32 bytes");
  }
  const SecretBytes plain =
      SecretWriter(2 + secret.size()).u16(secret.size()).raw(secret.reveal()).take();
  Protected out = TRY(protect(parent, "IDENTITY", object, plain.reveal()));
  return Credential{std::move(out.blob), std::move(out.secret)};
}

Result<Duplicate> make_duplicate(const PublicArea& parent, const crypto::PrivateKey& key,
                                 const Digest& policy, const SecretBytes& inner_key) {
  if (inner_key.size() != kInnerKeySize) die("the inner key has 16 bytes");
  Duplicate out;
  out.object.policy = to_vector(policy.bytes);
  SecretBytes sensitive(0);
  if (key.type() == crypto::KeyType::kEcdhP256) {
    out.object.kind = ObjectKind::kAgreeP256;
    out.object.unique = to_vector(key.spki().last(64));
    sensitive = serialize_sensitive(kAlgEcc, {}, TRY(crypto::ecdh_p256_scalar(key)));
  } else if (key.type() == crypto::KeyType::kX25519) {
    const SecretBytes data = key.to_pkcs8();
    const SecretBytes seed = SecretBytes::random(Digest::kSize);
    out.object.kind = ObjectKind::kSealed;
    const SecretBytes hashed =
        SecretWriter(seed.size() + data.size()).raw(seed.reveal()).raw(data.reveal()).take();
    out.object.unique = to_vector(crypto::sha256(hashed.reveal()).bytes);
    sensitive = serialize_sensitive(kAlgKeyedHash, seed.reveal(), data);
  } else {
    return Error(ErrorCode::kUnsupported, "P-256 and X25519 keys that open go into a TPM");
  }
  out.object.attributes = duplicate_attributes(out.object.kind);
  const Name name = name_of(out.object);
  const ByteVector inner = wrap_inner(inner_key, sensitive, name);
  Protected wrapped = TRY(protect(parent, "DUPLICATE", name, inner));
  out.blob = std::move(wrapped.blob);
  out.secret = std::move(wrapped.secret);
  return out;
}

}  // namespace sealpack::tpm
