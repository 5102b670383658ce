// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/grant.h"

#include "formats/bundle/labels.h"
#include "tests/runtime-loader/core/core_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;
using testing::digest;
using testing::make_key;
using testing::verifying_key;

class Grants : public ::testing::Test {
 protected:
  Grants() {
    request_.terms = {{ByteVector(32, 7), {1, 2, 3}},
                      verifying_key(broker_).digest(),
                      digest(1),
                      digest(2),
                      digest(3),
                      "simulated",
                      to_vector(exchange_.spki()),
                      "model"};
    request_.evidence = {9, 9};
  }
  // The grant of the broker.
  KeyGrant signed_grant() {
    const auto signer = broker_.signer().value();
    return make_key_grant(request_, key_, facts_, signer.get()).value();
  }
  Result<GrantedKey> open(const KeyGrant& grant, const GrantTerms& terms) {
    return open_key_grant(grant, terms, *exchange_.decryptor().value(), verifying_key(broker_));
  }

  crypto::PrivateKey broker_ = make_key(crypto::KeyType::kEd25519);
  crypto::PrivateKey exchange_ = make_key(crypto::KeyType::kX25519);
  crypto::ContentKey key_ = crypto::ContentKey::random();
  GrantFacts facts_{1700000000, Floor{4, digest(8)}};
  KeyRequest request_;
};

TEST_F(Grants, BringTheKeyWithTimeAndFloor) {
  const auto granted = open(signed_grant(), request_.terms);
  ASSERT_THAT(granted, Succeeds());
  EXPECT_TRUE(crypto::equal_constant_time(granted->key.reveal(), key_.reveal()));
  EXPECT_EQ(granted->facts, facts_);
}

TEST_F(Grants, TheTranscriptIsWhatTheFormatSays) {
  const auto le = [](std::uint64_t n) {
    ByteVector out;
    for (unsigned i = 0; i < 8; ++i) out.push_back(static_cast<std::uint8_t>(n >> (8 * i)));
    return out;
  };
  ByteVector expected;
  const auto add = [&](Bytes part) {
    const ByteVector size = le(part.size());
    expected.insert(expected.end(), size.begin(), size.end());
    expected.insert(expected.end(), part.begin(), part.end());
  };
  const GrantTerms& terms = request_.terms;
  add(as_bytes("sealpack/grant/v1"));
  add(le(1));
  add(terms.challenge.nonce);
  add(terms.challenge.id);
  for (const Digest* part : {&terms.broker, &terms.authority, &terms.content, &terms.release}) {
    add(part->bytes);
  }
  add(as_bytes("simulated"));
  add(as_bytes("hpke-0020-0001-0002"));
  add(terms.public_key);
  add(as_bytes("model"));
  EXPECT_EQ(grant_transcript(terms), expected);
  request_.terms.renews = Instance{7};
  add(Instance{7});
  EXPECT_EQ(grant_transcript(terms), expected);
}

// DESIGN: what each TEE binds, all of its field.
TEST(ReportData, IsTheHashThatTheTeeTakesWhole) {
  const auto hex = [](std::string_view tee) {
    return to_hex(report_data_for(tee, as_bytes("abc")));
  };
  const std::string sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const std::string sha384 =
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
      "8086072ba1e7cc2358baeca134c825a7";
  const std::string sha512 =
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
  for (const char* tee : {"tpm", "azure-sev-snp", "azure-tdx"}) EXPECT_EQ(hex(tee), sha256) << tee;
  EXPECT_EQ(hex("nitro"), sha384);
  for (const char* tee : {"sev-snp", "tdx", "sgx", "psa", "cca", "simulated", "nvidia-gpu"}) {
    EXPECT_EQ(hex(tee), sha512) << tee;
  }
}

TEST_F(Grants, CarryALeaseWithItsInstance) {
  for (const bool with_floor : {false, true}) {
    facts_ = {1700000000, std::nullopt, 1700003600, Instance{1, 2, 3}};
    if (with_floor) facts_.floor = Floor{4, digest(8)};
    const auto granted = open(signed_grant(), request_.terms);
    ASSERT_THAT(granted, Succeeds());
    EXPECT_EQ(granted->facts, facts_);
  }
}

