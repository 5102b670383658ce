// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "attest/verify/chain_cache.h"
#include "attest/verify/items.h"
#include "attest/verify/tpm/quote.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::attest {
namespace {

constexpr std::string_view kItems[] = {"tpm-quote", "tpm-signature", "tpm-pcrs", "ak-public",
                                       "event-log"};
constexpr std::string_view kKeyUsage = "2.5.29.15";
// A bound on work for certificates that somebody else supplies.
constexpr std::size_t kMaxCertificates = 8;
// The subject of a TPM's certificate lies in its alternative name alone, which then is critical.
constexpr std::string_view kJudgedHere[] = {"2.5.29.17"};

// The key that evidence says it was signed with.
struct AttestationKey {
  crypto::DeviceKey key;
  Digest digest;                  // SHA-256 of its SPKI
  std::optional<TpmPublic> area;  // absent where the key alone is given
};

Result<AttestationKey> parse_key(Bytes bytes) {
  constexpr std::uint8_t kDerSequence = 0x30;
  if (!bytes.empty() && bytes[0] == kDerSequence) {
    crypto::DeviceKey key = TRY(crypto::DeviceKey::from_spki(bytes));
    const Digest digest = crypto::sha256(key.spki());
    return AttestationKey{std::move(key), digest, std::nullopt};
  }
  TpmPublic area = TRY(parse_tpm_public(bytes));
  const Digest digest = crypto::sha256(area.key.spki());
  return AttestationKey{area.key, digest, std::move(area)};
}

// Keys that were read before: that takes longer than verifying a signature.
class KeyMemory : public ChainCache::Memory {
 public:
  Result<AttestationKey> parse(Bytes bytes) {
    const Digest digest = crypto::sha256(bytes);
    if (auto known = keys_.find(digest)) return *std::move(known);
    AttestationKey key = TRY(parse_key(bytes));
    keys_.put(digest, key);
    return key;
  }

