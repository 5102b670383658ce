// SPDX-License-Identifier: Apache-2.0
// Every real sample comes out as tests/vectors' verdicts say, for the reason that they state.
#include "tests/attest/verify/dcap/samples.h"

#include <set>

#include "attest/verify/chain_cache.h"
#include "attest/verify/dcap/td_quote.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest::dcap {
namespace {

using testing::Accepted;
using testing::Refused;
using testing::RefusedAlsoFor;

constexpr std::uint64_t kJune2025 = 1750896000;   // 2025-06-26
constexpr std::uint64_t kFeb2026 = 1772150400;    // 2026-02-27
constexpr std::uint64_t kMarch2026 = 1774000000;  // 2026-03-20

class Sample : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_SAMPLES(); }

  Verdict run(const std::string& tee, const ByteVector& quote, const Endorsements& endorsements,
              std::uint64_t now) {
    const Evidence evidence{tee, {{"quote", quote}}};
    return verify({.evidence = evidence,
                   .endorsements = endorsements,
                   .roots = roots,
                   .now = now,
                   .minimum_tcb_evaluation = minimum,
                   .cache = &cache});
  }
  static std::string text(const Verdict& verdict, std::string_view name) {
    const Claim* claim = verdict.claims->find(name);
    return claim == nullptr ? "absent" : std::string(as_text(claim->value));
  }
  static std::vector<std::string> advisories(const Verdict& verdict) {
    std::vector<std::string> out;
    for (const Claim& claim : verdict.claims->claims) {
      if (claim.name == "advisories") out.emplace_back(as_text(claim.value));
    }
    return out;
  }
  static bool flag(const Verdict& verdict, std::string_view name) {
    return verdict.claims->find(name)->value == ByteVector{1};
  }

  Roots roots = vendor_roots();
  std::uint32_t minimum = 0;
  ChainCache cache;
};

TEST_F(Sample, PhalasEnclaveNeedsConfigurationAndHardening) {
  const auto verdict = run("sgx", read_sample("sgx/phala-sgx_quote"),
                           collateral_sample("sgx/phala-sgx_quote_collateral.json"), kJune2025);
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(text(verdict, "tcb_status"), "ConfigurationAndSWHardeningNeeded");
  EXPECT_EQ(advisories(verdict), (std::vector<std::string>{"INTEL-SA-00289", "INTEL-SA-00615"}));
  EXPECT_EQ(to_hex(verdict.claims->find("fmspc")->value), "00a067110000");
  EXPECT_FALSE(flag(verdict, "debug"));
}

TEST_F(Sample, PhalasDomainIsUpToDate) {
  const auto verdict = run("tdx", read_sample("tdx/phala-tdx_quote"),
                           collateral_sample("tdx/phala-tdx_quote_collateral.json"), kJune2025);
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(text(verdict, "tcb_status"), "UpToDate");
  EXPECT_TRUE(advisories(verdict).empty());
  EXPECT_EQ(to_hex(verdict.claims->find("fmspc")->value), "b0c06f000000");
  EXPECT_TRUE(flag(verdict, "sept_ve_disable"));
  EXPECT_FALSE(flag(verdict, "debug"));
}

TEST_F(Sample, PhalasOutdatedDomainMeetsNoLevel) {
  EXPECT_THAT(run("tdx", read_sample("tdx/phala-tdx_quote_outdated"),
                  collateral_sample("tdx/phala-tdx_quote_outdated_collateral.json"), kFeb2026),
              Refused("dcap.tcb-level"));
  EXPECT_THAT(
      run("tdx", read_sample("tdx/phala-tdx_quote_outdated"), documents_sample(), kMarch2026),
      Refused("dcap.tcb-level"));
}

TEST_F(Sample, GooglesQuoteOfVersion5IsUpToDateWithSeparateDocuments) {
  const auto verdict =
      run("tdx", read_sample("tdx/gotdx-quote_v5_sample.dat"), documents_sample(), kMarch2026);
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(text(verdict, "tcb_status"), "UpToDate");
  EXPECT_EQ(verdict.claims->find("mr_servicetd")->value, ByteVector(48));
}

