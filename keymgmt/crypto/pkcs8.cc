// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/pkcs8.h"

#include <algorithm>

#include "keymgmt/crypto/der.h"

namespace sealpack::crypto::internal {
namespace {

// RSA-4096 takes about 2,400 bytes.
constexpr std::size_t kMaxSize = 8192;

// For keys of fixed size the encoding is: these bytes, the raw private key, and for the curves the
// bytes between and the public point.
struct Form {
  std::optional<KeyKind> kind;  // nullopt: AES-256, as id-aes256-wrap-pad without parameters
  std::size_t raw_size;
  std::string_view prefix;
  std::string_view infix;
  std::size_t public_size;
};

using namespace std::string_view_literals;  // the bytes below contain zeros

constexpr Form kForms[] = {
    {KeyKind::kEd25519, 32, "\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"sv,
     ""sv, 0},
    {KeyKind::kX25519, 32, "\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x6e\x04\x22\x04\x20"sv,
     ""sv, 0},
    {KeyKind::kP256, 32,
     "\x30\x81\x87\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce"
     "\x3d\x03\x01\x07\x04\x6d\x30\x6b\x02\x01\x01\x04\x20"sv,
     "\xa1\x44\x03\x42\x00"sv, 65},
    {KeyKind::kP384, 48,
     "\x30\x81\xb6\x02\x01\x00\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00"
     "\x22\x04\x81\x9e\x30\x81\x9b\x02\x01\x01\x04\x30"sv,
     "\xa1\x64\x03\x62\x00"sv, 97},
    {std::nullopt, 32,
     "\x30\x32\x02\x01\x00\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x30\x04\x20"sv, ""sv, 0},
};

constexpr std::string_view kRsaAlgorithm =
    "\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"sv;

using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, FreeWith<PKCS8_PRIV_KEY_INFO_free>>;

Error malformed() {
  return {ErrorCode::kMalformed, "not a private key (PKCS#8 DER)"};
}

const Form& form_of(const std::optional<KeyKind>& kind) {
  for (const Form& form : kForms) {
    if (form.kind == kind) return form;
  }
  die("no fixed encoding for this kind of key");
}

// The key at the fixed place of a fixed form; nullopt if `der` is of another form.
std::optional<Result<PrivateMaterial>> parse_fixed(Bytes der) {
  for (const Form& form : kForms) {
    const Bytes prefix = as_bytes(form.prefix);
    if (form.public_size != 0 || der.size() != prefix.size() + form.raw_size ||
        !std::equal(prefix.begin(), prefix.end(), der.begin())) {
      continue;
    }
    const Bytes raw = der.subspan(prefix.size());
    if (!form.kind.has_value()) {
      return PrivateMaterial{std::nullopt, nullptr, *WrappingKey::from(SecretBytes::copy_of(raw))};
    }
    auto key = import_private(*form.kind, raw);
    if (!key.ok()) return std::move(key).take_error();
    return PrivateMaterial{form.kind, *std::move(key), std::nullopt};
  }
  return std::nullopt;
}

// OpenSSL's version 0 structure and its key; it wipes both on freeing them.
Result<PkeyPtr> decode(Bytes der) {
  const SecretBytes prepare(0);
  const unsigned char* cursor = der.data();
  const Pkcs8Ptr info(der.size() > kMaxSize ? nullptr
                                            : d2i_PKCS8_PRIV_KEY_INFO(
                                                  nullptr, &cursor, static_cast<long>(der.size())));
  if (info == nullptr || cursor != der.data() + der.size()) return malformed();
  PkeyPtr key(EVP_PKCS82PKEY(info.get()));
  if (key == nullptr) return malformed();
  return key;
}

Result<PrivateMaterial> from_curve_key(KeyKind kind, const PkeyPtr& decoded) {
  // Rebuilt from the scalar, so that a file with another public key inside cannot make us sign or
  // publish under it.
  const SecretBytes scalar = export_private(kind, decoded.get());
  PkeyPtr key = TRY(import_private(kind, scalar.reveal()));
  if (EVP_PKEY_eq(key.get(), decoded.get()) != 1) {
    return Error(ErrorCode::kMalformed,
                 "the private key does not belong to the public key with it");
  }
  return PrivateMaterial{kind, std::move(key), std::nullopt};
}

SecretBytes serialize_rsa(EVP_PKEY* key) {
  const int size = i2d_PrivateKey(key, nullptr);
  require(size > 0, "exporting a private key failed");
  const std::size_t inner = static_cast<std::size_t>(size);
  const ByteVector inner_header = der_header(DerTag::kOctetString, inner);
  const ByteVector header =
      der_header(DerTag::kSequence, kRsaAlgorithm.size() + inner_header.size() + inner);
  SecretBytes der(header.size() + kRsaAlgorithm.size() + inner_header.size() + inner);
  auto out = der.reveal_for_writing().begin();
  for (const Bytes part : {Bytes(header), as_bytes(kRsaAlgorithm), Bytes(inner_header)}) {
    out = std::copy(part.begin(), part.end(), out);
  }
  unsigned char* cursor = &*out;
  require(i2d_PrivateKey(key, &cursor) == size, "exporting a private key failed");
  return der;
}

}  // namespace

Result<PrivateMaterial> parse_pkcs8(Bytes der) {
  const QuietErrors quiet;
  if (auto fixed = parse_fixed(der); fixed.has_value()) return *std::move(fixed);
  DerReader outer(der, "private key");
  DerReader info = TRY(outer.sequence("PrivateKeyInfo"));
  if (const std::uint64_t version = TRY(info.unsigned_integer("version")); version != 0) {
    return Error(ErrorCode::kUnsupported,
                 "private keys are PKCS#8 version 0, not " + std::to_string(version));
  }
  PkeyPtr key = TRY(decode(der));
  // With attributes or in another form than ours; OpenSSL computed the public key itself.
  for (const KeyKind kind : {KeyKind::kEd25519, KeyKind::kX25519}) {
    if (EVP_PKEY_is_a(key.get(), name_of(kind)) == 1) {
      return PrivateMaterial{kind, std::move(key), std::nullopt};
    }
  }
  for (const KeyKind kind : {KeyKind::kP256, KeyKind::kP384}) {
    char group[32] = "";
    std::size_t size = 0;
    if (EVP_PKEY_is_a(key.get(), "EC") != 1 ||
        EVP_PKEY_get_group_name(key.get(), group, sizeof group, &size) != 1) {
      break;
    }
    if (std::string_view(group) == (kind == KeyKind::kP256 ? "prime256v1" : "secp384r1")) {
      return from_curve_key(kind, key);
    }
  }
  if (EVP_PKEY_is_a(key.get(), "RSA") == 1) {
    TRY(parse_spki(public_spki(KeyKind::kRsa, key.get())));  // size and exponent
    return PrivateMaterial{KeyKind::kRsa, std::move(key), std::nullopt};
  }
  return Error(ErrorCode::kUnsupported,
               "private keys are Ed25519, X25519, P-256, P-384, RSA or AES-256");
}

SecretBytes serialize_pkcs8(const PrivateMaterial& material) {
  if (material.kind == KeyKind::kRsa) return serialize_rsa(material.key.get());
  const Form& form = form_of(material.kind);
  const SecretBytes raw = material.kind.has_value()
                              ? export_private(*material.kind, material.key.get())
                              : SecretBytes::copy_of(material.symmetric->reveal());
  const ByteVector point =
      form.public_size == 0 ? ByteVector() : public_raw(*material.kind, material.key.get());
  SecretBytes der(form.prefix.size() + form.raw_size + form.infix.size() + form.public_size);
  auto out = der.reveal_for_writing().begin();
  for (const Bytes part :
       {as_bytes(form.prefix), raw.reveal(), as_bytes(form.infix), Bytes(point)}) {
    out = std::copy(part.begin(), part.end(), out);
  }
  return der;
}

}  // namespace sealpack::crypto::internal
