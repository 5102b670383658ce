// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/verify/binding.h"
#include "attest/verify/cose/cca_token.h"
#include "attest/verify/cose/enrolled_keys.h"
#include "attest/verify/cose/token_verifier.h"

namespace sealpack::attest {
namespace {

using crypto::HashAlgorithm;
using Need = ClaimSet::Need;

constexpr std::int64_t kProfile = 265;
constexpr std::int64_t kChallenge = 10;

// Of the platform (RMM specification, "CCA platform token").
constexpr std::int64_t kInstanceId = 256;
constexpr std::int64_t kLifecycle = 2395;
constexpr std::int64_t kImplementationId = 2396;
constexpr std::int64_t kSoftwareComponents = 2399;
constexpr std::int64_t kVerificationService = 2400;
constexpr std::int64_t kConfiguration = 2401;
constexpr std::int64_t kPlatformHash = 2402;

// Of the realm.
constexpr std::int64_t kPersonalization = 44235;
constexpr std::int64_t kRealmHash = 44236;
constexpr std::int64_t kPublicKey = 44237;
constexpr std::int64_t kInitialMeasurement = 44238;
constexpr std::int64_t kExtensibleMeasurements = 44239;
constexpr std::int64_t kPublicKeyHash = 44240;

constexpr std::size_t kChallengeSize = 64;
constexpr std::size_t kPersonalizationSize = 64;

// Either may come with either: a machine's firmware makes one, the monitor of realms the other.
// Realms had no profile at first.
constexpr std::string_view kPlatformProfiles[] = {"http://arm.com/CCA-SSD/1.0.0",
                                                  "tag:arm.com,2023:cca_platform#1.0.0"};
constexpr std::string_view kRealmProfile = "tag:arm.com,2023:realm#1.0.0";

std::optional<HashAlgorithm> hash_named(std::string_view name) {
  for (const auto algorithm :
       {HashAlgorithm::kSha256, HashAlgorithm::kSha384, HashAlgorithm::kSha512}) {
    if (name == crypto::to_string(algorithm)) return algorithm;
  }
  return std::nullopt;
}

class CcaVerifier final : public TokenVerifier {
 public:
  explicit CcaVerifier(const VerifyInput& input) : TokenVerifier(input, "cca") {}

 private:
  void judge(Bytes bytes) override {
    const auto token = parse_cca_token(bytes);
    if (!token.ok()) return refuse("cca.malformed", token.error().message());
    judge_platform(token->platform);
    judge_realm(token->realm);
    // The platform vouches for the realm's key by its hash, and for nothing else of the realm.
    if (challenge_ && realm_key_hash_ && *challenge_ != *realm_key_hash_) {
      refuse("cca.binding", "the platform vouches for another realm's key");
    }
  }

  void judge_platform(Bytes bytes) {
    const auto token = parse_cose_sign1(bytes, "platform token", CoseTag::kOptional, reasons_);
    if (!token) return;
    auto set = claims_in(*token, "cca.platform", "cca.malformed");
    const auto key = signed_by_enrolled_key(
        *token, set ? set->unjudged_bytes(kInstanceId) : Bytes(), input_.endorsements.public_keys,
        input_.roots.cca, "cca.platform", input_.cache, reasons_);
    if (key) claims_.add_bytes("platform_key", key->bytes);
    if (!set) return;
    read_platform_profile(*set);
    if (const auto hash = set->hash(kChallenge, "challenge")) challenge_ = to_vector(*hash);
    if (const auto id =
            set->bytes(kImplementationId, "implementation-id", Need::kMandatory, 32, 32)) {
      claims_.add_bytes("platform_implementation_id", *id);
    }
    if (const auto id = set->instance_id(kInstanceId, "instance-id")) {
      claims_.add_bytes("platform_instance_id", *id);
    }
    if (const auto state = set->lifecycle(kLifecycle, "lifecycle")) {
      claims_.add_text("platform_lifecycle", *state);
    }
    if (const auto config = set->bytes(kConfiguration, "configuration", Need::kMandatory)) {
      claims_.add_text("platform_config", to_hex(*config));
    }
    read_hash(*set, kPlatformHash, "hash-algorithm");
    set->text(kVerificationService, "verification-service", Need::kOptional);
    add_components(set->software_components(kSoftwareComponents, "software-components"),
                   "platform_measurement", "platform_signer_id", claims_);
  }