TEST_F(Grants, HoldNoBitOfALeaseThatMayChange) {
  request_.terms.broker = {};
  facts_ = {1700000000, Floor{4, std::nullopt}, 1700003600, Instance{1, 2, 3}};
  const KeyGrant grant = make_key_grant(request_, key_, facts_, nullptr).value();
  const auto decryptor = exchange_.decryptor().value();
  ASSERT_THAT(open_key_grant(grant, request_.terms, *decryptor, std::nullopt), Succeeds());
  testing::flip_every_bit(grant.payload, [&](Bytes changed, std::size_t bit) {
    EXPECT_FALSE(
        open_key_grant({to_vector(changed), {}}, request_.terms, *decryptor, std::nullopt).ok())
        << bit;
  });
}

TEST_F(Grants, StateALeaseWholeOrNotAtAll) {
  const auto signer = broker_.signer().value();
  facts_.lease_until = 1700003600;
  EXPECT_THAT(make_key_grant(request_, key_, facts_, signer.get()), Fails(ErrorCode::kUsage));
  facts_.lease_until = 0;
  facts_.instance = Instance{1};
  EXPECT_THAT(make_key_grant(request_, key_, facts_, signer.get()), Fails(ErrorCode::kUsage));
}

TEST_F(Grants, OpenForNoOtherExchange) {
  const KeyGrant grant = signed_grant();
  const std::vector<std::function<void(GrantTerms&)>> others = {
      [](GrantTerms& terms) { terms.challenge.nonce[0] ^= 1; },
      [](GrantTerms& terms) { terms.challenge.id.push_back(1); },
      [](GrantTerms& terms) { terms.broker = digest(9); },
      [](GrantTerms& terms) { terms.authority = digest(9); },
      [](GrantTerms& terms) { terms.content = digest(9); },
      [](GrantTerms& terms) { terms.release = digest(9); },
      [](GrantTerms& terms) { terms.tee = "tdx"; },
      [](GrantTerms& terms) { terms.public_key.back() ^= 1; },
      [](GrantTerms& terms) { terms.role = "adapter"; },
      [](GrantTerms& terms) { terms.renews = Instance{}; },
  };
  for (const auto& change : others) {
    GrantTerms terms = request_.terms;
    change(terms);
    EXPECT_THAT(open(grant, terms), Fails(ErrorCode::kKeyUnavailable));
  }
  const auto other_key = make_key(crypto::KeyType::kX25519);
  EXPECT_THAT(
      open_key_grant(grant, request_.terms, *other_key.decryptor().value(), verifying_key(broker_)),
      Fails(ErrorCode::kKeyUnavailable));
}

TEST_F(Grants, AreBelievedFromThePinnedBrokerAlone) {
  const KeyGrant grant = signed_grant();
  const auto other = make_key(crypto::KeyType::kEd25519);
  EXPECT_THAT(
      open_key_grant(grant, request_.terms, *exchange_.decryptor().value(), verifying_key(other)),
      Fails(ErrorCode::kNotAuthentic));
  KeyGrant unsigned_grant = grant;
  unsigned_grant.signature.clear();
  EXPECT_THAT(open(unsigned_grant, request_.terms), Fails(ErrorCode::kNotAuthentic));
  // And a signature that nobody can check is not ignored.
  EXPECT_THAT(open_key_grant(grant, request_.terms, *exchange_.decryptor().value(), std::nullopt),
              Fails(ErrorCode::kNotAuthentic));
}

TEST_F(Grants, HoldNoBitThatMayChange) {
  const ByteVector bytes = serialize_key_grant(signed_grant());
  testing::flip_every_bit(bytes, [&](Bytes changed, std::size_t bit) {
    const auto parsed = parse_key_grant(changed);
    if (!parsed.ok()) return;
    EXPECT_FALSE(open(*parsed, request_.terms).ok()) << bit;
  });
}

