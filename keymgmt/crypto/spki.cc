// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/spki.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <span>

namespace sealpack::crypto::internal {
namespace {

// RSA-4096 takes 550 bytes.
constexpr std::size_t kMaxSpkiSize = 1024;

// With a fixed algorithm and a key of fixed size, DER leaves nothing to choose: a canonical SPKI is
// these bytes and then the raw key. Comparing them keeps an ASN.1 parser away from most input.
struct Form {
  std::size_t raw_size;
  std::size_t prefix_size;
  KeyKind kind;
  std::array<std::uint8_t, 26> prefix;

  Bytes start() const { return Bytes(prefix).first(prefix_size); }
};

constexpr Form kForms[] = {
    {32,
     12,
     KeyKind::kEd25519,
     {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}},
    {32,
     12,
     KeyKind::kX25519,
     {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00}},
    {65, 26, KeyKind::kP256, {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                              0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                              0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00}},
    {97, 23, KeyKind::kP384, {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                              0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                              0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00}},
    {133, 25, KeyKind::kP521, {0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                               0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
                               0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00}},
};

constexpr std::uint8_t kUncompressed = 0x04;

bool is_point_kind(KeyKind kind) {
  return kind == KeyKind::kP256 || kind == KeyKind::kP384 || kind == KeyKind::kP521;
}

Result<PkeyPtr> decode(Bytes der) {
  const QuietErrors quiet;
  const unsigned char* cursor = der.data();
  PkeyPtr key(der.size() > kMaxSpkiSize
                  ? nullptr
                  : d2i_PUBKEY(nullptr, &cursor, static_cast<long>(der.size())));
  if (key == nullptr || cursor != der.data() + der.size()) {
    return Error(ErrorCode::kMalformed, "not a public key (SubjectPublicKeyInfo DER)");
  }
  return key;
}

Status check_canonical(const EVP_PKEY* key, Bytes der) {
  ByteVector again(kMaxSpkiSize);
  unsigned char* cursor = again.data();
  const int size = i2d_PUBKEY(key, nullptr);
  if (size > 0 && static_cast<std::size_t>(size) == der.size() &&
      i2d_PUBKEY(key, &cursor) == size && std::equal(der.begin(), der.end(), again.begin())) {
    return done();
  }
  return Error(ErrorCode::kMalformed, "the public key is not in its canonical encoding");
}

Status check_rsa(const EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < 2048 || bits > 4096) {
    return Error(ErrorCode::kUnsupported,
                 "RSA keys have 2048 to 4096 bits, not " + std::to_string(bits));
  }
  BIGNUM* exponent = nullptr;
  EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent);
  const BignumPtr owner(exponent);
  if (exponent == nullptr || BN_is_word(exponent, RSA_F4) != 1) {
    return Error(ErrorCode::kUnsupported, "RSA keys have the public exponent 65537");
  }
  return done();
}

// A key whose bytes match none of the fixed forms: RSA, a form we do not take, or another key type.
Result<PublicKey> parse_other(Bytes der) {
  const PkeyPtr key = TRY(decode(der));
  if (EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_RSA) {
    TRY(check_canonical(key.get(), der));
    TRY(check_rsa(key.get()));
    return PublicKey{KeyKind::kRsa, {}};
  }
  for (const Form& form : kForms) {
    if (EVP_PKEY_is_a(key.get(), name_of(form.kind)) == 1) {
      return Error(ErrorCode::kMalformed, "the public key is not in its canonical encoding");
    }
  }
  char group[32] = "";
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(key.get(), group, sizeof group, &size) == 1) {
    const std::string_view name(group);
    if (name == "prime256v1" || name == "secp384r1" || name == "secp521r1") {
      return Error(ErrorCode::kMalformed,
                   "the public key is not in its canonical encoding "
                   "(named curve, uncompressed point)");
    }
  }
  return Error(ErrorCode::kUnsupported,
               "public keys are Ed25519, X25519, P-256, P-384 or RSA with e = 65537");
}

}  // namespace

const char* name_of(KeyKind kind) {
  switch (kind) {
    case KeyKind::kEd25519:
      return "ED25519";
    case KeyKind::kX25519:
      return "X25519";
    case KeyKind::kP256:
      return "P-256";
    case KeyKind::kP384:
      return "P-384";
    case KeyKind::kP521:
      return "P-521";
    case KeyKind::kRsa:
      return "RSA";
  }
  die("unknown key kind");
}

ByteVector spki_from_raw(KeyKind kind, Bytes raw) {
  for (const Form& form : kForms) {
    if (form.kind != kind) continue;
    require(raw.size() == form.raw_size, "a raw public key has the wrong size");
    ByteVector der = to_vector(form.start());
    der.insert(der.end(), raw.begin(), raw.end());
    return der;
  }
  die("no fixed encoding for this kind of key");
}

Result<PublicKey> parse_spki(Bytes der) {
  for (const Form& form : kForms) {
    const Bytes start = form.start();
    if (der.size() != start.size() + form.raw_size ||
        !std::equal(start.begin(), start.end(), der.begin())) {
      continue;
    }
    const Bytes raw = der.subspan(start.size());
    if (is_point_kind(form.kind) && raw[0] != kUncompressed) {
      return Error(ErrorCode::kMalformed, "the public key is not an uncompressed point");
    }
    return PublicKey{form.kind, raw};
  }
  return parse_other(der);
}

Result<PkeyPtr> import_public(KeyKind kind, Bytes raw) {
  const QuietErrors quiet;
  if (!is_point_kind(kind)) {
    PkeyPtr key(
        EVP_PKEY_new_raw_public_key_ex(nullptr, name_of(kind), nullptr, raw.data(), raw.size()));
    if (key == nullptr) {
      return Error(ErrorCode::kMalformed, std::string("not a public key for ") + name_of(kind));
    }
    return key;
  }
  const PkeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  // OSSL_PARAM wants mutable pointers but only reads through them.
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(name_of(kind)),
                                       0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                        const_cast<std::uint8_t*>(raw.data()), raw.size()),
      OSSL_PARAM_construct_end()};
  EVP_PKEY* key = nullptr;
  // Importing checks that the point is on the curve: an invalid one would leak a private key.
  if (raw.empty() || raw[0] != kUncompressed || context == nullptr ||
      EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    return Error(ErrorCode::kMalformed,
                 std::string("the public key is not a point of ") + name_of(kind));
  }
  return PkeyPtr(key);
}

Result<PkeyPtr> import_public_spki(Bytes der) {
  const PublicKey key = TRY(parse_spki(der));
  if (key.kind == KeyKind::kRsa) return decode(der);
  return import_public(key.kind, key.raw);
}

}  // namespace sealpack::crypto::internal