  void read_platform_profile(ClaimSet& set) {
    const auto name = set.text(kProfile, "profile", Need::kMandatory);
    if (!name) return;
    if (std::find(std::begin(kPlatformProfiles), std::end(kPlatformProfiles), *name) ==
        std::end(kPlatformProfiles)) {
      return set.refuse("profile", "the profile " + printable(*name) + " is not known");
    }
    claims_.add_text("platform_profile", *name);
  }

  std::optional<HashAlgorithm> read_hash(ClaimSet& set, std::int64_t key, std::string_view name) {
    const auto text = set.text(key, name, Need::kMandatory);
    if (!text) return std::nullopt;
    const auto algorithm = hash_named(*text);
    if (!algorithm) {
      set.refuse(name, printable(*text) + " is none of sha-256, sha-384 and sha-512");
    }
    return algorithm;
  }

  void judge_realm(Bytes bytes) {
    const auto token = parse_cose_sign1(bytes, "realm token", CoseTag::kOptional, reasons_);
    if (!token) return;
    auto set = claims_in(*token, "cca.realm", "cca.malformed");
    if (!set) return;
    const auto profile = set->text(kProfile, "profile", Need::kOptional);
    if (profile && *profile != kRealmProfile) {
      set->refuse("profile", "the profile " + printable(*profile) + " is not known");
    }
    read_realm_key(*set, *token);
    if (const auto challenge =
            set->bytes(kChallenge, "challenge", Need::kMandatory, kChallengeSize, kChallengeSize)) {
      claims_.report_data = to_vector(*challenge);
      check_binding(input_.report_data, *challenge, "cca.realm.challenge", "challenge", reasons_);
    }
    if (const auto value = set->bytes(kPersonalization, "personalization", Need::kMandatory,
                                      kPersonalizationSize, kPersonalizationSize)) {
      claims_.add_bytes("rpv", *value);
    }
    if (const auto algorithm = read_hash(*set, kRealmHash, "hash-algorithm")) {
      claims_.add_text("hash_algorithm", crypto::to_string(*algorithm));
    }
    if (const auto value = set->hash(kInitialMeasurement, "initial-measurement")) {
      claims_.add_bytes("rim", *value);
    }
    const auto values = set->hashes(kExtensibleMeasurements, "extensible-measurements", 4);
    for (std::size_t i = 0; i < values.size(); ++i) {
      claims_.add_bytes("rem" + std::to_string(i), values[i]);
    }
  }

  // A key that the token itself brings: it proves something only once the platform vouches for it.
  void read_realm_key(ClaimSet& set, const CoseSign1& token) {
    const auto encoded = set.bytes(kPublicKey, "public-key", Need::kMandatory);
    const auto algorithm = read_hash(set, kPublicKeyHash, "public-key-hash");
    if (!encoded) return;
    if (algorithm) realm_key_hash_ = crypto::hash(*algorithm, *encoded);
    const bool raw = !set.has(kProfile);
    const auto key =
        remembered_key(*encoded, raw ? parse_raw_realm_key : parse_cose_realm_key, input_.cache);
    if (!key.ok()) return set.refuse("public-key", key.error().message());
    if (!verify_cose_sign1(token, *key)) {
      refuse("cca.realm.signature", "the realm token is not signed by the realm's key");
    }
  }

  std::optional<ByteVector> challenge_;
  std::optional<ByteVector> realm_key_hash_;
};

}  // namespace

Verdict verify_cca(const VerifyInput& input) {
  return CcaVerifier(input).run("token");
}

}  // namespace sealpack::attest
