// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "attest/verify/chain_cache.h"
#include "tests/attest/verify/cose/cose_maker.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::Accepted;
using testing::CborMapMaker;
using testing::CborWriter;
using testing::cose_sign1;
using testing::CoseShape;
using testing::mint;
using testing::MintCertificate;
using testing::MintKey;
using testing::MintKeyType;
using testing::MintList;
using testing::Refused;
using testing::RefusedAlsoFor;

constexpr std::uint64_t kNow = 1750000000;

MintCertificate authority(const char* name) {
  MintCertificate certificate;
  certificate.subject = name;
  certificate.authority = true;
  return certificate;
}

// A document as the module makes it, under a root that nobody trusts but these tests. Each test
// edits one thing and makes it again.
class Nitro : public ::testing::Test {
 protected:
  Nitro() {
    leaf.subject = "i-0123-enc0123.us-east-1.aws";
    leaf.not_before = kNow - 60;
    leaf.not_after = kNow + 3 * 3600;
    for (std::int64_t i = 0; i < 16; ++i)
      set_pcr(i, ByteVector(48, static_cast<std::uint8_t>(i + 1)));
    fields.put("module_id", CborWriter().text("i-0123-enc0123"))
        .put("digest", CborWriter().text("SHA384"))
        .put("timestamp", CborWriter().number(kNow * 1000 - 500))
        .put("public_key", CborWriter().null())
        .put("user_data", CborWriter().null())
        .put("nonce", CborWriter().bytes(nonce));
    roots.nitro = {root_key().digest()};
    evidence = {"nitro", {{"document", {}}}};
  }

  static const MintKey& root_key() {
    static const MintKey key = MintKey::generate(MintKeyType::kP384);
    return key;
  }
  static const MintKey& zone_key() {
    static const MintKey key = MintKey::generate(MintKeyType::kP384);
    return key;
  }
  static const MintKey& other_key() {
    static const MintKey key = MintKey::generate(MintKeyType::kP384);
    return key;
  }

  void set_pcr(std::int64_t index, ByteVector value) { pcrs.put(index, CborWriter().bytes(value)); }

  CborWriter bundle() const {
    CborWriter out;
    out.array(2).bytes(mint(root, root_key(), nullptr, root_key()));
    return out.bytes(mint(zone, zone_key(), &root, root_key()));
  }

  // The document's payload, with what was not put by hand.
  ByteVector payload() {
    fields.put("pcrs", CborWriter().raw(pcrs.take()));
    fields.put("certificate", CborWriter().bytes(mint(leaf, leaf_key, &zone, zone_key())));
    if (with_bundle) fields.put("cabundle", bundle());
    return fields.take();
  }
  Verdict run() { return run(payload()); }
  Verdict run(Bytes document) {
    evidence.items[0].bytes = cose_sign1(signer, document, shape);
    return verify({evidence, endorsements, roots, now, expected, std::nullopt, 0, cache});
  }
  Verdict run_raw(ByteVector bytes) {
    evidence.items[0].bytes = std::move(bytes);
    return verify({evidence, endorsements, roots, now, expected});
  }

  MintCertificate root = authority("aws.nitro-enclaves");
  MintCertificate zone = authority("zone.aws.nitro-enclaves");
  MintCertificate leaf;
  MintKey leaf_key = MintKey::generate(MintKeyType::kP384);
  MintKey signer = leaf_key;
  CborMapMaker pcrs;
  CborMapMaker fields;
  bool with_bundle = true;
  CoseShape shape{.tag = std::nullopt};
  ByteVector nonce = ByteVector(48, 9);
  Evidence evidence;
  Endorsements endorsements;
  Roots roots;
  std::uint64_t now = kNow;
  std::optional<ByteVector> expected = nonce;
  ChainCache* cache = nullptr;
};

TEST_F(Nitro, ProvesWhatTheModuleSays) {
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->tee, "nitro");
  EXPECT_EQ(verdict.claims->report_data, nonce);
  EXPECT_EQ(verdict.claims->find("pcr15")->value, ByteVector(48, 16));
  EXPECT_EQ(verdict.claims->find("debug")->value, ByteVector{0});
  EXPECT_EQ(verdict.claims->find("user_data"), nullptr);
}

TEST_F(Nitro, TakesTheTagOfACoseSign1OrNone) {
  shape.tag = 18;
  EXPECT_THAT(run(), Accepted());
}

