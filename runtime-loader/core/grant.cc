// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/grant.h"

#include "formats/bundle/labels.h"
#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"
#include "keymgmt/crypto/dsse.h"
#include "keymgmt/crypto/hash.h"
#include "runtime-loader/core/labels.h"
#include "runtime-loader/core/names.h"

namespace sealpack::loader {
namespace {

using bundle::LengthPrefixed;
using bundle::MessageReader;
using bundle::MessageWriter;

constexpr std::uint32_t kGrantProtocol = 1;
constexpr std::size_t kMinNonceSize = 16;
constexpr std::size_t kMaxNonceSize = 64;
constexpr std::size_t kMaxChallengeIdSize = 256;
constexpr std::size_t kMaxKeySize = 1024;
constexpr std::size_t kMaxSignatureSize = 1024;

// Associated data of the sealed key: what the grant says besides.
ByteVector bound_facts(const GrantFacts& facts) {
  LengthPrefixed out;
  out.add(kGrantFactsLabel).add(facts.unix_seconds);
  out.add(facts.floor ? facts.floor->counter : 0);
  if (facts.floor && facts.floor->release) out.add(Bytes(facts.floor->release->bytes));
  // Parts of 8 and 16 bytes: never those of a floor without a lease.
  if (facts.instance) out.add(facts.lease_until).add(Bytes(*facts.instance));
  return out.bytes();
}

struct GrantPayload {
  ByteVector enc;
  ByteVector wrapped;
  GrantFacts facts;
};

ByteVector serialize_payload(const GrantPayload& payload) {
  MessageWriter out;
  out.u64(1, kGrantProtocol).bytes(2, payload.enc).bytes(3, payload.wrapped);
  out.u64(4, payload.facts.unix_seconds);
  if (payload.facts.floor) {
    out.u64(5, payload.facts.floor->counter);
    if (payload.facts.floor->release) out.digest(6, *payload.facts.floor->release);
  }
  if (payload.facts.instance) {
    out.u64(7, payload.facts.lease_until).element(8, Bytes(*payload.facts.instance));
  }
  return out.take();
}

Status check_protocol(std::uint32_t version, const char* what) {
  if (version == kGrantProtocol) return done();
  return Error(ErrorCode::kUnsupported, std::string(what) + " of version " +
                                            std::to_string(version) + ", this loader knows " +
                                            std::to_string(kGrantProtocol));
}

Result<GrantPayload> parse_payload(Bytes bytes) {
  MessageReader in(bytes, "key grant payload");
  TRY(check_protocol(TRY(in.u32(1, "version")), "key grant"));
  GrantPayload payload;
  payload.enc = to_vector(TRY(in.bytes(2, "encapsulated key", kMaxKeySize)));
  payload.wrapped = to_vector(TRY(in.bytes(3, "sealed key", kMaxKeySize)));
  payload.facts.unix_seconds = TRY(in.u64(4, "time"));
  const std::uint64_t counter = TRY(in.u64(5, "counter floor"));
  if (counter != 0) payload.facts.floor = Floor{counter, std::nullopt};
  if (TRY(in.at(6))) {
    const Digest release = TRY(in.digest(6, "floor release"));
    if (!payload.facts.floor) return in.malformed("a floor release without a counter");
    payload.facts.floor->release = release;
  }
  payload.facts.lease_until = TRY(in.u64(7, "end of the lease"));
  if (payload.facts.lease_until != 0) {
    payload.facts.instance = TRY(in.array<sizeof(Instance)>(8, "instance"));
  }
  TRY(in.finish());
  return payload;
}

Status check_terms(const GrantTerms& terms) {
  const std::size_t nonce = terms.challenge.nonce.size();
  if (nonce < kMinNonceSize || nonce > kMaxNonceSize) {
    return Error(ErrorCode::kMalformed, "a nonce of " + std::to_string(nonce) + " bytes");
  }
  if (terms.challenge.id.size() > kMaxChallengeIdSize) {
    return Error(ErrorCode::kMalformed,
                 "a challenge id of " + std::to_string(terms.challenge.id.size()) + " bytes");
  }
  TRY(check_label(terms.tee, "TEE type"));
  return check_label(terms.role, "role");
}

Error for_another_exchange() {
  return {ErrorCode::kKeyUnavailable, "the grant does not open here"};
}

}  // namespace

ByteVector grant_transcript(const GrantTerms& terms) {
  LengthPrefixed out;
  out.add(kGrantLabel)
      .add(std::uint64_t{kGrantProtocol})
      .add(Bytes(terms.challenge.nonce))
      .add(Bytes(terms.challenge.id))
      .add(Bytes(terms.broker.bytes))
      .add(Bytes(terms.authority.bytes))
      .add(Bytes(terms.content.bytes))
      .add(Bytes(terms.release.bytes))
      .add(std::string_view(terms.tee))
      .add(kGrantSuite)
      .add(Bytes(terms.public_key))
      .add(std::string_view(terms.role));
  if (terms.renews) out.add(Bytes(*terms.renews));
  return out.bytes();
}

ByteVector report_data_for(std::string_view tee, Bytes statement) {
  using crypto::HashAlgorithm;
  const auto algorithm = [&] {
    if (tee == "nitro") return HashAlgorithm::kSha384;
    // Qualifying data of a quote is no longer than the largest hash of the TPM; all have SHA-256.
    if (tee == "tpm" || tee == "azure-sev-snp" || tee == "azure-tdx") return HashAlgorithm::kSha256;
    return HashAlgorithm::kSha512;
  }();
  return crypto::hash(algorithm, statement);
}

ByteVector serialize_key_request(const KeyRequest& request) {
  const GrantTerms& terms = request.terms;
  MessageWriter out;
  out.u64(1, kGrantProtocol)
      .bytes(2, terms.challenge.nonce)
      .bytes(3, terms.challenge.id)
      .digest(4, terms.broker)
      .digest(5, terms.authority)
      .digest(6, terms.content)
      .digest(7, terms.release)
      .text(8, terms.tee)
      .bytes(9, terms.public_key)
      .text(10, terms.role)
      .bytes(11, request.evidence);
  if (terms.renews) out.element(12, Bytes(*terms.renews));
  return out.take();
}

Result<KeyRequest> parse_key_request(Bytes bytes) {
  if (bytes.size() > kMaxKeyRequestSize) {
    return Error(ErrorCode::kLimit, "key request of " + std::to_string(bytes.size()) + " bytes");
  }
  MessageReader in(bytes, "key request");
  TRY(check_protocol(TRY(in.u32(1, "version")), "key request"));
  KeyRequest request;
  GrantTerms& terms = request.terms;
  terms.challenge.nonce = to_vector(TRY(in.bytes(2, "nonce", kMaxNonceSize)));
  terms.challenge.id = to_vector(TRY(in.bytes(3, "challenge id", kMaxChallengeIdSize)));
  terms.broker = TRY(in.digest(4, "broker key"));
  terms.authority = TRY(in.digest(5, "authority"));
  terms.content = TRY(in.digest(6, "content digest"));
  terms.release = TRY(in.digest(7, "release digest"));
  terms.tee = TRY(in.text(8, "TEE type", kMaxLabelSize));
  terms.public_key = to_vector(TRY(in.bytes(9, "public key", kMaxKeySize)));
  terms.role = TRY(in.text(10, "role", kMaxLabelSize));
  request.evidence = to_vector(TRY(in.bytes(11, "evidence", kMaxEvidenceSize)));
  if (TRY(in.at(12))) terms.renews = TRY(in.array<sizeof(Instance)>(12, "renewed instance"));
  TRY(in.finish());
  TRY(check_terms(terms));
  return request;
}

ByteVector serialize_key_grant(const KeyGrant& grant) {
  return MessageWriter().bytes(1, grant.payload).bytes(2, grant.signature).take();
}

Result<KeyGrant> parse_key_grant(Bytes bytes) {
  if (bytes.size() > kMaxKeyGrantSize) {
    return Error(ErrorCode::kLimit, "key grant of " + std::to_string(bytes.size()) + " bytes");
  }
  MessageReader in(bytes, "key grant");
  KeyGrant grant;
  grant.payload = to_vector(TRY(in.bytes(1, "payload", kMaxKeyGrantSize)));
  grant.signature = to_vector(TRY(in.bytes(2, "signature", kMaxSignatureSize)));
  TRY(in.finish());
  if (grant.payload.empty()) return in.malformed("no payload");
  return grant;
}

Result<KeyGrant> make_key_grant(const KeyRequest& request, const crypto::ContentKey& key,
                                const GrantFacts& facts, const crypto::Signer* broker) {
  TRY(check_terms(request.terms));
  if (facts.floor && facts.floor->counter == 0) {
    return Error(ErrorCode::kUsage, "a counter floor of 0 states nothing");
  }
  if (facts.instance.has_value() != (facts.lease_until != 0)) {
    return Error(ErrorCode::kUsage, "a lease has an end and an instance");
  }
  const Digest signer = broker == nullptr ? Digest{} : broker->public_key().digest();
  if (request.terms.broker != signer) {
    return Error(ErrorCode::kRefused, "the request is for another broker");
  }
  const auto recipient = TRY(crypto::EncryptionKey::from_spki(request.terms.public_key));
  if (recipient.algorithm() != crypto::EncryptionAlgorithm::kX25519) {
    return Error(ErrorCode::kUnsupported, "a grant is sealed to an X25519 key");
  }
  const ByteVector transcript = grant_transcript(request.terms);
  crypto::HpkeSealed sealed =
      TRY(crypto::hpke_seal(recipient, transcript, bound_facts(facts), key.reveal()));
  KeyGrant grant;
  grant.payload = serialize_payload({std::move(sealed.enc), std::move(sealed.ciphertext), facts});
  if (broker != nullptr) {
    grant.signature = TRY(broker->sign(crypto::dsse_pae(kGrantType, grant.payload)));
  }
  return grant;
}

Result<GrantFacts> claimed_facts(const KeyGrant& grant) {
  return TRY(parse_payload(grant.payload)).facts;
}

Result<GrantedKey> open_key_grant(const KeyGrant& grant, const GrantTerms& terms,
                                  const crypto::Decryptor& exchange_key,
                                  const std::optional<crypto::VerifyingKey>& broker) {
  if (broker) {
    TRY(broker->verify(crypto::dsse_pae(kGrantType, grant.payload), grant.signature)
            .within("key grant"));
  } else if (!grant.signature.empty()) {
    return Error(ErrorCode::kNotAuthentic,
                 "the key grant is signed, and no broker key is configured to check it with");
  }
  const GrantPayload payload = TRY(parse_payload(grant.payload));
  auto key = exchange_key.hpke_open(payload.enc, grant_transcript(terms),
                                    bound_facts(payload.facts), payload.wrapped);
  if (!key.ok() || key->size() != crypto::ContentKey::kSize) return for_another_exchange();
  return GrantedKey{TRY(crypto::ContentKey::from(*std::move(key))), payload.facts};
}

}  // namespace sealpack::loader
