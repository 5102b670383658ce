// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/challenge.h"

#include "formats/base/byte_reader.h"
#include "formats/base/utc_text.h"
#include "formats/bundle/labels.h"
#include "keymgmt/crypto/kdf.h"
#include "keymgmt/crypto/random.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::broker {
namespace {

constexpr std::string_view kChallengeLabel = "sealpack/v1/broker-challenge";
constexpr std::uint8_t kIdVersion = 1;
constexpr std::size_t kNonceSize = 32;
// version, transport, epoch, expires, digest of the subject; then the MAC
constexpr std::size_t kSignedSize = 1 + 1 + 8 + 8 + Digest::kSize;
constexpr std::size_t kIdSize = kSignedSize + Digest::kSize;

Digest subject_digest(const ChallengeRequest& subject) {
  return crypto::sha256(serialize(subject));
}

Digest mac(Bytes key, Bytes signed_part, Bytes nonce) {
  return crypto::hmac_sha256(
      key, bundle::LengthPrefixed().add(kChallengeLabel).add(signed_part).add(nonce).bytes());
}

void put_u64(ByteVector& out, std::uint64_t value) {
  for (unsigned i = 0; i < 8; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

struct ParsedId {
  ChallengeFacts facts;
  Digest subject;
};

Result<ParsedId> parse_id(Bytes id) {
  ByteReader in(id, "challenge id");
  ParsedId parsed;
  TRY(in.u8("version"));
  parsed.facts.transport = static_cast<Transport>(TRY(in.u8("transport")));
  parsed.facts.epoch = TRY(in.u64("epoch"));
  parsed.facts.expires = TRY(in.u64("expiry"));
  parsed.subject = Digest{TRY(in.array<Digest::kSize>("subject"))};
  return parsed;
}

}  // namespace

loader::Challenge make_challenge(Bytes key, const ChallengeRequest& subject,
                                 const ChallengeFacts& facts) {
  loader::Challenge challenge;
  challenge.nonce = to_vector(crypto::random_array<kNonceSize>());
  ByteVector& id = challenge.id;
  id = {kIdVersion, static_cast<std::uint8_t>(facts.transport)};
  put_u64(id, facts.epoch);
  put_u64(id, facts.expires);
  const Digest about = subject_digest(subject);
  id.insert(id.end(), about.bytes.begin(), about.bytes.end());
  const Digest tag = mac(key, id, challenge.nonce);
  id.insert(id.end(), tag.bytes.begin(), tag.bytes.end());
  return challenge;
}

std::variant<ChallengeFacts, Reason> check_challenge(Bytes key, const loader::Challenge& challenge,
                                                     const ChallengeRequest& subject,
                                                     const ChallengeFacts& now) {
  const Bytes id(challenge.id);
  const Reason forged{"broker.nonce-forged", "the challenge is not one of this broker"};
  if (id.size() != kIdSize || challenge.nonce.size() != kNonceSize || id[0] != kIdVersion) {
    return forged;
  }
  const Digest tag = mac(key, id.first(kSignedSize), challenge.nonce);
  if (!crypto::equal_constant_time(tag.bytes, id.subspan(kSignedSize))) return forged;
  // From here on the id is the broker's own word.
  const auto parsed = parse_id(id);
  if (!parsed.ok()) return forged;
  const ChallengeFacts& facts = parsed->facts;
  if (facts.epoch != now.epoch) {
    return Reason{"broker.nonce-epoch", "the challenge was made before the broker was restored"};
  }
  if (parsed->subject != subject_digest(subject)) {
    return Reason{"broker.nonce-subject", "the challenge was made for another bundle or TEE"};
  }
  if (facts.transport != now.transport) {
    return Reason{"broker.nonce-transport", "the challenge was made for another way of exchange"};
  }
  if (now.expires > facts.expires) {
    return Reason{"broker.nonce-expired", "the challenge ended at " + utc_text(facts.expires) +
                                              ", it is " + utc_text(now.expires)};
  }
  return facts;
}

}  // namespace sealpack::broker
