// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/capi/trust.h"

#include "formats/files/file_source.h"

namespace sealpack::capi {
namespace {

using keystore::PublicKey;
using keystore::Role;

constexpr std::size_t kMaxKeys = 192;
constexpr std::size_t kMaxTrustText = std::size_t{1} << 20U;

Result<PublicKey> parse_key(std::string_view bytes, Role assumed) {
  if (bytes.starts_with("sealpack-key:") || bytes.starts_with("-----BEGIN ")) {
    return keystore::parse_public_key(bytes, assumed);
  }
  PublicKey key;
  key.role = assumed;
  key.spki = to_vector(as_bytes(bytes));
  if (keystore::signs(assumed)) {
    key.digest = TRY(crypto::VerifyingKey::from_spki(key.spki)).digest();
  } else {
    key.digest = TRY(crypto::EncryptionKey::from_spki(key.spki)).digest();
  }
  return key;
}

// The keys of a struct, by what they may do.
struct Signers {
  unpacker::SignerRule authority{"authority", {}, 0};
  unpacker::SignerRule publisher{"publisher", {}, 0};
  unpacker::SignerRule reviewer{"reviewer", {}, 0};

  unpacker::SignerRule* find(const std::string& role) {
    for (unpacker::SignerRule* rule : {&authority, &publisher, &reviewer}) {
      if (rule->role == role) return rule;
    }
    return nullptr;
  }
  bool has(const Digest& digest) const {
    for (const unpacker::SignerRule* rule : {&authority, &publisher, &reviewer}) {
      for (const crypto::VerifyingKey& key : rule->keys) {
        if (key.digest() == digest) return true;
      }
    }
    return false;
  }
};

Result<Signers> load_signers(const sealpack_trust_options& options) {
  Signers signers;
  for (const sealpack_public_key& given :
       TRY(take_array(options.keys, options.key_count, kMaxKeys, "keys"))) {
    const std::string name = TRY(text_of(given.role, "role of a key"));
    unpacker::SignerRule* rule = signers.find(name);
    if (rule == nullptr) return usage("trust: no keys of role " + printable(name));
    const PublicKey key = TRY(load_key(given, *keystore::parse_role(name)));
    if (signers.has(key.digest)) return usage("trust: one key is listed twice");
    rule->keys.push_back(key.verifying_key());
  }
  return signers;
}

Status set_threshold(unpacker::SignerRule& rule, std::uint32_t given, bool signs_by_default) {
  rule.threshold = given != 0 ? given : (signs_by_default && !rule.keys.empty() ? 1 : 0);
  if (rule.threshold <= rule.keys.size()) return done();
  return usage("trust: role " + rule.role + " wants " + std::to_string(rule.threshold) +
               " signatures of " + std::to_string(rule.keys.size()) + " keys");
}

std::optional<Digest> digest_at(const std::uint8_t* bytes) {
  if (bytes == nullptr) return std::nullopt;
  Digest digest;
  std::copy_n(bytes, Digest::kSize, digest.bytes.begin());
  return digest;
}

Result<unpacker::TrustFile> make_trust(const sealpack_trust_options& options) {
  Signers signers = TRY(load_signers(options));
  if (signers.authority.keys.empty()) return usage("trust: no key of role authority");
  unpacker::TrustFile out;
  for (const auto& key : signers.authority.keys) out.trust.authorities.push_back(key.digest());
  TRY(set_threshold(signers.authority, options.authority_threshold,
                    signers.publisher.keys.empty()));
  TRY(set_threshold(signers.publisher, options.publisher_threshold, true));
  TRY(set_threshold(signers.reviewer, options.reviewer_threshold, true));
  for (unpacker::SignerRule* rule : {&signers.authority, &signers.publisher, &signers.reviewer}) {
    if (rule->threshold != 0) out.trust.signers.push_back(std::move(*rule));
  }
  if (options.product != nullptr) out.trust.product = TRY(text_of(options.product, "product"));
  out.trust.counter_floor = options.counter_floor;
  out.trust.floor_release = digest_at(options.floor_release);
  out.trust.content = digest_at(options.content);
  out.use_host_time = options.no_host_time == 0;
  if (out.trust.floor_release && out.trust.counter_floor == 0) {
    return usage("trust: floor_release needs its counter_floor");
  }
  if (out.trust.counter_floor != 0 && !out.trust.product) {
    return usage("trust: a counter floor needs its product; every product counts for itself");
  }
  return out;
}

// Hands a new handle to the caller, or sets his pointer to NULL.
template <typename Make>
int make_trust_handle(sealpack_trust** trust, sealpack_error* error, const Make& make) {
  if (trust != nullptr) *trust = nullptr;
  return guarded(error, [&]() -> Status {
    TRY(require(trust, "trust"));
    auto made = TRY(make());
    *trust = new sealpack_trust{std::move(made)};
    return done();
  });
}

}  // namespace

Result<PublicKey> load_key(const sealpack_public_key& given, Role assumed) {
  if ((given.path == nullptr) == (given.data == nullptr)) {
    return usage("a key has either a path or data");
  }
  PublicKey key;
  if (given.path != nullptr) {
    key = TRY(keystore::load_public_key(TRY(text_of(given.path, "path of a key")), assumed));
  } else {
    if (given.data_size > keystore::kMaxKeyFileSize) {
      return Error(ErrorCode::kLimit, "a key has at most 64 KiB");
    }
    key = TRY(
        parse_key({static_cast<const char*>(given.data), given.data_size}, assumed).within("key"));
  }
  if (key.role == assumed) return key;
  return usage(std::string("a key of role ") + keystore::to_string(key.role) + ", listed as " +
               keystore::to_string(assumed));
}

}  // namespace sealpack::capi

using namespace sealpack;

int sealpack_trust_load(const char* path, sealpack_trust** trust, sealpack_error* error) {
  return capi::make_trust_handle(trust, error, [&]() -> Result<unpacker::TrustFile> {
    return unpacker::load_trust({TRY(capi::text_of(path, "path"))});
  });
}

int sealpack_trust_parse(const char* text, size_t size, const char* folder, sealpack_trust** trust,
                         sealpack_error* error) {
  return capi::make_trust_handle(trust, error, [&]() -> Result<unpacker::TrustFile> {
    TRY(capi::require(text, "text"));
    if (size > capi::kMaxTrustText) {
      return Error(ErrorCode::kLimit, "a trust.toml has at most 1 MiB");
    }
    return unpacker::load_trust_text({text, size}, "trust.toml",
                                     TRY(capi::text_of(folder, "folder")));
  });
}

int sealpack_trust_create(const sealpack_trust_options* options, sealpack_trust** trust,
                          sealpack_error* error) {
  return capi::make_trust_handle(trust, error, [&]() -> Result<unpacker::TrustFile> {
    return capi::make_trust(TRY(capi::take(options, "options")));
  });
}

void sealpack_trust_free(sealpack_trust* trust) {
  delete trust;
}
