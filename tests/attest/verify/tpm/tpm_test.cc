// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/verify/tpm/quoting_tpm.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using crypto::HashAlgorithm;
using testing::Accepted;
using testing::item;
using testing::MintedLog;
using testing::MintedTpm;
using testing::MintKey;
using testing::MintKeyType;
using testing::Refused;
using testing::RefusedAlsoFor;
using testing::text_of;

using TpmQuotes = testing::QuotingTpm;

TEST_F(TpmQuotes, ProvePcrsAndClockOfAnEnrolledTpm) {
  const Verdict verdict = verify_fields();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->tee, "tpm");
  EXPECT_EQ(verdict.claims->report_data, nonce);
  EXPECT_EQ(claim(verdict, "pcr0"), values[0].digest);
  EXPECT_EQ(claim(verdict, "pcr9"), values[3].digest);
  EXPECT_EQ(claim(verdict, "pcr1"), text_of("(no claim)"));
  EXPECT_EQ(claim(verdict, "pcr_selection"), (ByteVector{0x91, 0x02, 0}));
  EXPECT_EQ(claim(verdict, "pcr_digest"), fields.pcr_digest);
  EXPECT_EQ(claim(verdict, "ak_name"), tpm.name());
  EXPECT_EQ(claim(verdict, "ek_name"), ek_name);
  EXPECT_EQ(claim(verdict, "clock_safe"), ByteVector{1});
  EXPECT_EQ(claim(verdict, "reset_count"), (ByteVector{0, 0, 0, 0, 0, 0, 0, 7}));
  EXPECT_EQ(claim(verdict, "restart_count"), (ByteVector{0, 0, 0, 0, 0, 0, 0, 3}));
  EXPECT_EQ(claim(verdict, "firmware_version"),
            (ByteVector{0x20, 0x20, 0x03, 0x12, 0x00, 0x12, 0x00, 0x03}));
  EXPECT_EQ(claim(verdict, "event_log"), text_of("replayed"));
  EXPECT_EQ(claim(verdict, "secure_boot"), ByteVector{1});
  EXPECT_EQ(claim(verdict, "pcr4_event"),
            crypto::hash(HashAlgorithm::kSha256, as_bytes("the kernel")));
  EXPECT_EQ(claim(verdict, "pcr9_event"),
            crypto::hash(HashAlgorithm::kSha256, as_bytes("the initrd")));
}

TEST_F(TpmQuotes, ProveTheSameWithEverySchemeOfSignature) {
  struct Scheme {
    MintKeyType type;
    bool pss;
    HashAlgorithm hash;
  };
  for (const Scheme& scheme : {Scheme{MintKeyType::kRsa2048, false, HashAlgorithm::kSha256},
                               Scheme{MintKeyType::kRsa2048, true, HashAlgorithm::kSha384},
                               Scheme{MintKeyType::kP256, false, HashAlgorithm::kSha512},
                               Scheme{MintKeyType::kP384, false, HashAlgorithm::kSha384}}) {
    MintedTpm other(scheme.type, scheme.pss);
    other.hash = scheme.hash;
    enrol(other);
    EXPECT_THAT(verify(other.evidence(other.fields_for(values), values, log.bytes())), Accepted())
        << static_cast<int>(scheme.type) << crypto::to_string(scheme.hash);
  }
}

TEST_F(TpmQuotes, WithoutALogSaySo) {
  const Verdict verdict = verify(tpm.evidence(fields, values));
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(claim(verdict, "event_log"), text_of("none"));
  EXPECT_EQ(claim(verdict, "secure_boot"), text_of("(no claim)"));
  EXPECT_EQ(claim(verdict, "pcr4_event"), text_of("(no claim)"));
}

TEST_F(TpmQuotes, WithALogOfNothingThatIsQuotedHaveNone) {
  values = {{HashAlgorithm::kSha256, 16, ByteVector(32, 1)}};
  fields = tpm.fields_for(values);
  const Verdict verdict = verify(tpm.evidence(fields, values, log.bytes()));
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(claim(verdict, "event_log"), text_of("none"));
}