// As the module writes it since 2025: only the outermost map; the others are as much CBOR.
TEST_F(Nitro, TakesAPayloadThatEndsAtABreak) {
  payload();
  const ByteVector document = fields.take_until_break();
  EXPECT_THAT(run(document), Accepted());
  EXPECT_THAT(run(Bytes(document).first(document.size() - 1)), Refused("nitro.malformed"));
  fields.put("pcrs", CborWriter().raw(pcrs.take_until_break()));
  EXPECT_THAT(run(fields.take_until_break()), Accepted());
  EXPECT_THAT(run(fields.take()), Accepted());
  fields.repeat("nonce");
  EXPECT_THAT(run(fields.take_until_break()), Refused("nitro.malformed"));
}

TEST_F(Nitro, TakesNullsAndFieldsThatAreLeftOut) {
  fields.remove("public_key").remove("user_data");
  EXPECT_THAT(run(), Accepted());
  fields.remove("nonce");
  EXPECT_THAT(run(), Refused("nitro.nonce"));
  expected.reset();
  EXPECT_THAT(run(), Accepted());
}

TEST_F(Nitro, TakesDataLargerThanTheDocumentedLimitsAsTheModuleDoes) {
  fields.put("public_key", CborWriter().bytes(ByteVector(2048, 1)));
  fields.put("user_data", CborWriter().bytes(ByteVector(2048, 2)));
  const Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(as_text(verdict.claims->find("user_data")->value), to_hex(ByteVector(2048, 2)));
  fields.put("user_data", CborWriter().bytes(ByteVector(20000, 2)));
  EXPECT_THAT(run(), Refused("nitro.malformed"));
}

TEST_F(Nitro, StatesDebugModeWhereTheFirstThreePcrsAreZero) {
  for (std::int64_t i = 0; i < 3; ++i) set_pcr(i, ByteVector(48));
  Verdict verdict = run();
  ASSERT_THAT(verdict, Accepted());
  EXPECT_EQ(verdict.claims->find("debug")->value, ByteVector{1});
  set_pcr(2, ByteVector(48, 3));
  EXPECT_EQ(run().claims->find("debug")->value, ByteVector{0});
}

TEST_F(Nitro, StatesTheAgeOfTheDocument) {
  now = kNow + 7000;
  EXPECT_EQ(to_hex(run().claims->find("age")->value), "0000000000001b59");  // 7001
}

TEST_F(Nitro, RefusesADocumentFromTheFuture) {
  now = kNow - 60;
  EXPECT_THAT(run(), Accepted());  // clocks may be a minute apart
  leaf.not_before = kNow - 3600;
  now = kNow - 62;
  EXPECT_THAT(run(), Refused("nitro.future"));
}

TEST_F(Nitro, RefusesADocumentMadeOutsideItsCertificatesValidity) {
  fields.put("timestamp", CborWriter().number((kNow - 7200) * 1000));
  EXPECT_THAT(run(), Refused("nitro.timestamp"));
  fields.put("timestamp", CborWriter().number(0));
  EXPECT_THAT(run(), Refused("nitro.timestamp"));
}

TEST_F(Nitro, RefusesAnExpiredLeafAndOneThatIsNotYetValid) {
  now = kNow + 3 * 3600 + 1;
  EXPECT_THAT(run(), Refused("chain.expired"));
  now = kNow - 30;
  leaf.not_before = kNow - 20;
  EXPECT_THAT(run(), Refused("chain.not-yet-valid"));
}

TEST_F(Nitro, RefusesAnotherNonceAndNeverPadsOrCuts) {
  for (const ByteVector& other :
       {ByteVector(48, 8), ByteVector(47, 9), ByteVector(49, 9), ByteVector{}}) {
    expected = other;
    EXPECT_THAT(run(), Refused("nitro.nonce")) << other.size();
  }
}

TEST_F(Nitro, RefusesAnEmptyNonceEvenWhereNothingIsAskedFor) {
  fields.put("nonce", CborWriter().bytes({}));
  expected = ByteVector{};
  EXPECT_THAT(run(), Refused("nitro.nonce"));
}

TEST_F(Nitro, DoesNotTakeUserDataForTheNonce) {
  fields.put("user_data", CborWriter().bytes(nonce)).put("nonce", CborWriter().null());
  EXPECT_THAT(run(), Refused("nitro.nonce"));
}

TEST_F(Nitro, RefusesARootOfTheSameNameWithAnotherKey) {
  roots.nitro = {other_key().digest()};
  EXPECT_THAT(run(), Refused("chain.root"));
}

