// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/pkcs11_key.h"

#include <array>

#include "keymgmt/crypto/hpke.h"
#include "keymgmt/crypto/token_keys.h"
#include "keymgmt/keystore/pkcs11_token.h"

namespace sealpack::keystore {

namespace {

using internal::Pkcs11Token;

CK_BYTE* writable(Bytes bytes) {
  return const_cast<CK_BYTE*>(bytes.data());
}

CK_MECHANISM mechanism_of(CK_MECHANISM_TYPE type, void* parameter = nullptr,
                          std::size_t parameter_size = 0) {
  CK_MECHANISM out{};
  out.mechanism = type;
  out.pParameter = parameter;
  out.ulParameterLen = static_cast<CK_ULONG>(parameter_size);
  return out;
}

Status require_mechanism(const Pkcs11Token& token, CK_MECHANISM_TYPE type, const char* name) {
  if (token.has_mechanism(type)) return done();
  return Error(ErrorCode::kUnsupported, token.name() + " does not offer " + name);
}

// CKA_EC_PARAMS as an object identifier; the printable name is what PKCS#11 3.0 also allows.
Result<crypto::TokenCurve> parse_curve(Bytes params) {
  struct Known {
    crypto::TokenCurve curve;
    const char* der_hex;
  };
  constexpr std::array<Known, 4> kKnown = {{
      {crypto::TokenCurve::kP256, "06082a8648ce3d030107"},
      {crypto::TokenCurve::kP384, "06052b81040022"},
      {crypto::TokenCurve::kEd25519, "06032b6570"},
      {crypto::TokenCurve::kEd25519, "130c656477617264733235353139"},
  }};
  const std::string hex = to_hex(params);
  for (const Known& known : kKnown) {
    if (hex == known.der_hex) return known.curve;
  }
  return Error(ErrorCode::kUnsupported, "a key on a curve other than Ed25519, P-256 and P-384");
}

// CKA_EC_POINT is a DER OCTET STRING; some modules give the bytes without it. No point of these
// curves is 0x04, its own size less two, ...: P-256 and P-384 points have 65 and 97 bytes, Ed25519
// keys 32, and the wrapped forms 67, 99 and 34.
Bytes unwrap_octet_string(Bytes point) {
  constexpr std::uint8_t kOctetString = 4;
  const bool wrapped = (point.size() == 67 || point.size() == 99 || point.size() == 34) &&
                       point[0] == kOctetString && point[1] == point.size() - 2;
  return wrapped ? point.subspan(2) : point;
}

Result<ByteVector> read_spki(const Pkcs11Token& token, CK_OBJECT_HANDLE private_key) {
  const CK_OBJECT_HANDLE object = TRY(token.public_key_of(private_key));
  const CK_ULONG type = TRY(token.number_attribute(object, CKA_KEY_TYPE));
  if (type == CKK_RSA) {
    const ByteVector modulus = TRY(token.attribute(object, CKA_MODULUS));
    const ByteVector exponent = TRY(token.attribute(object, CKA_PUBLIC_EXPONENT));
    return crypto::spki_from_rsa(modulus, exponent).within(token.name());
  }
  if (type != CKK_EC && type != CKK_EC_EDWARDS) {
    return Error(ErrorCode::kUnsupported, token.name() + ": the key is neither EC nor RSA");
  }
  const ByteVector params = TRY(token.attribute(object, CKA_EC_PARAMS));
  const ByteVector point = TRY(token.attribute(object, CKA_EC_POINT));
  const crypto::TokenCurve curve = TRY(parse_curve(params).within(token.name()));
  return crypto::spki_from_point(curve, unwrap_octet_string(point)).within(token.name());
}

class Pkcs11Signer : public crypto::Signer {
 public:
  Pkcs11Signer(std::unique_ptr<Pkcs11Token> token, CK_OBJECT_HANDLE private_key,
               crypto::VerifyingKey key)
      : token_(std::move(token)), private_key_(private_key), key_(std::move(key)) {}

  const crypto::VerifyingKey& public_key() const override { return key_; }

  Result<ByteVector> sign(Bytes message) const override {
    const bool edwards = key_.algorithm() == crypto::SignatureAlgorithm::kEd25519;
    ByteVector signature;
    if (edwards) {
      signature = TRY(sign_raw(CKM_EDDSA, message));
    } else {
      const ByteVector hash = crypto::hash_for_ecdsa(key_.algorithm(), message);
      const ByteVector raw = TRY(sign_raw(CKM_ECDSA, hash));
      signature = TRY(crypto::ecdsa_with_low_s(key_.algorithm(), raw).within(token_->name()));
    }
    // A token that errs (or is made to err) while signing can give its key away.
    if (!key_.verify(message, signature).ok()) {
      return Error(ErrorCode::kNotAuthentic,
                   token_->name() + ": the signature does not hold under its public key");
    }
    return signature;
  }