TEST_F(TpmQuotes, AreRefusedWithoutTheMagicOfTheTpm) {  // CVE-2024-29038
  fields.magic = 0x46544347;
  EXPECT_THAT(verify_fields(), Refused("tpm.magic"));
}

TEST_F(TpmQuotes, AreRefusedWhenTheyCertifySomethingElse) {
  fields.type = 0x8017;
  EXPECT_THAT(verify_fields(), Refused("tpm.type"));
}

TEST_F(TpmQuotes, AreRefusedForValuesOfOtherPcrs) {  // CVE-2024-29039
  // PCR 23, which anybody resets and extends, passed off as PCR 0.
  values = {{HashAlgorithm::kSha256, 0, ByteVector(32, 0x11)}};
  fields = tpm.fields_for(values);
  fields.selections = {{tpm::kAlgSha256, {0, 0, 0x80}}};
  EXPECT_THAT(verify(tpm.evidence(fields, values)), Refused("tpm.pcr-selection"));
}

TEST_F(TpmQuotes, AreRefusedForMoreValuesThanTheyCover) {
  std::vector<PcrValue> more = values;
  more.push_back({HashAlgorithm::kSha256, 10, ByteVector(32)});
  EXPECT_THAT(verify(tpm.evidence(fields, more, log.bytes())), Refused("tpm.pcr-selection"));
}

TEST_F(TpmQuotes, AreRefusedForFewerValuesThanTheyCover) {
  std::vector<PcrValue> fewer = values;
  fewer.pop_back();
  EXPECT_THAT(verify(tpm.evidence(fields, fewer, log.bytes())), Refused("tpm.pcr-selection"));
}

TEST_F(TpmQuotes, AreRefusedForOtherValues) {
  std::vector<PcrValue> other = values;
  other[3].digest[5] ^= 1U;
  EXPECT_THAT(verify(tpm.evidence(fields, other)), Refused("tpm.pcr-digest"));
}

TEST_F(TpmQuotes, AreDigestedByTheHashOfTheSignatureNotOfTheBank) {
  tpm.hash = HashAlgorithm::kSha384;
  enrol(tpm);
  fields.pcr_digest = crypto::hash(HashAlgorithm::kSha256, joined_digests(values));
  EXPECT_THAT(verify_fields(), Refused("tpm.pcr-digest"));
  fields.pcr_digest = crypto::hash(HashAlgorithm::kSha384, joined_digests(values));
  EXPECT_THAT(verify_fields(), Accepted());
}

TEST_F(TpmQuotes, OfTwoBanksProveTheSha256One) {
  MintedLog two({HashAlgorithm::kSha1, HashAlgorithm::kSha256});
  two.boot(true);
  values = two.values(HashAlgorithm::kSha1, {0, 7});
  for (const PcrValue& value : two.values(HashAlgorithm::kSha256, {0, 7})) values.push_back(value);
  fields = tpm.fields_for(values);
  const Verdict verdict = verify(tpm.evidence(fields, values, two.bytes()));
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(claim(verdict, "pcr0"), values[2].digest);
  EXPECT_EQ(claim(verdict, "pcr_selection"), (ByteVector{0x81, 0, 0}));
  const auto& claims = verdict.claims->claims;
  EXPECT_EQ(std::count_if(claims.begin(), claims.end(),
                          [](const Claim& one) { return one.name == "pcr0"; }),
            1);

  // The order of the banks is part of what is digested.
  fields.selections = {fields.selections[1], fields.selections[0]};
  EXPECT_THAT(verify(tpm.evidence(fields, values, two.bytes())), Refused("tpm.pcr-selection"));
}

TEST_F(TpmQuotes, OfTwoBanksAreRefusedWhereTheLogLeadsEitherElsewhere) {
  MintedLog two({HashAlgorithm::kSha1, HashAlgorithm::kSha256});
  two.boot(true);
  for (const std::size_t at : {0U, 1U}) {
    values = {two.values(HashAlgorithm::kSha1, {7})[0], two.values(HashAlgorithm::kSha256, {7})[0]};
    values[at].digest[0] ^= 1U;
    EXPECT_THAT(verify(tpm.evidence(tpm.fields_for(values), values, two.bytes())),
                Refused("eventlog.pcr"));
  }
}