TEST_F(Grants, WithoutABrokerStillBindTheirFacts) {
  request_.terms.broker = {};
  const KeyGrant grant = make_key_grant(request_, key_, facts_, nullptr).value();
  const auto decryptor = exchange_.decryptor().value();
  ASSERT_THAT(open_key_grant(grant, request_.terms, *decryptor, std::nullopt), Succeeds());
  testing::flip_every_bit(grant.payload, [&](Bytes changed, std::size_t bit) {
    EXPECT_FALSE(
        open_key_grant({to_vector(changed), {}}, request_.terms, *decryptor, std::nullopt).ok())
        << bit;
  });
}

TEST_F(Grants, AreNotMadeForAnotherBrokersRequest) {
  request_.terms.broker = digest(5);
  const auto signer = broker_.signer().value();
  EXPECT_THAT(make_key_grant(request_, key_, facts_, signer.get()), Fails(ErrorCode::kRefused));
  EXPECT_THAT(make_key_grant(request_, key_, facts_, nullptr), Fails(ErrorCode::kRefused));
}

TEST_F(Grants, StateNoFloorOfZero) {
  facts_.floor = Floor{};
  const auto signer = broker_.signer().value();
  EXPECT_THAT(make_key_grant(request_, key_, facts_, signer.get()), Fails(ErrorCode::kUsage));
}

TEST_F(Grants, RequestsComeBackAsTheyWereWritten) {
  const ByteVector bytes = serialize_key_request(request_);
  const auto parsed = parse_key_request(bytes);
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(*parsed, request_);
  for (std::size_t size = 0; size + 4 < bytes.size(); ++size) {  // the evidence may be missing
    EXPECT_FALSE(parse_key_request(Bytes(bytes).first(size)).ok()) << size;
  }
  testing::flip_every_bit(bytes, [](Bytes changed, std::size_t bit) {
    const auto other = parse_key_request(changed);
    if (other.ok()) {
      EXPECT_EQ(serialize_key_request(*other), to_vector(changed)) << bit;
    }
  });
}

TEST_F(Grants, RequestsNameTheLeaseTheyProlong) {
  request_.terms.renews = Instance{1, 2};
  const auto parsed = parse_key_request(serialize_key_request(request_));
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(*parsed, request_);
  ByteVector cut = serialize_key_request(request_);
  cut.pop_back();
  cut[cut.size() - 16] = 15;
  EXPECT_THAT(parse_key_request(cut), Fails(ErrorCode::kMalformed));
}

TEST_F(Grants, RequestsHaveANonceThatIsNoGuess) {
  request_.terms.challenge.nonce.resize(15);
  EXPECT_THAT(parse_key_request(serialize_key_request(request_)), Fails(ErrorCode::kMalformed));
}

TEST(CounterFloor, RefusesOlderReleasesAndOtherOnesOfTheSameCounter) {
  EXPECT_THAT(check_floor({5, std::nullopt}, 4, digest(1)), Fails(ErrorCode::kRefused));
  EXPECT_THAT(check_floor({5, digest(2)}, 5, digest(1)), Fails(ErrorCode::kRefused));
  EXPECT_THAT(check_floor({5, digest(1)}, 5, digest(1)), Succeeds());
  EXPECT_THAT(check_floor({5, std::nullopt}, 5, digest(1)), Succeeds());
  EXPECT_THAT(check_floor({5, digest(2)}, 6, digest(1)), Succeeds());
  EXPECT_THAT(check_floor({}, 1, digest(1)), Succeeds());
}

TEST(CounterFloor, IsNotKeptByABackendWithoutOne) {
  NoCounter none;
  EXPECT_EQ(none.floor(digest(1), "p").value(), Floor{});
  EXPECT_THAT(none.raise(digest(1), "p", {3, digest(2)}), Fails(ErrorCode::kUnsupported));
  EXPECT_FALSE(is_protected(CounterKind::kFile));
  EXPECT_TRUE(is_protected(CounterKind::kRpmb));
}

}  // namespace
}  // namespace sealpack::loader
