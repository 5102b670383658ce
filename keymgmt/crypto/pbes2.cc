// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/pbes2.h"

#include <algorithm>
#include <bit>

#include "keymgmt/crypto/der.h"
#include "keymgmt/crypto/openssl_handles.h"
#include "keymgmt/crypto/random.h"

namespace sealpack::crypto::internal {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kPbes2 =
    "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"sv;  // 1.2.840.113549.1.5.13
constexpr std::string_view kScrypt =
    "\x2b\x06\x01\x04\x01\xda\x47\x04\x0b"sv;  // 1.3.6.1.4.1.11591.4.11
constexpr std::string_view kAes256Cbc =
    "\x60\x86\x48\x01\x65\x03\x04\x01\x2a"sv;  // 2.16.840.1.101.3.4.1.42

constexpr std::size_t kBlock = 16;
constexpr std::size_t kKeySize = 32;
constexpr std::size_t kMaxSaltSize = 64;
constexpr std::size_t kMaxCiphertext = 16384;
constexpr std::string_view kWhat = "encrypted private key";

struct Cost {
  std::uint64_t n;
  std::uint64_t r;
  std::uint64_t p;
};
constexpr Cost kWritten{std::uint64_t{1} << 17U, 8, 1};
constexpr Cost kMost{std::uint64_t{1} << 20U, 8, 1};

struct Envelope {
  Bytes salt;
  Cost cost{};
  Bytes iv;
  Bytes ciphertext;
};

Error unsupported(std::string_view what) {
  return {ErrorCode::kUnsupported,
          "encrypted private keys use PBES2 with scrypt and AES-256-CBC; "
          "this one has another " +
              std::string(what)};
}

Result<Cost> parse_cost(DerReader& in) {
  const Cost cost{TRY(in.unsigned_integer("scrypt N")), TRY(in.unsigned_integer("scrypt r")),
                  TRY(in.unsigned_integer("scrypt p"))};
  if (!in.at_end() && TRY(in.unsigned_integer("scrypt key length")) != kKeySize) {
    return in.malformed("the derived key does not have 32 bytes");
  }
  TRY(in.finish());
  if (cost.n < 2 || !std::has_single_bit(cost.n) || cost.r == 0 || cost.p == 0) {
    return in.malformed("scrypt costs are not a power of two, r and p not positive");
  }
  if (cost.n > kMost.n || cost.r > kMost.r || cost.p > kMost.p) {
    return Error(ErrorCode::kUnsupported,
                 "scrypt costs N = " + std::to_string(cost.n) + ", r = " + std::to_string(cost.r) +
                     ", p = " + std::to_string(cost.p) + " exceed N = 1048576, r = 8, p = 1");
  }
  return cost;
}

bool names(Bytes identifier, std::string_view wanted) {
  return as_text(identifier) == wanted;
}

Result<Envelope> parse(Bytes der) {
  Envelope envelope;
  DerReader outer(der, kWhat);
  DerReader info = TRY(outer.sequence("EncryptedPrivateKeyInfo"));
  TRY(outer.finish());
  DerReader algorithm = TRY(info.sequence("encryption algorithm"));
  envelope.ciphertext = TRY(info.element(DerTag::kOctetString, "encrypted data"));
  TRY(info.finish());
  if (!names(TRY(algorithm.element(DerTag::kObjectIdentifier, "encryption algorithm")), kPbes2)) {
    return unsupported("encryption scheme");
  }
  DerReader parameters = TRY(algorithm.sequence("PBES2 parameters"));
  TRY(algorithm.finish());

  DerReader kdf = TRY(parameters.sequence("key derivation"));
  if (!names(TRY(kdf.element(DerTag::kObjectIdentifier, "key derivation")), kScrypt)) {
    return unsupported("key derivation");
  }
  DerReader scrypt = TRY(kdf.sequence("scrypt parameters"));
  TRY(kdf.finish());
  envelope.salt = TRY(scrypt.element(DerTag::kOctetString, "scrypt salt"));
  envelope.cost = TRY(parse_cost(scrypt));

  DerReader cipher = TRY(parameters.sequence("cipher"));
  TRY(parameters.finish());
  if (!names(TRY(cipher.element(DerTag::kObjectIdentifier, "cipher")), kAes256Cbc)) {
    return unsupported("cipher");
  }
  envelope.iv = TRY(cipher.element(DerTag::kOctetString, "initialization vector"));
  TRY(cipher.finish());
  if (envelope.iv.size() != kBlock || envelope.salt.size() > kMaxSaltSize ||
      envelope.ciphertext.empty() || envelope.ciphertext.size() % kBlock != 0 ||
      envelope.ciphertext.size() > kMaxCiphertext) {
    return outer.malformed("a salt, initialization vector or ciphertext has a wrong size");
  }
  return envelope;
}

Result<SecretBytes> derive(const SecretBytes& passphrase, Bytes salt, Cost cost) {
  SecretBytes key(kKeySize);
  // V of 128 r N bytes, B of 128 r p and working space: RFC 7914 section 6.
  const std::uint64_t memory = 128 * cost.r * (cost.n + cost.p + 32);
  const Bytes secret = passphrase.reveal();
  if (EVP_PBE_scrypt(reinterpret_cast<const char*>(secret.data()), secret.size(), salt.data(),
                     salt.size(), cost.n, cost.r, cost.p, memory, key.reveal_for_writing().data(),
                     key.size()) != 1) {
    return Error(ErrorCode::kLimit, "cannot get " + format_size(memory) + " of memory for scrypt");
  }
  return key;
}

}  // namespace