// Nobody checked the other bank's digests of an event.
TEST_F(TpmQuotes, ClaimNothingOfEventsByAnotherBankThanSha256) {
  MintedLog two({HashAlgorithm::kSha1, HashAlgorithm::kSha256});
  two.boot(true);
  values = two.values(HashAlgorithm::kSha1, {4, 7});
  values.push_back(two.values(HashAlgorithm::kSha256, {0})[0]);
  const Verdict verdict = verify(tpm.evidence(tpm.fields_for(values), values, two.bytes()));
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(claim(verdict, "secure_boot"), text_of("(no claim)"));
  EXPECT_EQ(claim(verdict, "pcr4_event"), text_of("(no claim)"));
}

TEST_F(TpmQuotes, ClaimNoNumberThatPoliciesCannotCompare) {
  fields.clock = std::uint64_t{1} << 63U;
  const Verdict verdict = verify_fields();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(claim(verdict, "clock"), text_of("(no claim)"));
}

TEST_F(TpmQuotes, OfTheSha1BankAloneProveNothing) {
  MintedLog sha1({HashAlgorithm::kSha1});
  sha1.boot(true);
  values = sha1.values(HashAlgorithm::kSha1, {0, 7});
  EXPECT_THAT(verify(tpm.evidence(tpm.fields_for(values), values)), Refused("tpm.pcr-bank"));
}

TEST_F(TpmQuotes, OfNothingProveNothing) {
  fields.selections.clear();
  fields.pcr_digest = crypto::hash(HashAlgorithm::kSha256, {});
  EXPECT_THAT(verify(tpm.evidence(fields, {})), RefusedAlsoFor("tpm.pcr-bank"));
}

TEST_F(TpmQuotes, MayNameBanksOfWhichNothingIsSelected) {
  fields.selections.push_back({tpm::kAlgSha384, {0, 0, 0}});
  EXPECT_THAT(verify_fields(), Accepted());
}

TEST_F(TpmQuotes, MayCoverResettablePcrsWhichAreJustClaims) {
  values.push_back({HashAlgorithm::kSha256, 16, ByteVector(32)});
  values.push_back({HashAlgorithm::kSha256, 23, ByteVector(32, 0x23)});
  fields = tpm.fields_for(values);
  const Verdict verdict = verify_fields();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(claim(verdict, "pcr23"), ByteVector(32, 0x23));
  EXPECT_EQ(claim(verdict, "pcr_selection"), (ByteVector{0x91, 0x02, 0x81}));
}

TEST_F(TpmQuotes, AreRefusedWhereFirmwareMeasuredNothing) {  // "TPM Carte Blanche"
  for (std::uint8_t pcr = 0; pcr < 8; ++pcr) {
    values = log.values(HashAlgorithm::kSha256, {0, 1, 2, 3, 4, 5, 6, 7, 8});
    values[pcr].digest = ByteVector(32);
    EXPECT_THAT(verify(tpm.evidence(tpm.fields_for(values), values)), Refused("tpm.carte-blanche"))
        << int{pcr};
  }
}

TEST_F(TpmQuotes, BindExactlyWhatWasAskedFor) {
  for (const ByteVector& other :
       {ByteVector{}, ByteVector{1, 2, 3}, ByteVector{1, 2, 3, 4, 0}, ByteVector{1, 2, 3, 5}}) {
    expected = other;
    EXPECT_THAT(verify_fields(), Refused("tpm.report-data"));
  }
  expected = nonce;
  for (const ByteVector& other : {ByteVector{}, ByteVector{1, 2, 3}, ByteVector{1, 2, 3, 4, 0}}) {
    fields.extra_data = other;
    EXPECT_THAT(verify_fields(), Refused("tpm.report-data"));
  }
}

