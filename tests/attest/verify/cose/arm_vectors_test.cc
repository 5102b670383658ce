// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "keymgmt/crypto/device_signature.h"
#include "keymgmt/crypto/sha256.h"
#include "tests/attest/verify/sample_files.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::from_base64;
using testing::Refused;
using testing::sample_bytes;

constexpr std::uint64_t kNow = 1700000000;
constexpr const char* kPsa = "psa/psatoken-tfm-psa-2_0_0_sign1.bin";
constexpr const char* kLegacyPsa = "psa/psatoken-tfm-psa-iot-1_sign1.bin";
constexpr const char* kCca = "cca/trustee-cca-example-token.cbor";

struct Case {
  Evidence evidence;
  Endorsements endorsements;
  Roots roots;

  Verdict run(const std::optional<ByteVector>& report_data = std::nullopt) const {
    return verify({evidence, endorsements, roots, kNow, report_data});
  }
};

Case psa(const char* name) {
  Case result;
  result.evidence = {"psa", {{"token", sample_bytes(name)}}};
  const ByteVector key =
      testing::from_pem(testing::content_of(testing::sample_path("psa/psatoken-tfm-public.pem")));
  result.endorsements.public_keys = {key};
  result.roots.psa = {crypto::sha256(key)};
  return result;
}

Case cca() {
  Case result;
  result.evidence = {"cca", {{"token", sample_bytes(kCca)}}};
  const auto jwk =
      nlohmann::json::parse(testing::content_of(testing::sample_path("cca/trustee-cpak-pub.json")));
  ByteVector point = from_base64(jwk["x"].get<std::string>());
  const ByteVector y = from_base64(jwk["y"].get<std::string>());
  point.insert(point.end(), y.begin(), y.end());
  const ByteVector key = crypto::DeviceKey::from_point(point)->spki();
  result.endorsements.public_keys = {key};
  result.roots.cca = {crypto::sha256(key)};
  return result;
}

std::string text_of(const Verdict& verdict, std::string_view claim) {
  return std::string(as_text(verdict.claims->find(claim)->value));
}

std::size_t count_of(const Verdict& verdict, std::string_view claim) {
  return static_cast<std::size_t>(
      std::count_if(verdict.claims->claims.begin(), verdict.claims->claims.end(),
                    [&](const Claim& one) { return one.name == claim; }));
}

TEST(PsaVectors, AcceptTokensOfBothProfiles) {
  SEALPACK_NEEDS_SAMPLE(kPsa);
  for (const auto& [name, profile] :
       {std::pair{kPsa, "http://arm.com/psa/2.0.0"}, std::pair{kLegacyPsa, "PSA_IOT_PROFILE_1"}}) {
    const Verdict verdict = psa(name).run(ByteVector(64));
    ASSERT_THAT(verdict, Accepted()) << name;
    EXPECT_EQ(text_of(verdict, "profile"), profile);
    EXPECT_EQ(text_of(verdict, "security_lifecycle"), "secured");
    EXPECT_EQ(text_of(verdict, "client_id"), "3002");
    EXPECT_EQ(count_of(verdict, "measurement"), 2U);
    EXPECT_EQ(count_of(verdict, "signer_id"), 2U);
    EXPECT_EQ(text_of(verdict, "certification_reference"), "0604565272829-10010");
    EXPECT_EQ(to_hex(verdict.claims->find("implementation_id")->value).substr(0, 18),
              "aaaaaaaaaaaaaaaabb");
  }
}

TEST(PsaVectors, RefuseMacs) {
  SEALPACK_NEEDS_SAMPLE("psa/psatoken-tfm-psa-2_0_0_mac0.bin");
  EXPECT_THAT(psa("psa/psatoken-tfm-psa-2_0_0_mac0.bin").run(), Refused("cose.mac0"));
  EXPECT_THAT(psa("psa/psatoken-tfm-psa-iot-1_mac0.bin").run(), Refused("cose.mac0"));
}

TEST(PsaVectors, RefuseAKeyThatIsNotEnrolledOrIsAnothers) {
  SEALPACK_NEEDS_SAMPLE(kPsa);
  Case one = psa(kPsa);
  one.roots.cca = one.roots.psa;
  one.roots.psa.clear();
  EXPECT_THAT(one.run(), Refused("psa.key"));
  Case none = psa(kPsa);
  none.endorsements.public_keys.clear();
  EXPECT_THAT(none.run(), Refused("psa.key"));
}

TEST(PsaVectors, RefuseEveryFlippedByte) {
  SEALPACK_NEEDS_SAMPLE(kPsa);
  for (const char* name : {kPsa, kLegacyPsa}) {
    Case one = psa(name);
    testing::expect_no_flip_accepted(one.evidence.items[0].bytes, [&] { return one.run(); });
  }
}

TEST(CcaVectors, AcceptTheToken) {
  SEALPACK_NEEDS_SAMPLE(kCca);
  const Verdict verdict = cca().run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(text_of(verdict, "platform_lifecycle"), "secured");
  EXPECT_EQ(text_of(verdict, "platform_profile"), "http://arm.com/CCA-SSD/1.0.0");
  EXPECT_EQ(text_of(verdict, "platform_config"), "cfcfcfcf");
  EXPECT_EQ(text_of(verdict, "hash_algorithm"), "sha-512");
  EXPECT_EQ(count_of(verdict, "platform_measurement"), 13U);
  EXPECT_EQ(count_of(verdict, "platform_signer_id"), 2U);
  EXPECT_EQ(to_hex(verdict.claims->find("rim")->value).substr(0, 8), "ae87fbf7");
  EXPECT_EQ(verdict.claims->find("rem3")->value, ByteVector(64));
  EXPECT_EQ(verdict.claims->find("rpv")->value, ByteVector(64));
  ASSERT_EQ(verdict.claims->report_data.size(), 64U);
  EXPECT_THAT(cca().run(verdict.claims->report_data), Accepted());
  EXPECT_THAT(cca().run(ByteVector(64)), Refused("cca.realm.challenge"));
}

TEST(CcaVectors, RefuseAPlatformKeyThatIsNotEnrolled) {
  SEALPACK_NEEDS_SAMPLE(kCca);
  Case one = cca();
  one.roots.psa = one.roots.cca;
  one.roots.cca.clear();
  EXPECT_THAT(one.run(), Refused("cca.platform.key"));
}

TEST(CcaVectors, RefuseEveryFlippedByte) {
  SEALPACK_NEEDS_SAMPLE(kCca);
  Case one = cca();
  testing::expect_no_flip_accepted(one.evidence.items[0].bytes, [&] { return one.run(); });
}

}  // namespace
}  // namespace sealpack::attest
