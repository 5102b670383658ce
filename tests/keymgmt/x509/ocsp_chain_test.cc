// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "keymgmt/x509/chain.h"
#include "tests/attest/authority/mint_ocsp.h"
#include "tests/testing/reason_matchers.h"

namespace sealpack::x509 {
namespace {

using crypto::HashAlgorithm;
using testing::HasOnlyReason;
using testing::mint;
using testing::mint_list;
using testing::mint_ocsp;
using testing::MintCertificate;
using testing::MintKey;
using testing::MintKeyType;
using testing::MintOcsp;
using testing::MintOcspStatus;
using testing::ocsp_signing;
using testing::server_authentication;
using testing::text_of;

constexpr std::uint64_t kNow = 1800000000;

// Root, authority and device; an answer about the authority by the root's responder and one about
// the device by the authority's. Each test changes one thing.
class OcspChain : public ::testing::Test {
 protected:
  struct Minted {
    MintCertificate what;
    MintKey key = MintKey::generate(MintKeyType::kP256);
    ByteVector der;
    Certificate parsed() const { return Certificate::parse_der(der).value(); }
  };

  void issue(Minted& subject, const Minted& issuer) {
    subject.der = mint(subject.what, subject.key, &issuer.what, issuer.key);
  }
  void mint_all() {
    issue(root, root);
    issue(middle, root);
    issue(device, middle);
    issue(root_responder, root);
    issue(middle_responder, responders_issuer);
  }
  static OcspResponse parsed(const ByteVector& der) {
    const auto response = OcspResponse::parse_der(der);
    if (!response.ok()) die(response.error().message().c_str());
    return response.value();
  }
  void add_about_middle(const MintOcsp& what) {
    responses.push_back(
        parsed(mint_ocsp(what, middle.der, root.der, root_responder.der, root_responder.key)));
  }
  void add_about_device(const MintOcsp& what) {
    responses.push_back(parsed(
        mint_ocsp(what, device.der, middle.der, middle_responder.der, middle_responder.key)));
  }
  bool run() {
    const std::vector<Digest> roots{root.key.digest()};
    rules.roots = roots;
    rules.revocation_lists = lists;
    rules.ocsp_responses = responses;
    reasons.clear();
    return verify_chain(device.parsed(), std::vector{middle.parsed(), root.parsed()}, rules,
                        reasons)
        .has_value();
  }
  // With `answer` about the device, and everything else in order.
  bool run_with() {
    mint_all();
    responses.clear();
    add_about_middle({});
    add_about_device(answer);
    return run();
  }
  void expect_refused(const char* code) {
    EXPECT_FALSE(run_with());
    EXPECT_THAT(reasons, HasOnlyReason(code));
  }