 private:
  static constexpr std::size_t kCapacity = 4096;
  Recent<AttestationKey> keys_{kCapacity};
};

std::optional<AttestationKey> read_key(Bytes bytes, ChainCache* cache,
                                       std::vector<Reason>& reasons) {
  auto key = cache != nullptr ? cache->memory<KeyMemory>().parse(bytes) : parse_key(bytes);
  if (key.ok()) return *std::move(key);
  reasons.push_back({"tpm.ak-public", key.error().message()});
  return std::nullopt;
}

void check_key(const AttestationKey& key, const TpmScheme& used, std::vector<Reason>& reasons) {
  if (!key.area) {
    reasons.push_back({"tpm.ak-attributes",
                       "the attestation key is given without its attributes; a TPMT_PUBLIC has "
                       "them"});
    return;
  }
  const std::string why = why_not_attestation_key(key.area->attributes);
  if (!why.empty()) reasons.push_back({"tpm.ak-attributes", "the attestation key " + why});
  if (key.area->scheme != used) {
    reasons.push_back({"tpm.signature-scheme",
                       "signed by " + to_string(used) + ", the attestation key is one for " +
                           (key.area->scheme ? to_string(*key.area->scheme) : "no one scheme")});
  }
}

// Certificates of endorsement keys come from the same authorities. Those keys decrypt and do not
// sign, which keyUsage says.
bool is_for_signatures(const x509::Certificate& certificate) {
  return certificate.extension(kKeyUsage).has_value() && certificate.may_sign();
}

// What the maker says a key is for.
enum class Purpose {
  kQuotes,   // it is restricted: it signs nothing that it is given
  kOther,    // other things were verified about it, and not that
  kUnstated  // nothing: it may be one that signs whatever it is given
};

// Makers certify other keys of their TPMs as well: those of a device's identity (IDevID) sign
// whatever they are given, forged quotes too. Such a certificate says what the maker verified about
// the key (TCG "TPM 2.0 Keys for Device Identity and Attestation", 2.23.133.11.1): of a quoting key
// that it is restricted. Older ones have the extended key usage of attestation keys. Others say
// nothing of the kind: Google's virtual TPMs, whose attestation keys have none or that of
// endorsement keys.
Purpose purpose_of(const x509::Certificate& certificate) {
  constexpr std::string_view kPolicies = "2.5.29.32";
  constexpr std::array<std::uint8_t, 7> kVerified{0x06, 0x06, 0x67, 0x81, 0x05, 0x0b, 0x01};
  constexpr std::uint8_t kRestricted = 0x03;
  constexpr std::string_view kAttests = "2.23.133.8.3";  // tcg-kp-AIKCertificate
  const Purpose otherwise =
      certificate.names_purpose(kAttests).value_or(false) ? Purpose::kQuotes : Purpose::kUnstated;
  const auto policies = certificate.extension(kPolicies);
  if (!policies) return otherwise;
  bool stated = false;
  auto at = policies->begin();
  while ((at = std::search(at, policies->end(), kVerified.begin(), kVerified.end())) !=
         policies->end()) {
    stated = true;
    at += kVerified.size();
    if (at != policies->end() && *at == kRestricted) return Purpose::kQuotes;
  }
  return stated ? Purpose::kOther : otherwise;
}

// Whether a certificate of the key leads to a root, and what the best of them says that the key is
// for. The reasons are those of the first that does not, and stay out if another does.
std::optional<Purpose> certified(const AttestationKey& key, const VerifyInput& input,
                                 std::vector<Reason>& reasons) {
  std::vector<x509::Certificate> pool;
  for (const ByteVector& der : input.endorsements.certificates) {
    auto certificate = parse_certificate(der, input.cache);
    if (certificate.ok()) pool.push_back(*std::move(certificate));
  }
  std::vector<Reason> why_not;
  bool found = false;
  std::size_t tried = 0;
  for (const x509::Certificate& leaf : pool) {
    if (leaf.key_digest() != key.digest) continue;
    if (++tried > kMaxCertificates) {
      why_not.push_back({"tpm.ak-certificate", "the attestation key has more certificates than " +
                                                   std::to_string(kMaxCertificates) +
                                                   ", others are not looked at"});
      break;
    }
    const Purpose purpose = purpose_of(leaf);
    if (!is_for_signatures(leaf) || purpose == Purpose::kOther) {
      why_not.push_back({"tpm.ak-certificate",
                         "the certificate of the attestation key is not one for signing quotes"});
      continue;
    }
    const x509::ChainRules rules{.now = input.now,
                                 .roots = input.roots.tpm,
                                 .revocation = x509::Revocation::kNone,
                                 .revocation_lists = input.endorsements.revocation_lists,
                                 .judged_by_caller = kJudgedHere};
    std::vector<Reason> chain_reasons;
    if (verify_chain(leaf, pool, rules, input.cache, chain_reasons)) {
      if (purpose == Purpose::kQuotes) return purpose;
      found = true;
    }
    if (why_not.empty()) why_not = std::move(chain_reasons);
  }
  if (found) return Purpose::kUnstated;
  reasons.insert(reasons.end(), why_not.begin(), why_not.end());
  return std::nullopt;
}

// On what ground a key is trusted.
struct Ground {
  std::optional<ByteVector> ek_name;  // where an enrolment bound it
  // Its certificate does not say that it is restricted: then the attributes are what the evidence
  // says, and a key of the same maker that signs anything could have signed a forged quote.
  bool purpose_unstated = false;
};

// Without any ground to trust the key its signature is anybody's, with OpenSSL in his hands.
Ground check_trusted(const AttestationKey& key, const VerifyInput& input,
                     std::vector<Reason>& reasons) {
  for (const TpmEnrolment& enrolment : input.roots.tpm_enrolments) {
    if (enrolment.ak_key != key.digest) continue;
    if (key.area && key.area->name == enrolment.ak_name) return {enrolment.ek_name};
    reasons.push_back({"tpm.ak-name", "the attestation key is enrolled with the name " +
                                          to_hex(enrolment.ak_name) + ", given is " +
                                          (key.area ? to_hex(key.area->name) : "none")});
    return {};
  }
  const std::vector<Digest>& known = input.roots.tpm_attestation_keys;
  if (std::find(known.begin(), known.end(), key.digest) != known.end()) return {};
  if (const auto purpose = certified(key, input, reasons)) {
    return {std::nullopt, *purpose == Purpose::kUnstated};
  }
  reasons.push_back({"tpm.ak-untrusted",
                     "the attestation key " + to_hex(key.digest.bytes) +
                         " is neither enrolled nor certified by a maker of TPMs that is trusted"});
  return {};
}

}  // namespace

Verdict verify_tpm(const VerifyInput& input) {
  Verdict verdict;
  check_items(input.evidence, kItems, verdict.reasons);
  const ByteVector* ak = require_item(input.evidence, "ak-public", verdict.reasons);
  const auto key = ak == nullptr ? std::nullopt : read_key(*ak, input.cache, verdict.reasons);
  Ground ground;
  if (key) ground = check_trusted(*key, input, verdict.reasons);
  const auto items = parse_quote_items(input.evidence, verdict.reasons);
  if (!key || !items) return verdict;
  check_key(*key, items->signature.scheme, verdict.reasons);
  check_quote(*items, key->key, input, verdict.reasons);
  if (!verdict.reasons.empty()) return verdict;
  Claims claims;
  claims.tee = "tpm";
  add_quote_claims(*items, claims);
  claims.add_bytes("ak_name", key->area->name);
  if (ground.purpose_unstated) claims.add_flag("ak_purpose_unstated", true);
  if (ground.ek_name) claims.add_bytes("ek_name", *ground.ek_name);
  claims.sort();
  verdict.claims = std::move(claims);
  return verdict;
}

}  // namespace sealpack::attest
