// SPDX-License-Identifier: Apache-2.0
#include "packer/core/release_writer.h"

#include <chrono>
#include <iostream>

#include "formats/bundle/encode.h"
#include "tests/packer/packing.h"

namespace sealpack::packer {
namespace {

using namespace testing;

// Gives back what it was told to instead of a signature.
class WrongSigner : public crypto::Signer {
 public:
  WrongSigner(const crypto::PrivateKey& key, ByteVector answer)
      : real_(key.signer().value()), answer_(std::move(answer)) {}
  const crypto::VerifyingKey& public_key() const override { return real_->public_key(); }
  Result<ByteVector> sign(Bytes) const override { return answer_; }

 private:
  std::unique_ptr<crypto::Signer> real_;
  ByteVector answer_;
};

class BrokenSigner : public WrongSigner {
 public:
  explicit BrokenSigner(const crypto::PrivateKey& key) : WrongSigner(key, {}) {}
  Result<ByteVector> sign(Bytes) const override {
    return Error(ErrorCode::kKeyUnavailable, "the token is gone");
  }
};

bundle::Release complete_release() {
  bundle::Release release = plain_release();
  release.content_size = 100;
  return release;
}

Assembly small_assembly() {
  return assemble(tree_of({{"m.bin", noise(100, 1)}}), {}).value();
}

TEST(Release, CarriesOneSignatureOfEachSignerInOrder) {
  const Keys keys;
  const crypto::PrivateKey second = Keys::make(crypto::KeyType::kEcdsaP384);
  const crypto::PrivateKey third = Keys::make(crypto::KeyType::kEcdsaP256);
  Signers signers;
  for (const auto* key : {&keys.authority, &second, &third}) {
    signers.push_back(key->signer().value());
  }
  const auto envelope = sign_release(complete_release(), signers);
  ASSERT_THAT(envelope, Succeeds());
  ASSERT_EQ(envelope->signatures.size(), 3U);
  EXPECT_LT(envelope->signatures[0].key, envelope->signatures[1].key);
  EXPECT_LT(envelope->signatures[1].key, envelope->signatures[2].key);
}

TEST(Release, RefusesNoSignerOneTwiceAndTooMany) {
  const Keys keys;
  Signers signers;
  EXPECT_THAT(sign_release(complete_release(), signers), Fails(ErrorCode::kUsage));
  EXPECT_THAT(check_release(complete_release(), signers), Fails(ErrorCode::kUsage));
  for (int i = 0; i < 2; ++i) signers.push_back(keys.authority.signer().value());
  EXPECT_THAT(sign_release(complete_release(), signers),
              FailsWith(ErrorCode::kUsage, HasSubstr("given twice")));
  signers.clear();
  for (int i = 0; i < 65; ++i) {
    signers.push_back(Keys::make(crypto::KeyType::kEd25519).signer().value());
  }
  EXPECT_THAT(check_release(complete_release(), signers),
              FailsWith(ErrorCode::kLimit, HasSubstr("65 signers")));
}

TEST(Release, NoticesAWrongSignature) {
  const Keys keys;
  const ByteVector other = keys.signer->sign(as_bytes("another message")).value();
  for (const ByteVector& answer : {other, ByteVector(64), ByteVector(), ByteVector(63, 1)}) {
    Signers signers;
    signers.push_back(std::make_unique<WrongSigner>(keys.authority, answer));
    EXPECT_THAT(sign_release(complete_release(), signers),
                FailsWith(ErrorCode::kNotAuthentic, HasSubstr("the signature just made")));
  }
}

TEST(Release, BuildWritesNothingWhenSigningFails) {
  const Keys keys;
  for (const bool broken : {false, true}) {
    const TemporaryFolder folder;
    BuildRequest request = request_for(keys, folder / "b.seal");
    request.signers.clear();
    if (broken)
      request.signers.push_back(std::make_unique<BrokenSigner>(keys.authority));
    else
      request.signers.push_back(std::make_unique<WrongSigner>(keys.authority, ByteVector(64)));
    EXPECT_THAT(build_bundle(small_assembly(), request),
                Fails(broken ? ErrorCode::kKeyUnavailable : ErrorCode::kNotAuthentic));
    EXPECT_TRUE(folder.names().empty());
  }
}

// What would fail when everything is encrypted must fail before.
TEST(Release, BuildRefusesAnImpossibleReleaseBeforeItWritesAnything) {
  using Change = void (*)(bundle::Release&);
  const Change changes[] = {
      [](bundle::Release& r) { r.product = ""; },
      [](bundle::Release& r) { r.product = std::string(5000, 'p'); },
      [](bundle::Release& r) { r.version = "\xff"; },
      [](bundle::Release& r) { r.counter = 0; },
      [](bundle::Release& r) { r.not_before = 20, r.not_after = 10; },
      [](bundle::Release& r) { r.not_before = r.not_after = 10; },
      [](bundle::Release& r) { r.licence = std::string(bundle::kMaxLicenceSize + 1, 'l'); },
      [](bundle::Release& r) { r.policy.anyone_because = ""; },
  };
  const Keys keys;
  for (const Change change : changes) {
    const TemporaryFolder folder;
    BuildRequest request = request_for(keys, folder / "b.seal");
    change(request.release);
    bool started = false;
    request.data.progress = [&](std::uint64_t) { started = true; };
    const auto report = build_bundle(small_assembly(), request);
    EXPECT_FALSE(report.ok());
    EXPECT_FALSE(started);
    EXPECT_TRUE(folder.names().empty());
  }
}

bundle::Release attested_release() {
  bundle::Release release = plain_release();
  release.policy.anyone_because.clear();
  bundle::ClaimRule rule;
  rule.claim = "measurement";
  rule.accepted = {ByteVector(32, 1)};
  release.policy.environments = {{"simulated", {rule}}};
  return release;
}

TEST(Recipients, OfAnAttestedReleaseAreAttestedButForTheEscrow) {
  const Keys keys;
  bundle::Release release = attested_release();
  std::vector<Recipient> recipients;
  recipients.push_back(recipient_of(keys.decryptor->public_key()));
  const auto refused = check_recipients(release, recipients);
  EXPECT_THAT(refused,
              FailsWith(ErrorCode::kRefused, HasSubstr("'r.pub' would open the bundle anywhere")));
  EXPECT_THAT(refused.error().hint(), HasSubstr("--escrow"));

  recipients[0].slot_class = bundle::SlotClass::kAttested;
  EXPECT_THAT(check_recipients(release, recipients), Succeeds());

  recipients[0].slot_class = bundle::SlotClass::kDirect;
  release.escrow = bundle::Escrow{recipient_id(recipients[0]), "to recover it"};
  EXPECT_THAT(check_recipients(release, recipients), Succeeds());
  release.escrow->key.bytes[0] ^= 1U;
  EXPECT_THAT(check_recipients(release, recipients), Fails(ErrorCode::kRefused));
}

TEST(Recipients, WithAPassphraseAreNeverAttested) {
  const Keys keys;
  std::vector<Recipient> recipients;
  recipients.push_back({PassphraseKey{crypto::WrappingKey::random(), {}, 1, 8},
                        bundle::SlotClass::kDirect, "the passphrase", false});
  bundle::Release release = attested_release();
  EXPECT_THAT(check_recipients(release, recipients), Fails(ErrorCode::kRefused));
  release.escrow = bundle::Escrow{Digest{}, "all zero, as the id of a passphrase is"};
  EXPECT_THAT(check_recipients(release, recipients), Fails(ErrorCode::kRefused));
}

// A head must hold what was promised before there was anything to wrap.
TEST(Recipients, OfEveryKindFitTheirBound) {
  const crypto::ContentKey key = crypto::ContentKey::random();
  std::vector<Recipient> recipients;
  for (const auto type :
       {crypto::KeyType::kX25519, crypto::KeyType::kEcdhP256, crypto::KeyType::kRsa3072}) {
    recipients.push_back(recipient_of(Keys::make(type).decryptor().value()->public_key()));
  }
  recipients.push_back({crypto::WrappingKey::random(), bundle::SlotClass::kDirect, "k", false});
  recipients.push_back({PassphraseKey{crypto::WrappingKey::random(), {}, 16, 1U << 20U},
                        bundle::SlotClass::kDirect, "p", false});
  for (const Recipient& recipient : recipients) {
    bundle::Head head;
    head.release = {"type", {1}, {}};
    const std::size_t empty = bundle::serialize_head(head).size();
    const auto slot = wrap_slot(recipient, {}, key);
    ASSERT_THAT(slot, Succeeds());
    head.slots.push_back(*slot);
    EXPECT_LE(bundle::serialize_head(head).size() - empty, slot_size_bound(recipient));
  }
}

TEST(Recipients, TenThousandOpenOneBundle) {
  const Keys keys;
  const TemporaryFolder folder;
  BuildRequest request = request_for(keys, folder / "b.seal");
  request.recipients.clear();
  const crypto::PrivateKey other = Keys::make(crypto::KeyType::kX25519);
  const crypto::EncryptionKey other_key = other.decryptor().value()->public_key();
  for (int i = 0; i < 9'999; ++i) request.recipients.push_back(recipient_of(other_key));
  request.recipients.push_back(recipient_of(keys.decryptor->public_key()));
  const auto start = std::chrono::steady_clock::now();
  const auto report = build_bundle(small_assembly(), request);
  const auto time = std::chrono::steady_clock::now() - start;
  ASSERT_THAT(report, Succeeds());
  std::cout << "10,000 recipients: "
            << std::chrono::duration_cast<std::chrono::milliseconds>(time).count()
            << " ms, head of " << report->head_size << " bytes\n";
  EXPECT_EQ(report->head_size, 8U << 20U);                  // room for a quarter more in each copy
  const auto opened = open_whole(keys, folder / "b.seal");  // with the last slot
  ASSERT_THAT(opened, Succeeds());
  EXPECT_EQ(opened->verified().slots().size(), 10'000U);
}

TEST(Recipients, BeyondTheLargestHeadAreRefusedBeforeAnythingIsWritten) {
  const Keys keys;
  const TemporaryFolder folder;
  BuildRequest request = request_for(keys, folder / "b.seal");
  for (int i = 0; i < 100'000; ++i) {
    request.recipients.push_back(recipient_of(keys.decryptor->public_key()));
  }
  const auto report = build_bundle(small_assembly(), request);
  ASSERT_THAT(report, Fails(ErrorCode::kLimit));
  EXPECT_THAT(report.error().hint(), HasSubstr("grant"));
  EXPECT_TRUE(folder.names().empty());
}

}  // namespace
}  // namespace sealpack::packer