TEST_F(Nitro, BelievesNothingWithoutARoot) {
  roots.nitro.clear();
  EXPECT_THAT(run(), Refused("chain.root"));
}

TEST_F(Nitro, RefusesASignatureByAnotherKey) {
  signer = other_key();
  EXPECT_THAT(run(), Refused("nitro.signature"));
  signer = zone_key();
  EXPECT_THAT(run(), Refused("nitro.signature"));
}

TEST_F(Nitro, RefusesAnotherAlgorithmThanEs384) {
  leaf_key = signer = MintKey::generate(MintKeyType::kP256);
  EXPECT_THAT(run(), Refused("nitro.algorithm"));
  signer = leaf_key;
  shape.protected_header = testing::header_of(testing::kEs384);
  EXPECT_THAT(run(), Refused("nitro.signature"));
}

TEST_F(Nitro, RefusesAMac0) {
  shape.tag = 17;
  EXPECT_THAT(run(), Refused("cose.mac0"));
}

TEST_F(Nitro, RefusesAnAuthorityThatSignsDocuments) {
  leaf.authority = true;
  EXPECT_THAT(run(), Refused("nitro.leaf"));
  leaf.may_sign = true;
  EXPECT_THAT(run(), Refused("nitro.leaf"));
}

TEST_F(Nitro, RefusesALeafWhoseKeyIsNotForSignatures) {
  leaf.extensions = {{"2.5.29.15", true, {0x03, 0x02, 0x05, 0x20}}};  // keyEncipherment
  EXPECT_THAT(run(), Refused("nitro.leaf"));
}

TEST_F(Nitro, RefusesALeafIssuedByALeaf) {
  zone.authority = false;
  EXPECT_THAT(run(), Refused("chain.authority"));
}

TEST_F(Nitro, RefusesAChainLongerThanAnAuthorityAllows) {
  root.path_length = 0;
  EXPECT_THAT(run(), Refused("chain.path-length"));
}

TEST_F(Nitro, RefusesABundleThatIsNotTheChainFromTheRoot) {
  const ByteVector first = mint(root, root_key(), nullptr, root_key());
  const ByteVector second = mint(zone, zone_key(), &root, root_key());
  with_bundle = false;
  fields.put("cabundle", CborWriter().array(2).bytes(second).bytes(first));
  EXPECT_THAT(run(), Refused("nitro.cabundle"));
  fields.put("cabundle", CborWriter().array(3).bytes(first).bytes(first).bytes(second));
  EXPECT_THAT(run(), Refused("nitro.cabundle"));
  fields.put("cabundle", CborWriter().array(1).bytes(second));
  EXPECT_THAT(run(), Refused("chain.issuer"));
  fields.put("cabundle", CborWriter().array(0));
  EXPECT_THAT(run(), Refused("nitro.malformed"));
  CborWriter nine;
  nine.array(9);
  for (int i = 0; i < 9; ++i) nine.bytes(first);
  fields.put("cabundle", nine);
  EXPECT_THAT(run(), Refused("nitro.malformed"));
}

TEST_F(Nitro, RefusesCertificatesThatAreNone) {
  with_bundle = false;
  fields.put("cabundle", CborWriter().array(1).bytes(ByteVector{1, 2, 3}));
  EXPECT_THAT(run(), Refused("nitro.certificate"));
  with_bundle = true;
  payload();
  fields.put("cabundle", bundle()).put("certificate", CborWriter().bytes(ByteVector{0x30, 0}));
  EXPECT_THAT(run(fields.take()), Refused("nitro.certificate"));
}

TEST_F(Nitro, RefusesAnAuthorityThatASuppliedListRevokes) {
  zone.serial = 77;
  MintList list;
  list.revoked = {77};
  endorsements.revocation_lists = {testing::mint_list(list, root, root_key())};
  EXPECT_THAT(run(), Refused("chain.revoked"));
}

TEST_F(Nitro, RefusesPcrsOfOtherSizesNumbersAndCounts) {
  set_pcr(3, ByteVector(32, 1));
  EXPECT_THAT(run(), Refused("nitro.malformed"));
  set_pcr(3, ByteVector(48, 1));
  set_pcr(31, ByteVector(48, 1));
  EXPECT_THAT(run(), Accepted());
  set_pcr(32, ByteVector(48, 1));
  EXPECT_THAT(run(), Refused("nitro.malformed"));
  pcrs.remove(32).repeat(5);
  EXPECT_THAT(run(), Refused("nitro.malformed"));
}