// Nothing but the TCB info of their platforms is missing: signatures, chain and QE hold.
TEST_F(Sample, OthersLackTheTcbInfoOfTheirPlatformAlone) {
  Endorsements tdx = documents_sample();
  EXPECT_THAT(run("tdx", read_sample("tdx/gotdx-ccel-cos-113-tdx-quote.dat"), tdx, kMarch2026),
              Refused("dcap.tcb-info-missing"));
  EXPECT_THAT(run("tdx", read_sample("tdx/trustee-tdx_quote_4.dat"), tdx, kMarch2026),
              Refused("dcap.tcb-info-missing"));
  EXPECT_THAT(run("sgx", read_sample("sgx/trustee-occlum_quote.dat"),
                  collateral_sample("sgx/phala-sgx_quote_collateral.json"), kJune2025),
              RefusedAlsoFor("dcap.tcb-info-missing"));
}

TEST_F(Sample, QuotesAreOfTheirTeeAlone) {
  EXPECT_THAT(run("sgx", read_sample("tdx/phala-tdx_quote"),
                  collateral_sample("tdx/phala-tdx_quote_collateral.json"), kJune2025),
              Refused("dcap.quote-tee"));
  EXPECT_THAT(run("tdx", read_sample("sgx/phala-sgx_quote"),
                  collateral_sample("sgx/phala-sgx_quote_collateral.json"), kJune2025),
              Refused("dcap.quote-tee"));
}

TEST_F(Sample, CollateralHoldsInItsWindowAlone) {
  const ByteVector quote = read_sample("tdx/phala-tdx_quote");
  const auto collateral = collateral_sample("tdx/phala-tdx_quote_collateral.json");
  // 2025-06-19T10:32:27Z, 2025-07-19T10:00:35Z.
  EXPECT_THAT(run("tdx", quote, collateral, 1750329147), Accepted());
  EXPECT_THAT(run("tdx", quote, collateral, 1750329146), Refused("dcap.qe-identity-not-yet-valid"));
  EXPECT_THAT(run("tdx", quote, collateral, 1752919234), Accepted());
  EXPECT_THAT(run("tdx", quote, collateral, 1752919235), Refused("chain.revocation-stale"));
  EXPECT_THAT(run("tdx", quote, collateral, kMarch2026), RefusedAlsoFor("dcap.tcb-info-expired"));
}

TEST_F(Sample, CollateralOfAnotherTimeDoesNotMix) {
  auto old = collateral_sample("tdx/phala-tdx_quote_collateral.json");
  const auto now = documents_sample();
  old.revocation_lists = now.revocation_lists;
  old.enclave_identities = now.enclave_identities;
  EXPECT_THAT(run("tdx", read_sample("tdx/phala-tdx_quote"), old, kMarch2026),
              Refused("dcap.tcb-info-expired"));
}

TEST_F(Sample, AMinimumEvaluationNumberRefusesOlderStatements) {
  const auto collateral = collateral_sample("tdx/phala-tdx_quote_collateral.json");
  minimum = 17;
  EXPECT_THAT(run("tdx", read_sample("tdx/phala-tdx_quote"), collateral, kJune2025), Accepted());
  minimum = 18;
  const auto verdict = run("tdx", read_sample("tdx/phala-tdx_quote"), collateral, kJune2025);
  EXPECT_THAT(verdict, RefusedAlsoFor("dcap.tcb-info-evaluation"));
  EXPECT_THAT(verdict, RefusedAlsoFor("dcap.qe-identity-evaluation"));
}

TEST_F(Sample, IsRefusedWithoutIntelsRoot) {
  roots.intel.clear();
  EXPECT_THAT(run("tdx", read_sample("tdx/phala-tdx_quote"),
                  collateral_sample("tdx/phala-tdx_quote_collateral.json"), kJune2025),
              RefusedAlsoFor("chain.root"));
}

