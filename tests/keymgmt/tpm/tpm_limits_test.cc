// SPDX-License-Identifier: Apache-2.0
// A TPM that is busy, full, locked or cleared, and proofs of its counters.
#include <gtest/gtest.h>

#include "keymgmt/tpm/tpm.h"
#include "tests/keymgmt/tpm/software_tpm.h"
#include "tests/keymgmt/tpm/tpm_command.h"
#include "tests/keymgmt/tpm/tpm_proxy.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::tpm {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::SoftwareTpm;
using testing::Succeeds;
using testing::tpm_code;
using testing::tpm_refusal;
using testing::TpmProxy;

constexpr std::uint32_t kCounter = 0x01805ea1;
constexpr std::uint32_t kPcrExtend = 0x182;
constexpr std::uint32_t kGetCapability = 0x17a;

class TpmLimits : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
    device_.emplace();
  }
  static Result<std::unique_ptr<Tpm>> open(const std::string& tcti) {
    return Tpm::open({tcti, EndorsementKind::kP256, std::nullopt});
  }
  // What extending a PCR comes to, where the TPM answers `code` to the first `times` attempts.
  Status extend_where_it_says(std::uint32_t code, int times) {
    TpmProxy proxy(*device_, [&](Bytes command) -> std::optional<ByteVector> {
      if (tpm_code(command) != kPcrExtend || times-- <= 0) return std::nullopt;
      return tpm_refusal(code);
    });
    const auto tpm = TRY(open(proxy.tcti()));
    return tpm->extend_pcr(15, Digest{});
  }
  // Handles of that kind (TPM_HT) that are loaded, by TPM2_GetCapability.
  std::uint32_t loaded(std::uint32_t first) {
    const ByteVector response = device_->command(testing::tpm_command(
        kGetCapability, {}, {}, testing::TpmBytes().u32(1).u32(first).u32(16).take()));
    // more, capability, count
    return response.size() < 19 ? ~0U : response[18];
  }
  std::optional<SoftwareTpm> device_;
};

TEST_F(TpmLimits, ABusyTpmIsAskedAgain) {
  // TPM_RC_RETRY, TPM_RC_YIELDED and TPM_RC_TESTING, for which tpm2-tss itself tries five times.
  for (const std::uint32_t code : {0x922U, 0x908U, 0x90aU}) {
    EXPECT_THAT(extend_where_it_says(code, 12), Succeeds()) << code;
  }
  EXPECT_THAT(extend_where_it_says(0x920, 3), Succeeds()) << "TPM_RC_NV_RATE";
}

TEST_F(TpmLimits, WhatTheTpmLacksIsSaidInWords) {
  struct Case {
    std::uint32_t code;
    ErrorCode error;
    const char* hint;
  };
  for (const Case& one :
       {Case{0x921, ErrorCode::kTryAgain, "dictionary attack lockout"},
        Case{0x902, ErrorCode::kTryAgain, "resource manager"},
        Case{0x903, ErrorCode::kTryAgain, "resource manager"},
        Case{0x100, ErrorCode::kIo, "TPM2_Startup"}, Case{0x101, ErrorCode::kIo, "self test"},
        Case{0x143, ErrorCode::kUnsupported, "lacks this command"},
        // Algorithms, in the second parameter: SHA-512, AES-256, P-521.
        Case{0x2c3, ErrorCode::kUnsupported, ""}, Case{0x2d6, ErrorCode::kUnsupported, ""},
        Case{0x2e6, ErrorCode::kUnsupported, ""}}) {
    const Status status = extend_where_it_says(one.code, 1000);
    ASSERT_THAT(status, Fails(one.error)) << one.code;
    EXPECT_THAT(status.error().hint(), HasSubstr(one.hint));
  }
}

TEST_F(TpmLimits, NothingIsLeftInATpmWithoutAResourceManager) {
  for (const auto kind : {EndorsementKind::kP256, EndorsementKind::kP384}) {
    {
      const auto tpm = *Tpm::open({device_->tcti(), kind, std::nullopt});
      ASSERT_THAT(tpm->create_key(ObjectKind::kAgreeP256), Succeeds());
      ASSERT_THAT(tpm->quote(1U << 15U, as_bytes("nonce")), Succeeds());
      EXPECT_THAT(tpm->activate_credential({ByteVector(60), ByteVector(68)}),
                  Fails(ErrorCode::kKeyUnavailable));
      EXPECT_THAT(tpm->load(attestation_p256(), ByteVector(100)),
                  Fails(ErrorCode::kKeyUnavailable));
    }
    EXPECT_EQ(loaded(0x80000000), 0U) << "keys";
    EXPECT_EQ(loaded(0x02000000), 0U) << "sessions";
    EXPECT_EQ(loaded(0x03000000), 0U) << "sessions put aside";
  }
}

TEST_F(TpmLimits, OnlyKnownWaysToATpmAreOpened) {
  for (const char* name :
       {"/tmp/libevil.so", "cmd:sh", "pcap:swtpm", "mssim", "device2:/dev/tpm0"}) {
    EXPECT_THAT(open(name), FailsWith(ErrorCode::kUsage, HasSubstr("no way to a TPM"))) << name;
  }
  EXPECT_THAT(open("device:/none"), FailsWith(ErrorCode::kIo, HasSubstr("'device:/none'")));
  EXPECT_THAT(open("swtpm:path=/none"), Fails(ErrorCode::kIo));
}