ByteVector pbes2_encrypt(const SecretBytes& plain, const SecretBytes& passphrase) {
  const auto salt = random_array<16>();
  const auto iv = random_array<kBlock>();
  const SecretBytes key = derive(passphrase, salt, kWritten).value();
  const CipherContextPtr context(EVP_CIPHER_CTX_new());
  ByteVector ciphertext(plain.size() + kBlock);
  int body = 0;
  int tail = 0;
  require(context != nullptr &&
              EVP_EncryptInit_ex2(context.get(), EVP_aes_256_cbc(), key.reveal().data(), iv.data(),
                                  nullptr) == 1 &&
              EVP_EncryptUpdate(context.get(), ciphertext.data(), &body, plain.reveal().data(),
                                static_cast<int>(plain.size())) == 1 &&
              EVP_EncryptFinal_ex(context.get(), ciphertext.data() + body, &tail) == 1,
          "AES-256-CBC encryption failed");
  ciphertext.resize(static_cast<std::size_t>(body) + static_cast<std::size_t>(tail));

  const auto name = [](std::string_view bytes) {
    return der_element(DerTag::kObjectIdentifier, {as_bytes(bytes)});
  };
  const auto octets = [](Bytes bytes) { return der_element(DerTag::kOctetString, {bytes}); };
  const auto sequence = [](std::initializer_list<Bytes> parts) {
    return der_element(DerTag::kSequence, parts);
  };
  const ByteVector scrypt = sequence(
      {octets(salt), der_unsigned(kWritten.n), der_unsigned(kWritten.r), der_unsigned(kWritten.p)});
  const ByteVector parameters =
      sequence({sequence({name(kScrypt), scrypt}), sequence({name(kAes256Cbc), octets(iv)})});
  return sequence({sequence({name(kPbes2), parameters}), octets(ciphertext)});
}

Result<SecretBytes> pbes2_decrypt(Bytes der, const SecretBytes& passphrase) {
  const QuietErrors quiet;
  const Envelope envelope = TRY(parse(der));
  const SecretBytes key = TRY(derive(passphrase, envelope.salt, envelope.cost));
  const CipherContextPtr context(EVP_CIPHER_CTX_new());
  SecretBytes padded(envelope.ciphertext.size() + kBlock);
  std::uint8_t* out = padded.reveal_for_writing().data();
  int body = 0;
  int tail = 0;
  if (context == nullptr ||
      EVP_DecryptInit_ex2(context.get(), EVP_aes_256_cbc(), key.reveal().data(), envelope.iv.data(),
                          nullptr) != 1 ||
      EVP_DecryptUpdate(context.get(), out, &body, envelope.ciphertext.data(),
                        static_cast<int>(envelope.ciphertext.size())) != 1 ||
      EVP_DecryptFinal_ex(context.get(), out + body, &tail) != 1) {
    return Error(ErrorCode::kKeyUnavailable, "the passphrase does not open this private key");
  }
  return SecretBytes::copy_of(
      padded.reveal().first(static_cast<std::size_t>(body) + static_cast<std::size_t>(tail)));
}

}  // namespace sealpack::crypto::internal