TEST_F(Sample, ATdQuoteIsProvenInsideOtherEvidence) {
  const auto collateral = collateral_sample("tdx/phala-tdx_quote_collateral.json");
  const Evidence evidence{"azure-tdx", {}};
  const auto verdict = verify_tdx_quote(
      read_sample("tdx/phala-tdx_quote"),
      {.evidence = evidence, .endorsements = collateral, .roots = roots, .now = kJune2025});
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->report_data.size(), 64U);
}

struct Flipped {
  const char* tee;
  const char* quote;
  const char* collateral;  // nullptr: documents_sample()
  std::uint64_t now;
  friend void PrintTo(const Flipped& sample, std::ostream* out) { *out << sample.quote; }
};

class EveryByte : public Sample, public ::testing::WithParamInterface<Flipped> {};

TEST_P(EveryByte, FlippedIsNeverAccepted) {
  const auto& [tee, name, collateral, now] = GetParam();
  const auto endorsements =
      collateral == nullptr ? documents_sample() : collateral_sample(collateral);
  ByteVector quote = read_sample(name);
  ASSERT_THAT(run(tee, quote, endorsements, now), Accepted());
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < quote.size(); ++i) {
    quote[i] = static_cast<std::uint8_t>(quote[i] ^ (1U << (i % 8)));
    if (run(tee, quote, endorsements, now).accepted()) {
      ++accepted;
      ADD_FAILURE() << "byte " << i << " of " << name << " may be another";
    }
    quote[i] = static_cast<std::uint8_t>(quote[i] ^ (1U << (i % 8)));
  }
  EXPECT_EQ(accepted, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Of, EveryByte,
    ::testing::Values(
        Flipped{"sgx", "sgx/phala-sgx_quote", "sgx/phala-sgx_quote_collateral.json", kJune2025},
        Flipped{"tdx", "tdx/phala-tdx_quote", "tdx/phala-tdx_quote_collateral.json", kJune2025},
        Flipped{"tdx", "tdx/gotdx-quote_v5_sample.dat", nullptr, kMarch2026}));

// Of quotes whose platform nobody supplied a TCB info for: that is then not all that is wrong.
class EveryByteAlone : public Sample, public ::testing::WithParamInterface<const char*> {};

TEST_P(EveryByteAlone, CountsInWhatIsProven) {
  const std::string name = GetParam();
  const std::string tee = name.substr(0, 3);
  Endorsements endorsements = documents_sample();
  if (tee == "sgx") {
    const auto more = collateral_sample("sgx/phala-sgx_quote_collateral.json");
    endorsements.revocation_lists.push_back(more.revocation_lists.at(1));
  }
  const auto codes = [&](const ByteVector& quote) {
    std::set<std::string> out;
    for (const Reason& reason : run(tee, quote, endorsements, kMarch2026).reasons) {
      out.insert(reason.code);
    }
    return out;
  };
  ByteVector quote = read_sample(name);
  const std::set<std::string> expected = codes(quote);
  ASSERT_EQ(expected.count("dcap.tcb-info-missing"), 1U);
  // All of the structure; of the certificates' text and the padding every seventh byte, for time.
  constexpr std::size_t kStructure = 48 + 584 + 4 + 128 + 6 + 384 + 64 + 2 + 32 + 6;
  for (std::size_t i = 0; i < quote.size(); i += i < kStructure ? 1 : 7) {
    quote[i] = static_cast<std::uint8_t>(quote[i] ^ (1U << (i % 8)));
    ASSERT_NE(codes(quote), expected) << "byte " << i << " of " << name << " may be another";
    quote[i] = static_cast<std::uint8_t>(quote[i] ^ (1U << (i % 8)));
  }
}

INSTANTIATE_TEST_SUITE_P(Of, EveryByteAlone,
                         ::testing::Values("sgx/trustee-occlum_quote.dat",
                                           "tdx/gotdx-ccel-cos-113-tdx-quote.dat",
                                           "tdx/trustee-tdx_quote_4.dat"));

}  // namespace
}  // namespace sealpack::attest::dcap
