// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/event_claims.h"

#include <gmock/gmock.h>

#include "tests/attest/verify/tpm/parsed_log.h"

namespace sealpack::attest {
namespace {

using testing::MintedLog;
using testing::parsed;
using testing::replayed;
using testing::secure_boot_variable;

constexpr crypto::HashAlgorithm kSha256 = crypto::HashAlgorithm::kSha256;

TEST(SecureBoot, IsWhatTheFirmwareMeasured) {
  for (const bool on : {true, false}) {
    MintedLog log;
    log.boot(on);
    EXPECT_EQ(measured_secure_boot(parsed(log), kSha256, 7), on);
  }
}

TEST(SecureBoot, IsNotWhatTheSystemAppendsLater) {
  // Whoever has the machine can extend PCR 7, and write the log as he likes; he hides the variable
  // that the firmware measured under another type.
  MintedLog log;
  log.add(7, 1, as_bytes("?"), secure_boot_variable(0)).separator(7);
  log.add(7, kEvEfiVariableDriverConfig, secure_boot_variable(1));
  EXPECT_THAT(replayed(parsed(log), log.values(kSha256, {7})), ::testing::IsEmpty());
  EXPECT_EQ(measured_secure_boot(parsed(log), kSha256, 7), std::nullopt);
}

// What is written beside a digest is anybody's, until the digest is of it.
TEST(SecureBoot, IsNotWhatWasMerelyWritten) {
  MintedLog log;
  log.add(7, 1, secure_boot_variable(1), as_bytes("something else")).separator(7);
  EXPECT_THAT(replayed(parsed(log), log.values(kSha256, {7})), ::testing::IsEmpty());
  EXPECT_EQ(measured_secure_boot(parsed(log), kSha256, 7), std::nullopt);
}

TEST(SecureBoot, IsNotWhatANoteSays) {
  MintedLog log;
  log.add(7, kEvNoAction, secure_boot_variable(1)).separator(7);
  EXPECT_EQ(measured_secure_boot(parsed(log), kSha256, 7), std::nullopt);
}

TEST(SecureBoot, IsTheVariableOfTheSpecification) {
  MintedLog log;
  ByteVector of_another_vendor = secure_boot_variable(1);
  of_another_vendor[0] ^= 1U;
  log.add(7, kEvEfiVariableDriverConfig, of_another_vendor).separator(7);
  EXPECT_EQ(measured_secure_boot(parsed(log), kSha256, 7), std::nullopt);
}

TEST(SecureBoot, IsReadFromTheMeasuredBytesWhateverTheirType) {
  MintedLog log;
  log.add(7, 1, secure_boot_variable(0)).separator(7);
  EXPECT_EQ(measured_secure_boot(parsed(log), kSha256, 7), false);
}

TEST(SecureBoot, IsUnknownWithoutASeparatorOrWithTwoValues) {
  MintedLog open;
  open.add(7, kEvEfiVariableDriverConfig, secure_boot_variable(1));
  EXPECT_EQ(measured_secure_boot(parsed(open), kSha256, 7), std::nullopt);
  MintedLog both;
  both.add(7, kEvEfiVariableDriverConfig, secure_boot_variable(1));
  both.add(7, kEvEfiVariableDriverConfig, secure_boot_variable(0)).separator(7);
  EXPECT_EQ(measured_secure_boot(parsed(both), kSha256, 7), std::nullopt);
  MintedLog odd;
  odd.add(7, kEvEfiVariableDriverConfig, secure_boot_variable(2)).separator(7);
  EXPECT_EQ(measured_secure_boot(parsed(odd), kSha256, 7), std::nullopt);
}

TEST(EventClaims, AreAllDigestsWhateverTheirTypes) {
  MintedLog log;
  log.boot(true);
  log.add(4, kEvSeparator, as_bytes("hidden"), as_bytes("another kernel"));
  Claims claims;
  add_event_claims(parsed(log), log.values(kSha256, {4}), claims);
  ASSERT_EQ(claims.claims.size(), 2U);
  for (const char* measured : {"the kernel", "another kernel"}) {
    const ByteVector digest = crypto::hash(kSha256, as_bytes(measured));
    EXPECT_TRUE(std::any_of(claims.claims.begin(), claims.claims.end(), [&](const Claim& claim) {
      return claim.name == "pcr4_event" && claim.value == digest;
    }));
  }
}

TEST(EventClaims, AreNotMadeOfNotes) {
  MintedLog log;
  log.separator(4).add(4, kEvNoAction, "the kernel");
  Claims claims;
  add_event_claims(parsed(log), log.values(kSha256, {4}), claims);
  EXPECT_TRUE(claims.claims.empty());
}

// Some of too many would pass for all.
TEST(EventClaims, AreNoneWhereThereAreTooMany) {
  MintedLog log;
  const auto claimed = [&] {
    Claims claims;
    add_event_claims(parsed(log), log.values(kSha256, {9}), claims);
    return claims.claims.size();
  };
  for (int i = 0; i < 512; ++i) log.add(9, 13, std::to_string(i));
  EXPECT_EQ(claimed(), 512U);
  log.add(9, 13, "one more");
  EXPECT_EQ(claimed(), 0U);
}

TEST(EventClaims, AreNotMadeOfPcrsThatWereNotQuoted) {
  MintedLog log;
  log.boot(true);
  Claims claims;
  add_event_claims(parsed(log), log.values(kSha256, {0, 7}), claims);
  EXPECT_TRUE(claims.claims.empty());
}

}  // namespace
}  // namespace sealpack::attest