TEST_F(TpmQuotes, AreRefusedWithAnotherSignature) {
  Evidence evidence = tpm.evidence(fields, values, log.bytes());
  fields.clock += 1;
  item(evidence, "tpm-signature") = tpm.sign(write_quote(fields));
  EXPECT_THAT(verify(evidence), Refused("tpm.signature"));
}

TEST_F(TpmQuotes, AreRefusedWhenSha1Signs) {
  Evidence evidence = tpm.evidence(fields, values, log.bytes());
  item(evidence, "tpm-signature")[3] = 0x04;
  EXPECT_THAT(verify(evidence), Refused("tpm.signature-format"));
}

TEST_F(TpmQuotes, AreRefusedWhenTheKeyIsForAnotherScheme) {
  MintedTpm signs(MintKeyType::kRsa2048, true);
  Evidence evidence = signs.evidence(signs.fields_for(values), values, log.bytes());
  // The same key, in an area that says RSASSA.
  ByteVector& area = item(evidence, "ak-public");
  area[13] = 0x14;
  ByteVector name = crypto::hash(HashAlgorithm::kSha256, area);
  name.insert(name.begin(), {0x00, 0x0b});
  roots.tpm_enrolments = {{signs.key_digest(), name, ek_name}};
  EXPECT_THAT(verify(evidence), Refused("tpm.signature-scheme"));
}

TEST_F(TpmQuotes, AreRefusedWhenTheKeyIsForAnotherHash) {
  MintedTpm signs;
  signs.hash = HashAlgorithm::kSha384;
  Evidence evidence = signs.evidence(signs.fields_for(values), values, log.bytes());
  ByteVector& area = item(evidence, "ak-public");
  ASSERT_EQ(area[15], 0x0c);
  area[15] = 0x0b;
  ByteVector name = crypto::hash(HashAlgorithm::kSha256, area);
  name.insert(name.begin(), {0x00, 0x0b});
  roots.tpm_enrolments = {{signs.key_digest(), name, ek_name}};
  EXPECT_THAT(verify(evidence), Refused("tpm.signature-scheme"));
}

TEST_F(TpmQuotes, AreRefusedOfKeysThatSignOtherThings) {
  for (const std::uint32_t bit : {tpm::kRestricted, tpm::kSign, tpm::kDecrypt, tpm::kFixedTpm,
                                  tpm::kFixedParent, tpm::kSensitiveDataOrigin}) {
    tpm.attributes = testing::kGoodAttributes ^ bit;
    enrol(tpm);
    EXPECT_THAT(verify_fields(), Refused("tpm.ak-attributes")) << bit;
  }
}

TEST_F(TpmQuotes, AreRefusedOfAKeyThatNobodyEnrolled) {
  roots.tpm_enrolments.clear();
  EXPECT_THAT(verify_fields(), Refused("tpm.ak-untrusted"));
  enrol(MintedTpm());
  EXPECT_THAT(verify_fields(), Refused("tpm.ak-untrusted"));
}

TEST_F(TpmQuotes, AreRefusedUnderAnotherNameThanTheEnrolledOne) {
  roots.tpm_enrolments[0].ak_name.back() ^= 1U;
  EXPECT_THAT(verify_fields(), Refused("tpm.ak-name"));
}

// TPMs before revision 1.38 of the specification: 1 key in 128.
TEST_F(TpmQuotes, AreAcceptedOfAKeyWhoseCoordinatesLackTheirLeadingZeros) {
  MintedTpm old = MintedTpm::with_leading_zero(MintKeyType::kP256, 0);
  old.omits_leading_zeros = true;
  const Evidence evidence = old.evidence(old.fields_for(values), values, log.bytes());
  enrol(old);
  const Verdict verdict = verify(evidence);
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(claim(verdict, "ak_name"), old.name());
  // Who vouches for the key alone has it as others write it.
  roots.tpm_enrolments.clear();
  roots.tpm_attestation_keys = {old.key_digest()};
  EXPECT_THAT(verify(evidence), Accepted());
}