TEST_F(Nitro, RefusesADocumentWithoutPcr0) {
  pcrs.remove(0);
  EXPECT_THAT(run(), Refused("nitro.malformed"));
}

TEST_F(Nitro, RefusesFieldsThatAreMissingUnknownTwiceOrOfOtherKinds) {
  const CborMapMaker good = (payload(), fields);
  for (const char* name : {"module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"}) {
    EXPECT_THAT(run(CborMapMaker(good).remove(name).take()), Refused("nitro.malformed")) << name;
    EXPECT_THAT(run(CborMapMaker(good).put(name, CborWriter().null()).take()),
                Refused("nitro.malformed"))
        << name;
    EXPECT_THAT(run(CborMapMaker(good).repeat(name).take()), Refused("nitro.malformed")) << name;
  }
  EXPECT_THAT(run(CborMapMaker(good)
                      .remove("pcrs")
                      .put("nitrotpm_pcrs", CborWriter().raw(pcrs.take()))
                      .take()),
              Refused("nitro.malformed"));
  EXPECT_THAT(run(CborMapMaker(good).put("measurements", CborWriter().null()).take()),
              Refused("nitro.malformed"));
  EXPECT_THAT(run(CborMapMaker(good).put(1, CborWriter().null()).take()),
              Refused("nitro.malformed"));
  EXPECT_THAT(run(CborMapMaker(good).put("digest", CborWriter().text("SHA256")).take()),
              Refused("nitro.malformed"));
  EXPECT_THAT(run(CborMapMaker(good).put("module_id", CborWriter().text("")).take()),
              Refused("nitro.malformed"));
  EXPECT_THAT(run(CborMapMaker(good).put("timestamp", CborWriter().number(-1)).take()),
              Refused("nitro.malformed"));
}

TEST_F(Nitro, RefusesIndefiniteMapsDeepNestingHugeSizesAndTrailingBytes) {
  ByteVector document = payload();
  document.push_back(0);
  EXPECT_THAT(run(document), Refused("nitro.malformed"));
  EXPECT_THAT(run(ByteVector{0xBF, 0xFF}), Refused("nitro.malformed"));
  EXPECT_THAT(run(ByteVector(1000, 0x81)), Refused("nitro.malformed"));
  EXPECT_THAT(run(ByteVector{0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}),
              Refused("nitro.malformed"));
  ByteVector token = cose_sign1(signer, payload(), shape);
  token.push_back(0);
  EXPECT_THAT(run_raw(token), Refused("cose.malformed"));
}

TEST_F(Nitro, RefusesEvidenceWithoutADocumentAndWithMore) {
  run();
  evidence.items.push_back({"event-log", {1}});
  EXPECT_THAT(verify({evidence, endorsements, roots, now, expected}),
              Refused("evidence.item-unknown"));
  evidence.items.clear();
  EXPECT_THAT(verify({evidence, endorsements, roots, now, expected}),
              Refused("evidence.item-missing"));
}

TEST_F(Nitro, RefusesAGpuBesideIt) {
  run();
  evidence.items.push_back({"gpu-report", {1}});
  EXPECT_THAT(verify({evidence, endorsements, roots, now, expected}), Refused("evidence.gpu"));
}

TEST_F(Nitro, RefusesTheSameWithARememberedChain) {
  ChainCache chains;
  cache = &chains;
  for (int i = 0; i < 2; ++i) EXPECT_THAT(run(), Accepted());
  signer = other_key();
  EXPECT_THAT(run(), Refused("nitro.signature"));
  signer = leaf_key;
  now = kNow + 3 * 3600 + 1;
  EXPECT_THAT(run(), Refused("chain.expired"));
  now = kNow;
  roots.nitro.clear();
  EXPECT_THAT(run(), Refused("chain.root"));
}

TEST_F(Nitro, GivesAllReasonsTogether) {
  now = kNow + 4 * 3600;
  signer = other_key();
  expected = ByteVector(48, 1);
  const Verdict verdict = run();
  EXPECT_THAT(verdict, RefusedAlsoFor("chain.expired"));
  EXPECT_THAT(verdict, RefusedAlsoFor("nitro.signature"));
  EXPECT_THAT(verdict, RefusedAlsoFor("nitro.nonce"));
}

}  // namespace
}  // namespace sealpack::attest
