// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "keymgmt/crypto/sha256.h"
#include "tests/attest/verify/cose/cca_maker.h"
#include "tests/attest/verify/sample_files.h"
#include "tests/attest/verify/verdict_matchers.h"

// Claim sets of other projects' test data, valid and not: each is written as CBOR, signed by a key
// of the test and judged as a token.
namespace sealpack::attest {
namespace {

using nlohmann::json;
using testing::Accepted;
using testing::CborMapMaker;
using testing::CborWriter;
using testing::CcaMaker;
using testing::cose_sign1;
using testing::from_base64;
using testing::MintKey;
using testing::MintKeyType;
using testing::RefusedAlsoFor;

enum class Kind { kBytes, kText, kNumber, kComponents, kHashes };
struct Row {
  const char* name;
  std::int64_t key;
  Kind kind;
};

constexpr Row kComponent[] = {{"measurement-type", 1, Kind::kText},
                              {"measurement-value", 2, Kind::kBytes},
                              {"version", 4, Kind::kText},
                              {"signer-id", 5, Kind::kBytes}};
constexpr Row kCurrent[] = {{"eat-profile", 265, Kind::kText},
                            {"psa-client-id", 2394, Kind::kNumber},
                            {"psa-security-lifecycle", 2395, Kind::kNumber},
                            {"psa-implementation-id", 2396, Kind::kBytes},
                            {"psa-boot-seed", 2397, Kind::kBytes},
                            {"psa-certification-reference", 2398, Kind::kText},
                            {"psa-software-components", 2399, Kind::kComponents},
                            {"psa-nonce", 10, Kind::kBytes},
                            {"psa-instance-id", 256, Kind::kBytes},
                            {"psa-verification-service-indicator", 2400, Kind::kText}};
constexpr Row kLegacy[] = {{"psa-profile", -75000, Kind::kText},
                           {"psa-client-id", -75001, Kind::kNumber},
                           {"psa-security-lifecycle", -75002, Kind::kNumber},
                           {"psa-implementation-id", -75003, Kind::kBytes},
                           {"psa-boot-seed", -75004, Kind::kBytes},
                           {"psa-hwver", -75005, Kind::kText},
                           {"psa-software-components", -75006, Kind::kComponents},
                           {"psa-no-software-measurements", -75007, Kind::kNumber},
                           {"psa-nonce", -75008, Kind::kBytes},
                           {"psa-instance-id", -75009, Kind::kBytes},
                           {"psa-verification-service-indicator", -75010, Kind::kText}};
constexpr Row kPlatform[] = {{"cca-platform-profile", 265, Kind::kText},
                             {"cca-platform-challenge", 10, Kind::kBytes},
                             {"cca-platform-implementation-id", 2396, Kind::kBytes},
                             {"cca-platform-instance-id", 256, Kind::kBytes},
                             {"cca-platform-config", 2401, Kind::kBytes},
                             {"cca-platform-lifecycle", 2395, Kind::kNumber},
                             {"cca-platform-sw-components", 2399, Kind::kComponents},
                             {"cca-platform-service-indicator", 2400, Kind::kText},
                             {"cca-platform-hash-algo-id", 2402, Kind::kText}};
constexpr Row kRealm[] = {{"cca-realm-challenge", 10, Kind::kBytes},
                          {"cca-realm-personalization-value", 44235, Kind::kBytes},
                          {"cca-realm-hash-algo-id", 44236, Kind::kText},
                          {"cca-realm-public-key", 44237, Kind::kBytes},
                          {"cca-realm-initial-measurement", 44238, Kind::kBytes},
                          {"cca-realm-extensible-measurements", 44239, Kind::kHashes},
                          {"cca-realm-public-key-hash-algo-id", 44240, Kind::kText}};

CborMapMaker encode(const json& claims, std::span<const Row> rows);

CborWriter encode_value(const json& value, Kind kind) {
  CborWriter out;
  switch (kind) {
    case Kind::kBytes:
      return out.bytes(from_base64(value.get<std::string>()));
    case Kind::kText:
      return out.text(value.get<std::string>());
    case Kind::kNumber:
      return out.number(value.get<std::int64_t>());
    case Kind::kComponents:
      out.array(value.size());
      for (const json& one : value) out.raw(encode(one, kComponent).take());
      return out;
    case Kind::kHashes:
      out.array(value.size());
      for (const json& one : value) out.bytes(from_base64(one.get<std::string>()));
      return out;
  }
  return out;
}

CborMapMaker encode(const json& claims, std::span<const Row> rows) {
  CborMapMaker out;
  for (const Row& row : rows) {
    if (claims.contains(row.name)) out.put(row.key, encode_value(claims[row.name], row.kind));
  }
  return out;
}

json claim_set(const std::string& name) {
  return json::parse(testing::content_of(testing::sample_path(name)));
}

// nullptr: accepted; else a reason that is among those it is refused for.
struct PsaCase {
  const char* name;
  const char* current;
  const char* legacy;
};
// Each set holds the claims of both profiles, some spoilt for one of them alone.
constexpr PsaCase kPsaCases[] = {
    {"token-valid-full", nullptr, nullptr},
    {"token-valid-minimalist-p1", "psa.profile", nullptr},
    {"token-valid-minimalist-p2", nullptr, "psa.boot-seed"},
    {"token-valid-minimalist-no-sw-measurements", "psa.profile", nullptr},
    {"profile-valid-missing", "psa.profile", nullptr},
    {"profile-invalid-missing", "psa.profile", nullptr},
    {"profile-invalid-unknown", "psa.profile", "psa.profile"},
    {"boot-seed-invalid-long", "psa.boot-seed", "psa.boot-seed"},
    {"boot-seed-invalid-missing", nullptr, "psa.boot-seed"},
    {"boot-seed-invalid-short", "psa.boot-seed", "psa.boot-seed"},
    {"client-id-invalid-missing", "psa.client-id", "psa.client-id"},
    {"hardware-version-invalid", "psa.certification-reference", "psa.certification-reference"},
    {"implementation-id-invalid-long", "psa.implementation-id", "psa.implementation-id"},
    {"implementation-id-invalid-missing", "psa.implementation-id", "psa.implementation-id"},
    {"implementation-id-invalid-short", "psa.implementation-id", "psa.implementation-id"},
    {"instance-id-invalid-euid-type", "psa.instance-id", "psa.instance-id"},
    {"instance-id-invalid-long", "psa.instance-id", "psa.instance-id"},
    {"instance-id-invalid-missing", "psa.instance-id", "psa.instance-id"},
    {"instance-id-invalid-short", "psa.instance-id", "psa.instance-id"},
    {"nonce-invalid-long", "psa.nonce", "psa.nonce"},
    // Without its nonce and with its name, the old profile is known by the latter.
    {"nonce-invalid-missing", "psa.nonce", "psa.nonce"},
    {"nonce-invalid-short", "psa.nonce", "psa.nonce"},
    {"security-lifecycle-invalid-missing", "psa.lifecycle", "psa.lifecycle"},
    {"security-lifecycle-invalid-state", "psa.lifecycle", "psa.lifecycle"},
    {"sw-component-and-no-sw-measurements-missing", "psa.software-components",
     "psa.software-components"},
    {"sw-component-measurement-value-invalid-missing", "psa.software-components",
     "psa.software-components"},
    {"sw-component-measurement-value-invalid-short", "psa.software-components",
     "psa.software-components"},
    {"sw-component-signer-id-invalid-missing", "psa.software-components",
     "psa.software-components"},
    {"sw-component-signer-id-invalid-short", "psa.software-components", "psa.software-components"},
    {"sw-components-empty", "psa.software-components", "psa.software-components"},
    {"sw-components-invalid-combo", "psa.profile", "psa.software-components"},
    {"sw-components-invalid-missing", "psa.software-components", "psa.software-components"},
    {"vsi-invalid-empty", "psa.verification-service", "psa.verification-service"},
};

void expect(const Verdict& verdict, const char* code, const std::string& name) {
  if (code == nullptr) {
    EXPECT_THAT(verdict, Accepted()) << name;
  } else {
    EXPECT_THAT(verdict, RefusedAlsoFor(code)) << name;
  }
}

TEST(PsaClaimSets, ComeOutAsTheirNamesSay) {
  SEALPACK_NEEDS_SAMPLE("psa/psatoken-json-test-token-valid-full.json");
  const MintKey key = MintKey::generate(MintKeyType::kP256);
  Endorsements endorsements;
  endorsements.public_keys = {key.spki()};
  Roots roots;
  roots.psa = {key.digest()};
  const auto run = [&](const json& claims, std::span<const Row> rows) {
    const Evidence evidence{"psa", {{"token", cose_sign1(key, encode(claims, rows).take())}}};
    return verify({evidence, endorsements, roots, 1750000000});
  };
  for (const PsaCase& one : kPsaCases) {
    const std::string name = std::string("psa/psatoken-json-test-") + one.name + ".json";
    const json claims = claim_set(name);
    expect(run(claims, kCurrent), one.current, name + ", current");
    expect(run(claims, kLegacy), one.legacy, name + ", legacy");
  }
}

TEST(PsaClaimSets, AreAllJudged) {
  SEALPACK_NEEDS_SAMPLE("psa");
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(testing::sample_path("psa"))) {
    count += entry.path().extension() == ".json" ? 1U : 0U;
  }
  EXPECT_EQ(count, std::size(kPsaCases));
}

struct CcaCase {
  const char* name;
  const char* code;
};
constexpr CcaCase kPlatformCases[] = {
    {"token-valid-full", nullptr},
    {"config-missing", "cca.platform.configuration"},
    {"hash-algid-invalid", "cca.platform.hash-algorithm"},
    {"hash-algid-missing", "cca.platform.hash-algorithm"},
    {"implementation-id-invalid-long", "cca.platform.implementation-id"},
    {"implementation-id-invalid-missing", "cca.platform.implementation-id"},
    {"instance-id-invalid", "cca.platform.instance-id"},
    {"instance-id-missing", "cca.platform.instance-id"},
    {"invalid-profile", "cca.platform.profile"},
    {"invalid-psa-claims", "cca.platform.implementation-id"},
    {"lifecycle-invalid", "cca.platform.lifecycle"},
    {"no-sw-components", "cca.platform.software-components"},
    {"nonce-invalid", "cca.platform.challenge"},
    {"sw-components-invalid-combo", "cca.platform.software-components"},
    {"sw-components-invalid-missing", "cca.platform.software-components"},
    {"vsi-invalid-empty", "cca.platform.verification-service"},
};
constexpr CcaCase kRealmCases[] = {
    {"cca-claims-all-valid", nullptr},
    {"invalid-extended-meas", "cca.realm.extensible-measurements"},
    {"invalid-initial-meas", "cca.realm.initial-measurement"},
    {"invalid-nonce", "cca.realm.challenge"},
    {"invalid-personalization-val", "cca.realm.personalization"},
    {"invalid-public-key", "cca.realm.public-key"},
    {"missing-extended-meas", "cca.realm.extensible-measurements"},
    {"missing-hash-alg-id", "cca.realm.hash-algorithm"},
    {"missing-initial-meas", "cca.realm.initial-measurement"},
    {"missing-nonce", "cca.realm.challenge"},
    {"missing-personalization-val", "cca.realm.personalization"},
    {"missing-public-key-alg-id", "cca.realm.public-key-hash"},
    {"missing-public-key", "cca.realm.public-key"},
};

Verdict run(CcaMaker& maker) {
  Endorsements endorsements;
  endorsements.public_keys = {maker.platform_key.spki()};
  Roots roots;
  roots.cca = {maker.platform_key.digest()};
  const Evidence evidence{"cca", {{"token", maker.make()}}};
  return verify({evidence, endorsements, roots, 1750000000});
}

TEST(CcaClaimSets, OfPlatformsComeOutAsTheirNamesSay) {
  SEALPACK_NEEDS_SAMPLE("cca/ccatoken-platform-test-token-valid-full.json");
  for (const CcaCase& one : kPlatformCases) {
    const std::string name = std::string("cca/ccatoken-platform-test-") + one.name + ".json";
    json claims = claim_set(name);
    if (std::string(one.name) == "sw-components-invalid-combo") {
      // Its base64 has padding in the middle: what a lenient decoder makes of it is no hash.
      claims["cca-platform-sw-components"][0].erase("measurement-value");
    }
    CcaMaker maker;
    maker.platform = encode(claims, kPlatform);
    // A challenge that is well-formed gives way to one that fits the test's realm.
    maker.fit_challenge = std::string(one.name) != "nonce-invalid";
    expect(run(maker), one.code, name);
  }
}

TEST(CcaClaimSets, OfRealmsComeOutAsTheirNamesSay) {
  SEALPACK_NEEDS_SAMPLE("cca/ccatoken-realm-test-cca-claims-all-valid.json");
  for (const CcaCase& one : kRealmCases) {
    const std::string name = std::string("cca/ccatoken-realm-test-") + one.name + ".json";
    const json claims = claim_set(name);
    CcaMaker maker;
    const bool key_is_judged =
        !claims.contains("cca-realm-public-key") || std::string(one.name) == "invalid-public-key";
    maker.realm = encode(claims, kRealm);
    // The key in the data is no point of the curve, so nothing could be signed with it.
    if (!key_is_judged) maker.use_key(maker.encoded_key);
    expect(run(maker), one.code, name);
  }
}

}  // namespace
}  // namespace sealpack::attest
