// SPDX-License-Identifier: Apache-2.0
// What a policy says to genuine reports: debugging, old firmware and the like are its business.
#include <gtest/gtest.h>

#include "attest/policy/judge.h"
#include "attest/policy/policy_file.h"
#include "keymgmt/crypto/der.h"
#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using crypto::internal::der_unsigned;
using testing::Accepted;
using testing::mint_list;
using testing::SnpLab;
using testing::text_of;

std::string repeated(const char* byte, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += byte;
  return text;
}

// Accepts what SnpLab makes of Genoa with a current revocation list; `more` are further rules.
std::string policy_text(const std::string& more = "") {
  return "[[environment]]\ntee = \"sev-snp\"\n[environment.claims]\nmeasurement = { accept = [\"" +
         repeated("3e", 48) + "\"] }\nhost_data = { accept = [\"" + repeated("05", 32) +
         "\"] }\n"
         "debug = { accept = [false] }\n"
         "migrate_ma = { accept = [false] }\n"
         "product = { accept = [\"Genoa\"] }\n"
         "vmpl = { accept = [0] }\n"
         "tcb_bootloader = { minimum = 10 }\n"
         "tcb_tee = { minimum = 1 }\n"
         "tcb_snp = { minimum = 23 }\n"
         "tcb_microcode = { minimum = 219 }\n" +
         more;
}

class SnpPolicy : public ::testing::Test {
 protected:
  SnpPolicy() { lab.more.revocation_lists = {mint_list({}, lab.ark, lab.ark_key)}; }
  std::vector<Reason> judged(const std::string& more = "") {
    const Verdict verdict = lab.run();
    EXPECT_THAT(verdict, Accepted());
    const auto file = policy::parse_policy(policy_text(more), "test");
    if (!file.ok() || !verdict.claims) {
      ADD_FAILURE() << (file.ok() ? "no claims" : file.error().message());
      return {};
    }
    return policy::judge(*verdict.claims, file->policy);
  }
  void expect_one_reason_about(const std::string& claim, const std::string& more = "") {
    const std::vector<Reason> reasons = judged(more);
    ASSERT_EQ(reasons.size(), 1U) << text_of(reasons);
    EXPECT_NE(reasons[0].text.find(claim), std::string::npos) << text_of(reasons);
  }

  SnpLab lab{"Genoa"};
};

TEST_F(SnpPolicy, AcceptsWhatItIsFor) {
  const std::vector<Reason> reasons = judged();
  EXPECT_TRUE(reasons.empty()) << text_of(reasons);
}

TEST_F(SnpPolicy, RefusesDebugging) {
  lab.set_u64(0x008, 0x3001F | 1U << 19U);
  expect_one_reason_about("debug");
}

TEST_F(SnpPolicy, RefusesMigration) {
  lab.set_u64(0x008, 0x3001F | 1U << 18U);
  expect_one_reason_about("migrate_ma");
}

TEST_F(SnpPolicy, RefusesAnotherVmpl) {
  lab.set_u32(0x030, 1);
  expect_one_reason_about("vmpl");
}

TEST_F(SnpPolicy, RefusesAnotherMeasurement) {
  lab.set_u8(0x090, 0x3F);
  expect_one_reason_about("measurement");
}

TEST_F(SnpPolicy, RefusesAnotherHostsData) {
  lab.set_u8(0x0DF, 6);
  expect_one_reason_about("host_data");
}

TEST_F(SnpPolicy, RefusesOldFirmware) {
  lab.extension("3.8").value = der_unsigned(218);
  lab.set_all_tcbs(ByteVector{10, 1, 0, 0, 0, 0, 23, 218});
  expect_one_reason_about("tcb_microcode");
}

TEST_F(SnpPolicy, RefusesProductsThatItDoesNotName) {
  lab = SnpLab("Milan");
  lab.more.revocation_lists = {mint_list({}, lab.ark, lab.ark_key)};
  expect_one_reason_about("product");
}

TEST_F(SnpPolicy, RefusesUncheckedRevocationUnlessItSaysWhy) {
  lab.more.revocation_lists.clear();
  expect_one_reason_about("revocation_unchecked");
  EXPECT_TRUE(judged("revocation_unchecked = { ignore = \"no list reaches us\" }\n").empty());
}

TEST_F(SnpPolicy, RefusesAMaskedChipUnlessItSaysWhy) {
  lab.set_bytes(0x1A0, ByteVector(64));
  expect_one_reason_about("chip_id_masked");
  EXPECT_TRUE(judged("chip_id_masked = { ignore = \"the cloud hides its chips\" }\n").empty());
}

TEST_F(SnpPolicy, RefusesProvisionalFirmwareUnlessItSaysWhy) {
  lab.set_u8(0x1EC, 28);
  expect_one_reason_about("provisional");
  EXPECT_TRUE(judged("provisional = { ignore = \"a test machine\" }\n").empty());
}

TEST_F(SnpPolicy, RefusesChipsThatItDoesNotName) {
  expect_one_reason_about("chip_id", "chip_id = { accept = [\"" + repeated("77", 64) + "\"] }\n");
}

TEST_F(SnpPolicy, DemandsTheCheckForAliasedMemory) {
  const char* const rule = "alias_check_complete = { accept = [true] }\n";
  EXPECT_TRUE(judged(rule).empty());
  lab.set_u64(0x040, 0x05);
  expect_one_reason_about("alias_check_complete", rule);
}

TEST_F(SnpPolicy, DemandsMitigations) {
  const char* const rule = "mitigations = { accept = [\"0000000000000007\"] }\n";
  expect_one_reason_about("mitigations", rule);  // version 3 has none
  lab = SnpLab("Genoa", SnpLab::Kind::kVcek, 5);
  lab.more.revocation_lists = {mint_list({}, lab.ark, lab.ark_key)};
  lab.set_u64(0x200, 7);
  EXPECT_TRUE(judged(rule).empty());
}

TEST_F(SnpPolicy, TellsLeasedKeysFromChips) {
  const char* const rule = "signing_key = { accept = [\"vcek\"] }\n";
  EXPECT_TRUE(judged(rule).empty());
  lab = SnpLab("Genoa", SnpLab::Kind::kVlek);
  lab.more.revocation_lists = {mint_list({}, lab.ark, lab.ark_key)};
  expect_one_reason_about("signing_key", rule);
}

}  // namespace
}  // namespace sealpack::attest