// A name is that of an area as its TPM has it: the same key in another area is another object.
TEST_F(TpmQuotes, AreRefusedUnderTheNameThatTheKeyHasWithItsZeros) {
  MintedTpm old = MintedTpm::with_leading_zero(MintKeyType::kP256, 1);
  enrol(old);
  EXPECT_THAT(verify(old.evidence(old.fields_for(values), values, log.bytes())), Accepted());
  old.omits_leading_zeros = true;
  EXPECT_THAT(verify(old.evidence(old.fields_for(values), values, log.bytes())),
              Refused("tpm.ak-name"));
}

TEST_F(TpmQuotes, OfAKeyWithoutEndorsementKeyClaimNone) {
  roots.tpm_enrolments.clear();
  roots.tpm_attestation_keys = {tpm.key_digest()};
  const Verdict verdict = verify_fields();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(claim(verdict, "ek_name"), text_of("(no claim)"));
}

TEST_F(TpmQuotes, AreRefusedOfAKeyGivenWithoutItsAttributes) {
  roots.tpm_enrolments.clear();
  roots.tpm_attestation_keys = {tpm.key_digest()};
  Evidence evidence = tpm.evidence(fields, values, log.bytes());
  item(evidence, "ak-public") = tpm.key().spki();
  EXPECT_THAT(verify(evidence), Refused("tpm.ak-attributes"));
}

TEST_F(TpmQuotes, AreNotProvenByTheCertificateOfAnEndorsementKeyBesideThem) {
  Evidence evidence = tpm.evidence(fields, values, log.bytes());
  evidence.items.insert(evidence.items.begin() + 4, {"ek-certificate", {0x30, 0x00}});
  EXPECT_THAT(verify(evidence), Refused("evidence.item-unknown"));
}

TEST_F(TpmQuotes, NeedAllTheirItems) {
  for (const char* kind : {"tpm-quote", "tpm-signature", "tpm-pcrs", "ak-public"}) {
    Evidence evidence = tpm.evidence(fields, values, log.bytes());
    std::erase_if(evidence.items, [&](const EvidenceItem& one) { return one.kind == kind; });
    EXPECT_THAT(verify(evidence), Refused("evidence.item-missing")) << kind;
  }
}

TEST_F(TpmQuotes, AreRefusedWithMalformedItems) {
  struct Case {
    const char* kind;
    const char* code;
  };
  for (const Case& one :
       {Case{"tpm-quote", "tpm.quote"}, Case{"tpm-signature", "tpm.signature-format"},
        Case{"tpm-pcrs", "tpm.pcrs"}, Case{"ak-public", "tpm.ak-public"},
        Case{"event-log", "eventlog.malformed"}}) {
    Evidence longer = tpm.evidence(fields, values, log.bytes());
    item(longer, one.kind).push_back(0);
    EXPECT_THAT(verify(longer), Refused(one.code)) << one.kind;
    Evidence shorter = tpm.evidence(fields, values, log.bytes());
    item(shorter, one.kind).pop_back();
    EXPECT_THAT(verify(shorter), Refused(one.code)) << one.kind;
  }
}

TEST_F(TpmQuotes, AreRefusedAfterAFlipOfAnyByte) {
  const Evidence genuine = tpm.evidence(fields, values, log.bytes());
  const std::vector<Claim> proven = verify(genuine).claims->claims;
  std::size_t unmeasured = 0;
  for (std::size_t i = 0; i < genuine.items.size(); ++i) {
    for (std::size_t at = 0; at < genuine.items[i].bytes.size(); ++at) {
      Evidence evidence = genuine;
      evidence.items[i].bytes[at] ^= 0x01U;
      const Verdict verdict = verify(evidence);
      if (!verdict.accepted()) continue;
      // Types and descriptions of events are not measured: nothing new may come of them.
      EXPECT_EQ(genuine.items[i].kind, "event-log") << at;
      for (const Claim& claim : verdict.claims->claims) {
        EXPECT_NE(std::find(proven.begin(), proven.end(), claim), proven.end()) << claim.name;
      }
      ++unmeasured;
    }
  }
  EXPECT_LT(unmeasured, 150U);
}

}  // namespace
}  // namespace sealpack::attest
