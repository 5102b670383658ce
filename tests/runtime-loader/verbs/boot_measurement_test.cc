// SPDX-License-Identifier: Apache-2.0
// LOADER-FORMATS.md [L-4.1.3].
#include "runtime-loader/verbs/boot_measurement.h"

#include <gmock/gmock.h>

#include "keymgmt/crypto/sha256.h"
#include "tests/attest/verify/cose/cca_maker.h"
#include "tests/attest/verify/dcap/mint_dcap.h"
#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using attest::Evidence;
using sealpack::testing::CborMapMaker;
using sealpack::testing::CborWriter;
using sealpack::testing::CcaMaker;
using sealpack::testing::cose_sign1;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::MintDcap;
using sealpack::testing::MintKey;
using sealpack::testing::MintKeyType;
using sealpack::testing::SnpLab;
using ::testing::HasSubstr;

Digest measured(const Evidence& evidence) {
  const auto measurement = boot_measurement(evidence);
  EXPECT_TRUE(measurement.ok()) << measurement.error().message();
  return measurement.ok() ? *measurement : Digest{};
}

Evidence snp(const SnpLab& lab) {
  return {"sev-snp", {{"report", lab.signed_report()}}};
}

TEST(BootMeasurement, OfSnpIsThatOfTheLaunch) {
  SnpLab lab("Milan");
  const Digest before = measured(snp(lab));
  EXPECT_EQ(before, crypto::sha256(ByteVector(48, 0x3E)));
  lab.set_bytes(0x050, ByteVector(64, 1));  // REPORT_DATA
  lab.set_bytes(0x140, ByteVector(32, 2));  // REPORT_ID, of this guest alone
  EXPECT_EQ(measured(snp(lab)), before);
  lab.set_u8(0x090 + 47, 0);
  EXPECT_NE(measured(snp(lab)), before);
}

TEST(BootMeasurement, OfATrustDomainIsThatOfItsBuildAndWhatItExtendedSince) {
  constexpr std::size_t kMrTd = 136;
  constexpr std::size_t kRtmrs = 328;
  constexpr std::size_t kReportData = 520;
  MintDcap platform(MintDcap::Kind::kTdx4);
  const auto evidence = [&] { return Evidence{"tdx", {{"quote", platform.quote()}}}; };
  const auto at = [&](std::size_t offset) {
    return platform.body.begin() + static_cast<std::ptrdiff_t>(offset);
  };
  ByteVector fields(at(kMrTd), at(kMrTd + 48));
  fields.insert(fields.end(), at(kRtmrs), at(kRtmrs + 4 * std::size_t{48}));
  const Digest before = measured(evidence());
  EXPECT_EQ(before, crypto::sha256(fields));
  *at(kReportData) ^= 1;
  EXPECT_EQ(measured(evidence()), before);
  for (std::size_t field = 0; field < 5; ++field) {
    const std::size_t offset = field == 0 ? kMrTd : kRtmrs + (field - 1) * 48;
    *at(offset) ^= 1;
    EXPECT_NE(measured(evidence()), before) << "field " << field;
    *at(offset) ^= 1;
  }
}

class Nitro : public ::testing::Test {
 protected:
  Evidence evidence(std::size_t count, std::uint8_t nonce = 9) {
    CborMapMaker pcrs;
    for (std::size_t i = 0; i < count; ++i) {
      pcrs.put(static_cast<std::int64_t>(i),
               CborWriter().bytes(ByteVector(48, static_cast<std::uint8_t>(first_ + i))));
    }
    CborWriter bundle;
    bundle.array(1).bytes(ByteVector(100, 1));
    CborMapMaker fields;
    fields.put("module_id", CborWriter().text("i-0123-enc0123"))
        .put("digest", CborWriter().text("SHA384"))
        .put("timestamp", CborWriter().number(1750000000000))
        .put("pcrs", CborWriter().raw(pcrs.take()))
        .put("certificate", CborWriter().bytes(ByteVector(100, 1)))
        .put("cabundle", bundle)
        .put("public_key", CborWriter().null())
        .put("user_data", CborWriter().null())
        .put("nonce", CborWriter().bytes(ByteVector(48, nonce)));
    return {"nitro", {{"document", cose_sign1(key_, fields.take())}}};
  }
  MintKey key_ = MintKey::generate(MintKeyType::kP384);
  std::size_t first_ = 1;
};

TEST_F(Nitro, BootMeasurementIsThatOfTheImage) {
  ByteVector fields;
  for (const std::uint8_t value : ByteVector{1, 2, 3}) fields.insert(fields.end(), 48, value);
  const Digest before = measured(evidence(16));
  EXPECT_EQ(before, crypto::sha256(fields));
  EXPECT_EQ(measured(evidence(16, 7)), before);
  EXPECT_EQ(measured(evidence(3)), before);
  first_ = 2;
  EXPECT_NE(measured(evidence(16)), before);
}

TEST_F(Nitro, BootMeasurementNeedsAllPcrsOfTheImage) {
  EXPECT_THAT(boot_measurement(evidence(2)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("pcr2: it is missing")));
}

TEST(BootMeasurement, OfARealmIsThatOfItsBuildAndWhatItExtendedSince) {
  CcaMaker maker;
  const auto evidence = [&] { return Evidence{"cca", {{"token", maker.make()}}}; };
  ByteVector fields(32, 4);
  for (const std::uint8_t value : ByteVector{0, 1, 2, 3}) fields.insert(fields.end(), 32, value);
  const Digest before = measured(evidence());
  EXPECT_EQ(before, crypto::sha256(fields));
  maker.realm.put(10, CborWriter().bytes(ByteVector(64, 1)));  // the challenge
  EXPECT_EQ(measured(evidence()), before);
  maker.realm.put(44238, CborWriter().bytes(ByteVector(32, 5)));
  EXPECT_NE(measured(evidence()), before);
  maker.realm.remove(44238);
  EXPECT_THAT(boot_measurement(evidence()),
              FailsWith(ErrorCode::kMalformed, HasSubstr("claim 44238 is missing")));
}

TEST(BootMeasurement, IsOfNothingThatDoesNotSayIt) {
  for (const auto& [tee, kind] : {std::pair{"cca", "token"}, std::pair{"nitro", "document"},
                                  std::pair{"sev-snp", "report"}, std::pair{"tdx", "quote"}}) {
    EXPECT_THAT(boot_measurement({tee, {{kind, ByteVector(40, 1)}}}),
                FailsWith(ErrorCode::kMalformed, HasSubstr("what this machine booted")));
    EXPECT_THAT(boot_measurement({tee, {}}), FailsWith(ErrorCode::kMalformed, HasSubstr(kind)));
  }
  // A quote of an enclave is not one of a trust domain.
  const MintDcap enclave(MintDcap::Kind::kSgx4);
  EXPECT_THAT(boot_measurement({"tdx", {{"quote", enclave.quote()}}}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("trust domain")));
  for (const char* tee : {"sgx", "tpm", "simulated", "nvidia-gpu", ""}) {
    EXPECT_THAT(boot_measurement({tee, {{"quote", enclave.quote()}}}),
                Fails(ErrorCode::kUnsupported));
  }
}

}  // namespace
}  // namespace sealpack::loader