 private:
  Result<ByteVector> sign_raw(CK_MECHANISM_TYPE type, Bytes input) const {
    const std::lock_guard<std::mutex> lock(token_->mutex());
    CK_FUNCTION_LIST& functions = token_->functions();
    CK_MECHANISM mechanism = mechanism_of(type);
    CK_RV reason = functions.C_SignInit(token_->session(), &mechanism, private_key_);
    if (reason != CKR_OK) return token_->failed("sign", reason);
    TRY(token_->login_for_use(private_key_));
    ByteVector signature(crypto::signature_size(key_.algorithm()));
    auto size = static_cast<CK_ULONG>(signature.size());
    reason = functions.C_Sign(token_->session(), writable(input),
                              static_cast<CK_ULONG>(input.size()), signature.data(), &size);
    if (reason != CKR_OK) return token_->failed("sign", reason);
    signature.resize(size);
    return signature;
  }

  std::unique_ptr<Pkcs11Token> token_;
  CK_OBJECT_HANDLE private_key_;
  crypto::VerifyingKey key_;
};

class Pkcs11Decryptor : public crypto::Decryptor {
 public:
  Pkcs11Decryptor(std::unique_ptr<Pkcs11Token> token, CK_OBJECT_HANDLE private_key,
                  std::size_t modulus_size, crypto::EncryptionKey key)
      : token_(std::move(token)),
        private_key_(private_key),
        modulus_size_(modulus_size),
        key_(std::move(key)) {}

  const crypto::EncryptionKey& public_key() const override { return key_; }

  Result<crypto::SecretBytes> hpke_open(Bytes enc, Bytes info, Bytes aad,
                                        Bytes ciphertext) const override {
    TRY(crypto::check_encapsulated_key(key_, enc));
    const crypto::SecretBytes shared = TRY(derive(enc));
    return crypto::hpke_open_with_shared_secret(shared, enc, key_, info, aad, ciphertext);
  }

  Result<crypto::SecretBytes> rsa_oaep_unwrap(Bytes wrapped) const override {
    if (key_.algorithm() != crypto::EncryptionAlgorithm::kRsa) {
      return Error(ErrorCode::kUnsupported, token_->name() + ": the key is not an RSA key");
    }
    if (wrapped.size() != modulus_size_) return does_not_open();
    const std::lock_guard<std::mutex> lock(token_->mutex());
    CK_RSA_PKCS_OAEP_PARAMS parameters{};
    parameters.hashAlg = CKM_SHA256;
    parameters.mgf = CKG_MGF1_SHA256;
    parameters.source = CKZ_DATA_SPECIFIED;
    CK_MECHANISM oaep = mechanism_of(CKM_RSA_PKCS_OAEP, &parameters, sizeof parameters);
    const CK_RV reason = token_->functions().C_DecryptInit(token_->session(), &oaep, private_key_);
    if (reason == CKR_OK) return decrypt(wrapped);
    // SoftHSM and some smart cards offer OAEP with SHA-1 alone, each with an error of its own.
    if (reason != CKR_ARGUMENTS_BAD && reason != CKR_MECHANISM_INVALID &&
        reason != CKR_MECHANISM_PARAM_INVALID) {
      return token_->failed("decrypt", reason);
    }
    return unwrap_raw(wrapped);
  }

 private:
  Error does_not_open() const {
    return Error(ErrorCode::kKeyUnavailable,
                 "the key in " + token_->name() + " does not open the slot");
  }

  Result<crypto::SecretBytes> unwrap_raw(Bytes wrapped) const {
    CK_MECHANISM raw = mechanism_of(CKM_RSA_X_509);
    const CK_RV reason = token_->functions().C_DecryptInit(token_->session(), &raw, private_key_);
    if (reason == CKR_MECHANISM_INVALID) {
      return Error(ErrorCode::kUnsupported, token_->name() +
                                                " offers neither CKM_RSA_PKCS_OAEP with "
                                                "SHA-256 nor CKM_RSA_X_509");
    }
    if (reason != CKR_OK) return token_->failed("decrypt", reason);
    const crypto::SecretBytes block = TRY(decrypt(wrapped));
    return crypto::rsa_oaep_unpad(block, modulus_size_);
  }

  // After C_DecryptInit.
  Result<crypto::SecretBytes> decrypt(Bytes wrapped) const {
    TRY(token_->login_for_use(private_key_));
    crypto::SecretBytes plain(modulus_size_);
    auto size = static_cast<CK_ULONG>(modulus_size_);
    const CK_RV reason = token_->functions().C_Decrypt(token_->session(), writable(wrapped),
                                                       static_cast<CK_ULONG>(wrapped.size()),
                                                       plain.reveal_for_writing().data(), &size);
    // Never why: a difference would be a padding oracle.
    if (reason != CKR_OK || size > modulus_size_) return does_not_open();
    return crypto::SecretBytes::copy_of(plain.reveal().first(size));
  }