// Somebody guesses at something else until the TPM is locked.
TEST_F(TpmLimits, ALockoutByOthersDoesNotStopWhatIsOurs) {
  for (const auto kind : {EndorsementKind::kP256, EndorsementKind::kP384}) {
    SetUp();
    constexpr std::uint32_t kTheirs = 0x01800200;
    constexpr std::uint32_t kAuthReadWrite = 0x00040004;
    ASSERT_EQ(tpm_code(device_->command(
                  testing::tpm_nv_define(kTheirs, kAuthReadWrite, 8, "secret of another"))),
              0U);
    const ByteVector guess =
        testing::tpm_command(0x137, {kTheirs, kTheirs}, {"guess"},
                             testing::TpmBytes().sized(ByteVector(8)).u16(0).take());
    std::uint32_t code = 0;
    for (int i = 0; i < 40 && code != 0x921; ++i) code = tpm_code(device_->command(guess));
    ASSERT_EQ(code, 0x921U) << "the TPM is not locked";
    const auto tpm = *Tpm::open({device_->tcti(), kind, std::nullopt});
    EXPECT_THAT(tpm->define_counter(kCounter), Succeeds());
    EXPECT_THAT(tpm->prove_counter(kCounter), Succeeds());
    const auto created = tpm->create_key(ObjectKind::kAgreeP256);
    ASSERT_THAT(created, Succeeds());
    EXPECT_THAT(tpm->load(created->object, created->private_part), Succeeds());
    EXPECT_THAT(tpm->quote(1U << 15U, as_bytes("nonce")), Succeeds());
    EXPECT_THAT(tpm->extend_pcr(15, Digest{}), Succeeds());
  }
}

TEST_F(TpmLimits, ClearingATpmDoesNotTurnItsCountersBack) {
  std::uint64_t before = 0;
  Name name;
  {
    const auto tpm = *open(device_->tcti());
    name = name_of(tpm->endorsement_key());
    ASSERT_THAT(tpm->define_counter(kCounter), Succeeds());
    for (int i = 0; i < 5; ++i) ASSERT_THAT(tpm->increment_counter(kCounter), Succeeds());
    before = **tpm->read_counter(kCounter);
  }
  ASSERT_EQ(tpm_code(device_->command(testing::tpm_clear())), 0U);
  device_->restart();
  const auto tpm = *open(device_->tcti());
  EXPECT_EQ(name_of(tpm->endorsement_key()), name);
  EXPECT_EQ(*tpm->read_counter(kCounter), std::nullopt);
  ASSERT_THAT(tpm->define_counter(kCounter), Succeeds());
  EXPECT_GT(**tpm->read_counter(kCounter), before);
}

TEST_F(TpmLimits, ZeroPcrsAreExtendedAndOthersLeftAlone) {
  const Digest measured{{1}};
  const Digest cap{{2}};
  Digest nine;
  {
    const auto tpm = *open(device_->tcti());
    ASSERT_THAT(tpm->extend_pcr(9, measured), Succeeds());
    nine = (*tpm->read_pcrs(1U << 9U))[0].value;
  }
  ASSERT_THAT(extend_zero_pcrs(device_->tcti(), kCapPcrs, cap), Succeeds());
  const auto tpm = *open(device_->tcti());
  const auto values = *tpm->read_pcrs(0x1ffff);
  for (const PcrValue& pcr : values) {
    if (pcr.index == 0 || pcr.index == 16) {
      EXPECT_EQ(pcr.value, Digest{}) << pcr.index;
    } else if (pcr.index == 9) {
      EXPECT_EQ(pcr.value, nine);
    } else {
      EXPECT_NE(pcr.value, Digest{}) << pcr.index;
    }
  }
}

class CounterProofs : public TpmLimits {
 protected:
  void SetUp() override {
    TpmLimits::SetUp();
    if (IsSkipped()) return;
    tpm_ = *open(device_->tcti());
    ASSERT_THAT(tpm_->define_counter(kCounter), Succeeds());
    key_ = *tpm_->attestation_key();
    proof_ = *tpm_->prove_counter(kCounter);
  }
  std::unique_ptr<Tpm> tpm_;
  PublicArea key_;
  CounterProof proof_;
};

TEST_F(CounterProofs, ShowTheValue) {
  EXPECT_EQ(*verify_counter_proof(key_, kCounter, proof_), **tpm_->read_counter(kCounter));
  ASSERT_THAT(tpm_->increment_counter(kCounter), Succeeds());
  EXPECT_EQ(*verify_counter_proof(key_, kCounter, *tpm_->prove_counter(kCounter)),
            **tpm_->read_counter(kCounter));
}

TEST_F(CounterProofs, HoldForNoOtherBytesKeyOrIndex) {
  for (ByteVector CounterProof::*part : {&CounterProof::attest, &CounterProof::signature}) {
    for (std::size_t i = 0; i < (proof_.*part).size(); ++i) {
      CounterProof changed = proof_;
      (changed.*part)[i] ^= 1U;
      EXPECT_FALSE(verify_counter_proof(key_, kCounter, changed).ok()) << i;
    }
  }
  EXPECT_THAT(verify_counter_proof(key_, kCounter + 1, proof_),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("another NV index")));
  SoftwareTpm other;
  const PublicArea stranger = *(*open(other.tcti()))->attestation_key();
  EXPECT_THAT(verify_counter_proof(stranger, kCounter, proof_),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("not signed")));
}

TEST_F(CounterProofs, AreNoQuotesAndOfNoOtherIndex) {
  const Digest context = counter_proof_context();
  const Quote quote = *tpm_->quote(1U << 15U, context.bytes);
  EXPECT_THAT(verify_counter_proof(key_, kCounter, {quote.quoted, quote.signature}),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("nothing that a TPM states of NV")));
  EXPECT_THAT(tpm_->prove_counter(kCounter + 1), Fails(ErrorCode::kRefused));
}

}  // namespace
}  // namespace sealpack::tpm