  Minted root{.what = {.subject = "Maker Root", .authority = true}, .der = {}};
  Minted middle{.what = {.subject = "Maker Devices", .serial = 7, .authority = true}, .der = {}};
  Minted device{.what = {.subject = "Device", .serial = 9}, .der = {}};
  Minted root_responder{
      .what = {.subject = "Root Responder", .serial = 70, .extensions = {ocsp_signing()}},
      .der = {}};
  Minted middle_responder{
      .what = {.subject = "Responder", .serial = 90, .extensions = {ocsp_signing()}}, .der = {}};
  Minted& responders_issuer = middle;
  Minted other{.what = {.subject = "Maker Devices", .serial = 7, .authority = true}, .der = {}};
  MintOcsp answer;
  std::vector<OcspResponse> responses;
  std::vector<ByteVector> lists;
  ChainRules rules{.now = kNow};
  std::vector<Reason> reasons;
};

TEST_F(OcspChain, AcceptsGoodAnswersAboutAll) {
  EXPECT_TRUE(run_with()) << text_of(reasons);
}
TEST_F(OcspChain, AcceptsAnswersThatNameTheirResponderOrUseSha256) {
  answer.named_by_key = false;
  EXPECT_TRUE(run_with()) << text_of(reasons);
  answer.id_hash = HashAlgorithm::kSha256;
  answer.hash = HashAlgorithm::kSha256;
  EXPECT_TRUE(run_with()) << text_of(reasons);
}
TEST_F(OcspChain, AcceptsANonceThatSomebodyElseAskedWith) {
  answer.nonce = true;
  EXPECT_TRUE(run_with()) << text_of(reasons);
}
TEST_F(OcspChain, AcceptsAListInPlaceOfAnAnswer) {
  mint_all();
  add_about_middle({});
  lists = {mint_list({}, middle.what, middle.key)};
  EXPECT_TRUE(run()) << text_of(reasons);
}
TEST_F(OcspChain, AcceptsTheIssuerItselfIfItsKeyMaySign) {
  middle.what.may_sign = true;
  mint_all();
  add_about_middle({});
  responses.push_back(parsed(mint_ocsp({}, device.der, middle.der, middle.der, middle.key)));
  EXPECT_TRUE(run()) << text_of(reasons);
}
TEST_F(OcspChain, RefusesTheIssuerItselfIfItsKeyMayNotSign) {
  mint_all();
  add_about_middle({});
  responses.push_back(parsed(mint_ocsp({}, device.der, middle.der, middle.der, middle.key)));
  EXPECT_FALSE(run());
  EXPECT_THAT(reasons, testing::HasReason("chain.ocsp-responder"));
}

TEST_F(OcspChain, RefusesWhatIsRevoked) {
  answer.status = MintOcspStatus::kRevoked;
  EXPECT_FALSE(run_with());
  EXPECT_THAT(reasons, testing::HasReason("chain.revoked"));
}
TEST_F(OcspChain, RefusesWhatIsOnHold) {
  answer.status = MintOcspStatus::kOnHold;
  EXPECT_FALSE(run_with());
  EXPECT_THAT(reasons, testing::HasReason("chain.on-hold"));
}
TEST_F(OcspChain, RefusesWhatTheResponderDoesNotKnow) {
  answer.status = MintOcspStatus::kUnknown;
  expect_refused("chain.revocation-unknown");
}
TEST_F(OcspChain, RefusesWhatAnyAnswerSaysIsRevokedHoweverOldItIs) {
  EXPECT_TRUE(run_with());
  add_about_device({.status = MintOcspStatus::kRevoked, .next_update = 1700000001});
  EXPECT_FALSE(run());
  EXPECT_THAT(reasons, HasOnlyReason("chain.revoked"));
}
TEST_F(OcspChain, RefusesARevokedAuthority) {
  EXPECT_TRUE(run_with());
  add_about_middle({.status = MintOcspStatus::kRevoked});
  EXPECT_FALSE(run());
  EXPECT_THAT(reasons, HasOnlyReason("chain.revoked"));
}

TEST_F(OcspChain, RefusesAStaleAnswer) {
  answer.next_update = kNow;
  expect_refused("chain.revocation-stale");
  answer.next_update = kNow + 1;
  EXPECT_TRUE(run_with()) << text_of(reasons);
}
TEST_F(OcspChain, RefusesAnAnswerFromTheFutureOrWithoutAnEnd) {
  answer.this_update = kNow + 1;
  expect_refused("chain.revocation-stale");
  answer.this_update = kNow;
  EXPECT_TRUE(run_with()) << text_of(reasons);
  answer.next_update = {};
  expect_refused("chain.revocation-stale");
}
TEST_F(OcspChain, AcceptsACurrentAnswerBesideAStaleOne) {
  EXPECT_TRUE(run_with());
  add_about_device({.next_update = 1700000001});
  EXPECT_TRUE(run()) << text_of(reasons);
}

TEST_F(OcspChain, RefusesNoAnswerWhereOneIsRequired) {
  mint_all();
  add_about_middle({});
  EXPECT_FALSE(run());
  EXPECT_THAT(reasons, HasOnlyReason("chain.revocation-unknown"));
  rules.revocation = Revocation::kAuthorities;
  EXPECT_TRUE(run()) << text_of(reasons);
  rules.revocation = Revocation::kNone;
  responses.clear();
  EXPECT_TRUE(run()) << text_of(reasons);
}
TEST_F(OcspChain, RefusesAnAnswerThatProvesNothingEvenWhereNoneIsRequired) {
  rules.revocation = Revocation::kNone;
  answer.next_update = 1700000001;
  expect_refused("chain.revocation-stale");
  answer.next_update = 2000000000;
  middle_responder.what.extensions = {};
  EXPECT_FALSE(run_with());
  EXPECT_THAT(reasons, testing::HasReason("chain.ocsp-responder"));
}

TEST_F(OcspChain, IgnoresAnswersAboutOtherCertificates) {
  mint_all();
  add_about_middle({});
  const ByteVector another =
      mint({.subject = "Device", .serial = 10}, device.key, &middle.what, middle.key);
  const auto about = [&](const ByteVector& subject, const ByteVector& issuer) {
    return parsed(mint_ocsp({}, subject, issuer, middle_responder.der, middle_responder.key));
  };
  responses.push_back(about(another, middle.der));
  // The same serial and name, by an issuer with another key.
  issue(other, root);
  responses.push_back(about(device.der, other.der));
  EXPECT_FALSE(run());
  EXPECT_THAT(reasons, HasOnlyReason("chain.revocation-unknown"));
}

// Each of these is signed by somebody whom the issuer did not appoint, or not for now.
class WrongResponder : public OcspChain {
 protected:
  void expect_wrong() {
    EXPECT_FALSE(run_with());
    EXPECT_THAT(reasons, testing::HasReason("chain.ocsp-responder"));
  }
};

TEST_F(WrongResponder, WithoutTheKeyUsage) {
  middle_responder.what.extensions = {};
  expect_wrong();
  middle_responder.what.extensions = {server_authentication()};
  expect_wrong();
}
TEST_F(WrongResponder, OfAnotherIssuer) {
  mint_all();
  add_about_middle({});
  responses.push_back(
      parsed(mint_ocsp({}, device.der, middle.der, root_responder.der, root_responder.key)));
  EXPECT_FALSE(run());
  EXPECT_THAT(reasons, testing::HasReason("chain.ocsp-responder"));
}
TEST_F(WrongResponder, CertifiedByItself) {
  middle_responder.what.subject = middle.what.subject;
  mint_all();
  issue(middle_responder, middle_responder);
  add_about_middle({});
  add_about_device({});
  EXPECT_FALSE(run());
  EXPECT_THAT(reasons, testing::HasReason("chain.ocsp-responder"));
}
TEST_F(WrongResponder, TheCertifiedDeviceItself) {
  mint_all();
  add_about_middle({});
  responses.push_back(parsed(mint_ocsp({}, device.der, middle.der, device.der, device.key)));
  EXPECT_FALSE(run());
  EXPECT_THAT(reasons, testing::HasReason("chain.ocsp-responder"));
}
TEST_F(WrongResponder, WhoseCertificateExpiredOrHasNotBegun) {
  middle_responder.what.not_after = kNow - 1;
  expect_wrong();
  middle_responder.what.not_after = kNow;
  EXPECT_TRUE(run_with()) << text_of(reasons);
  middle_responder.what.not_before = kNow + 1;
  middle_responder.what.not_after = 2000000000;
  expect_wrong();
}
// Appointed for a month, asked a year later: what it said of a revoked certificate stays said.
class FormerResponder : public OcspChain {
 protected:
  static constexpr std::uint64_t kYesterday = kNow - 86400;
  FormerResponder() { middle_responder.what.not_after = kYesterday; }
  // `what` by the former responder, then a good answer by the issuer.
  bool run_beside_a_good_one(const MintOcsp& what) {
    middle.what.may_sign = true;
    mint_all();
    responses.clear();
    add_about_middle({});
    add_about_device(what);
    responses.push_back(parsed(mint_ocsp({}, device.der, middle.der, middle.der, middle.key)));
    return run();
  }
};

TEST_F(FormerResponder, IsBelievedWhereItSaidRevokedOrOnHold) {
  for (const auto& [status, code] : {std::pair{MintOcspStatus::kRevoked, "chain.revoked"},
                                     std::pair{MintOcspStatus::kOnHold, "chain.on-hold"}}) {
    EXPECT_FALSE(run_beside_a_good_one({.status = status, .this_update = kYesterday}));
    EXPECT_THAT(reasons, HasOnlyReason(code));
    EXPECT_FALSE(run_beside_a_good_one(
        {.status = status, .this_update = kYesterday - 10, .next_update = kYesterday}));
    EXPECT_THAT(reasons, HasOnlyReason(code));
  }
}
TEST_F(FormerResponder, IsNotBelievedWhereItSaysGood) {
  answer.this_update = kYesterday;
  EXPECT_FALSE(run_with());
  EXPECT_THAT(reasons, testing::HasReason("chain.ocsp-responder"));
  EXPECT_TRUE(run_beside_a_good_one({.this_update = kYesterday})) << text_of(reasons);
}
TEST_F(FormerResponder, IsNotBelievedWhereItWasNotAppointedWhenItAnswered) {
  EXPECT_TRUE(run_beside_a_good_one({.status = MintOcspStatus::kRevoked,
                                     .this_update = kYesterday + 1,
                                     .produced_at = kYesterday + 1}))
      << text_of(reasons);
  EXPECT_FALSE(run_beside_a_good_one({.status = MintOcspStatus::kRevoked,
                                      .this_update = kYesterday + 1,
                                      .produced_at = kYesterday}))
      << "answered before it expired, about later";
}

class ManyResponses : public OcspChain {
 protected:
  // Answers about the device by the device itself, which nobody appointed.
  void add_by_nobody(std::size_t count, MintOcsp what = {}) {
    for (std::size_t i = 0; i < count; ++i) {
      ++what.this_update;
      responses.push_back(parsed(mint_ocsp(what, device.der, middle.der, device.der, device.key)));
    }
  }
};

TEST_F(ManyResponses, AreVerifiedUntilOneIsGood) {
  EXPECT_TRUE(run_with());
  add_by_nobody(100);
  EXPECT_TRUE(run()) << text_of(reasons);
}
TEST_F(ManyResponses, ThatAreStaleAreNotVerified) {
  mint_all();
  add_by_nobody(100, {.next_update = kNow});
  add_about_middle({});
  EXPECT_FALSE(run());
  EXPECT_THAT(reasons, HasOnlyReason("chain.revocation-stale"));
  add_about_device({});
  EXPECT_TRUE(run()) << text_of(reasons);
}
TEST_F(ManyResponses, RefuseTheChainBeyond16AboutOneCertificate) {
  mint_all();
  add_about_middle({});
  add_by_nobody(15);
  add_about_device({});
  EXPECT_TRUE(run()) << text_of(reasons);
  responses.clear();
  add_about_middle({});
  add_by_nobody(16);
  add_about_device({});
  EXPECT_FALSE(run());
  EXPECT_THAT(reasons, testing::HasReason("chain.ocsp-responses"));
}
TEST_F(ManyResponses, DoNotHideOneThatSaysRevoked) {
  EXPECT_TRUE(run_with());
  add_by_nobody(16, {.status = MintOcspStatus::kRevoked});
  add_about_device({.status = MintOcspStatus::kRevoked});
  EXPECT_FALSE(run());
  EXPECT_THAT(reasons, HasOnlyReason("chain.ocsp-responses"));
}

TEST_F(WrongResponder, WhoseCertificateSaysSomethingCriticalThatIsNotUnderstood) {
  middle_responder.what.extensions.push_back({"1.3.6.1.4.1.55555.1", true, {0x05, 0x00}});
  expect_wrong();
}
TEST_F(WrongResponder, ThatTheIssuerRevoked) {
  lists = {mint_list({.revoked = {90}}, middle.what, middle.key)};
  mint_all();
  add_about_middle({});
  add_about_device({});
  EXPECT_TRUE(run()) << "the list is current and does not name the device";
  lists = {mint_list({.revoked = {90}, .next_update = 1700000001}, middle.what, middle.key)};
  EXPECT_FALSE(run());
  EXPECT_THAT(reasons, testing::HasReason("chain.ocsp-responder"));
}
TEST_F(WrongResponder, WhoseCertificateIsNotThere) {
  answer.with_certificate = false;
  expect_wrong();
}
TEST_F(WrongResponder, WhoSignsOverSha1) {
  answer.hash = HashAlgorithm::kSha1;
  expect_wrong();
}
TEST_F(WrongResponder, WhoWasAppointedOverSha1) {
  middle_responder.what.hash = HashAlgorithm::kSha1;
  expect_wrong();
}
TEST_F(WrongResponder, WhoseKeyMayNotSign) {
  const ByteVector key_encipherment{0x03, 0x02, 0x05, 0x20};
  const ByteVector digital_signature{0x03, 0x02, 0x07, 0x80};
  middle_responder.what.extensions.push_back({"2.5.29.15", true, key_encipherment});
  expect_wrong();
  middle_responder.what.extensions.back().value = digital_signature;
  EXPECT_TRUE(run_with()) << text_of(reasons);
}

}  // namespace
}  // namespace sealpack::x509