  Result<crypto::SecretBytes> derive(Bytes peer_point) const {
    const std::lock_guard<std::mutex> lock(token_->mutex());
    CK_ECDH1_DERIVE_PARAMS parameters{};
    parameters.kdf = CKD_NULL;
    parameters.ulPublicDataLen = static_cast<CK_ULONG>(peer_point.size());
    parameters.pPublicData = writable(peer_point);
    CK_MECHANISM ecdh = mechanism_of(CKM_ECDH1_DERIVE, &parameters, sizeof parameters);
    constexpr std::size_t kSharedSize = 32;
    CK_OBJECT_CLASS object_class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    CK_ULONG value_size = kSharedSize;
    std::array<CK_ATTRIBUTE, 6> wanted = {{{CKA_CLASS, &object_class, sizeof object_class},
                                           {CKA_KEY_TYPE, &type, sizeof type},
                                           {CKA_TOKEN, &no, sizeof no},
                                           {CKA_SENSITIVE, &no, sizeof no},
                                           {CKA_EXTRACTABLE, &yes, sizeof yes},
                                           {CKA_VALUE_LEN, &value_size, sizeof value_size}}};
    CK_OBJECT_HANDLE object = 0;
    CK_FUNCTION_LIST& functions = token_->functions();
    CK_RV reason = functions.C_DeriveKey(token_->session(), &ecdh, private_key_, wanted.data(),
                                         wanted.size(), &object);
    if (reason != CKR_OK) return token_->failed("agree on a secret", reason);
    crypto::SecretBytes shared(kSharedSize);
    CK_ATTRIBUTE value{CKA_VALUE, shared.reveal_for_writing().data(), kSharedSize};
    reason = functions.C_GetAttributeValue(token_->session(), object, &value, 1);
    functions.C_DestroyObject(token_->session(), object);
    if (reason != CKR_OK || value.ulValueLen != kSharedSize) {
      return token_->failed("read the agreed secret", reason);
    }
    return shared;
  }

  std::unique_ptr<Pkcs11Token> token_;
  CK_OBJECT_HANDLE private_key_;
  std::size_t modulus_size_;  // of RSA keys, in bytes
  crypto::EncryptionKey key_;
};

}  // namespace

Result<std::unique_ptr<crypto::Signer>> open_pkcs11_signer(const std::string& uri,
                                                           PassphraseSource& pins) {
  std::unique_ptr<Pkcs11Token> token = TRY(Pkcs11Token::open(uri, pins));
  const CK_OBJECT_HANDLE private_key = TRY(token->private_key());
  const ByteVector spki = TRY(read_spki(*token, private_key));
  crypto::VerifyingKey key = TRY(crypto::VerifyingKey::from_spki(spki).within(token->name()));
  if (key.algorithm() == crypto::SignatureAlgorithm::kEd25519) {
    TRY(require_mechanism(*token, CKM_EDDSA, "CKM_EDDSA"));
  } else {
    TRY(require_mechanism(*token, CKM_ECDSA, "CKM_ECDSA"));
  }
  return std::unique_ptr<crypto::Signer>(
      std::make_unique<Pkcs11Signer>(std::move(token), private_key, std::move(key)));
}

Result<std::unique_ptr<crypto::Decryptor>> open_pkcs11_decryptor(const std::string& uri,
                                                                 PassphraseSource& pins) {
  std::unique_ptr<Pkcs11Token> token = TRY(Pkcs11Token::open(uri, pins));
  const CK_OBJECT_HANDLE private_key = TRY(token->private_key());
  const ByteVector spki = TRY(read_spki(*token, private_key));
  crypto::EncryptionKey key = TRY(crypto::EncryptionKey::from_spki(spki).within(token->name()));
  std::size_t modulus_size = 0;
  if (key.algorithm() == crypto::EncryptionAlgorithm::kRsa) {
    const ByteVector modulus = TRY(token->attribute(private_key, CKA_MODULUS));
    modulus_size = modulus.size() - (!modulus.empty() && modulus.front() == 0 ? 1U : 0U);
  } else {
    TRY(require_mechanism(*token, CKM_ECDH1_DERIVE, "CKM_ECDH1_DERIVE"));
  }
  return std::unique_ptr<crypto::Decryptor>(std::make_unique<Pkcs11Decryptor>(
      std::move(token), private_key, modulus_size, std::move(key)));
}

}  // namespace sealpack::keystore
