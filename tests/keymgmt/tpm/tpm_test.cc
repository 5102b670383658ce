// SPDX-License-Identifier: Apache-2.0
// The connection against a TPM in software.
#include "keymgmt/tpm/tpm.h"

#include <gtest/gtest.h>

#include "keymgmt/crypto/hpke.h"
#include "keymgmt/crypto/private_key.h"
#include "keymgmt/crypto/sha256.h"
#include "tests/keymgmt/tpm/software_tpm.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::tpm {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::SoftwareTpm;
using testing::Succeeds;

constexpr std::uint32_t kCounter = 0x01805ea1;
constexpr PcrMask kPcrs = 1U << 4U | 1U << 9U | 1U << 15U;

class TpmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
    device_.emplace();
  }

  std::unique_ptr<Tpm> open(EndorsementKind kind = EndorsementKind::kP256) {
    auto tpm = Tpm::open({device_->tcti(), kind, std::nullopt});
    EXPECT_THAT(tpm, Succeeds());
    return tpm.ok() ? *std::move(tpm) : nullptr;
  }

  std::optional<SoftwareTpm> device_;
};

// A key that is bound to PCRs which an authority approved, and to the value of a counter.
struct Sealed {
  std::unique_ptr<crypto::Signer> authority;
  crypto::PrivateKey key;
  Tpm::Created stored;  // as the device keeps it
  PolicyRun policy;
};

crypto::PrivateKey key_of(crypto::KeyType type) {
  return *crypto::PrivateKey::generate(type);
}

PolicyRun make_policy(Tpm& tpm, const crypto::Signer& authority, crypto::KeyType type) {
  PolicyRun policy;
  policy.pcrs = kPcrs;
  policy.approved_nv = PolicyRun::NvStep{kCounter, {9}, 7, PolicyDigest::Compare::kNotAbove};
  const std::uint64_t counter = **tpm.read_counter(kCounter);
  ByteVector epoch(7);
  for (unsigned i = 0; i < 7; ++i) epoch[i] = static_cast<std::uint8_t>(counter >> (8 * (7 - i)));
  policy.own_nv = {{kCounter, epoch, 0, PolicyDigest::Compare::kEqual}};
  policy.reference = to_vector(crypto::sha256(as_bytes("for tests")).bytes);
  policy.key = to_vector(authority.public_key().spki());
  policy.approved = PolicyDigest()
                        .pcr(kPcrs, digest_of(*tpm.read_pcrs(kPcrs)))
                        .nv(name_of(CounterIndex{kCounter}), policy.approved_nv->operand, 7,
                            PolicyDigest::Compare::kNotAbove)
                        .value();
  ByteVector message = to_vector(policy.approved.bytes);
  message.insert(message.end(), policy.reference.begin(), policy.reference.end());
  policy.signature = *authority.sign(message);
  policy.command = type == crypto::KeyType::kX25519 ? PolicyDigest::Command::kUnseal
                                                    : PolicyDigest::Command::kEcdhZGen;
  return policy;
}

Digest policy_of(const PolicyRun& policy) {
  return PolicyDigest()
      .authorize(name_of(*external_signing_key(policy.key)), policy.reference)
      .nv(name_of(CounterIndex{kCounter}), policy.own_nv[0].operand, 0,
          PolicyDigest::Compare::kEqual)
      .command(policy.command)
      .value();
}

Sealed seal(Tpm& tpm, crypto::KeyType type) {
  EXPECT_THAT(tpm.define_counter(kCounter), Succeeds());
  auto authority = *key_of(crypto::KeyType::kEcdsaP256).signer();
  PolicyRun policy = make_policy(tpm, *authority, type);
  crypto::PrivateKey key = key_of(type);
  const auto inner = crypto::SecretBytes::random(kInnerKeySize);
  const auto wrapped = make_duplicate(tpm.endorsement_key(), key, policy_of(policy), inner);
  EXPECT_THAT(wrapped, Succeeds());
  auto blob = tpm.import(*wrapped, inner);
  EXPECT_THAT(blob, Succeeds());
  return {
      std::move(authority), std::move(key), {wrapped->object, *std::move(blob)}, std::move(policy)};
}

TEST_F(TpmTest, ExtendsAndReadsPcrs) {
  const auto tpm = open();
  ASSERT_NE(tpm, nullptr);
  const Digest value = crypto::sha256(as_bytes("measured"));
  ASSERT_THAT(tpm->extend_pcr(15, value), Succeeds());
  const auto values = tpm->read_pcrs(kPcrs);
  ASSERT_THAT(values, Succeeds());
  ASSERT_EQ(values->size(), 3U);
  EXPECT_EQ((*values)[0], (PcrValue{4, Digest{}}));
  ByteVector extended(32);
  extended.insert(extended.end(), value.bytes.begin(), value.bytes.end());
  EXPECT_EQ((*values)[2], (PcrValue{15, crypto::sha256(extended)}));
}

TEST_F(TpmTest, ReadsAllPcrsAtOnce) {
  const auto tpm = open();
  const auto values = tpm->read_pcrs(0xffffff);
  ASSERT_THAT(values, Succeeds());
  EXPECT_EQ(values->size(), 24U);
}

TEST_F(TpmTest, SealedKeysComeOutUnderTheirPolicy) {
  const auto tpm = open();
  const Sealed sealed = seal(*tpm, crypto::KeyType::kX25519);
  const auto object = tpm->load(sealed.stored.object, sealed.stored.private_part);
  ASSERT_THAT(object, Succeeds());
  const auto out = tpm->unseal(*object, sealed.policy);
  ASSERT_THAT(out, Succeeds());
  EXPECT_TRUE(out->equals(sealed.key.to_pkcs8().reveal()));
}

TEST_F(TpmTest, KeysOfTheTpmAgreeUnderTheirPolicy) {
  for (const auto kind : {EndorsementKind::kP256, EndorsementKind::kRsa2048}) {
    SetUp();
    const auto tpm = open(kind);
    const Sealed sealed = seal(*tpm, crypto::KeyType::kEcdhP256);
    const auto object = tpm->load(sealed.stored.object, sealed.stored.private_part);
    ASSERT_THAT(object, Succeeds());
    const auto recipient = *crypto::EncryptionKey::from_spki(sealed.key.spki());
    const auto message = *crypto::hpke_seal(recipient, as_bytes("info"), {}, as_bytes("secret"));
    const auto shared = tpm->agree(*object, message.enc, sealed.policy);
    ASSERT_THAT(shared, Succeeds());
    const auto plain = crypto::hpke_open_with_shared_secret(
        *shared, message.enc, recipient, as_bytes("info"), {}, message.ciphertext);
    ASSERT_THAT(plain, Succeeds());
    EXPECT_TRUE(plain->equals(as_bytes("secret")));
  }
}

TEST_F(TpmTest, OtherPcrValuesAreRefused) {
  const auto tpm = open();
  const Sealed sealed = seal(*tpm, crypto::KeyType::kX25519);
  const auto object = tpm->load(sealed.stored.object, sealed.stored.private_part);
  ASSERT_THAT(tpm->extend_pcr(9, Digest{}), Succeeds());
  EXPECT_THAT(tpm->unseal(*object, sealed.policy), Fails(ErrorCode::kRefused));
}

TEST_F(TpmTest, AnotherSelectionOfPcrsIsRefused) {
  const auto tpm = open();
  Sealed sealed = seal(*tpm, crypto::KeyType::kX25519);
  const auto object = tpm->load(sealed.stored.object, sealed.stored.private_part);
  sealed.policy.pcrs = 1U << 9U;
  EXPECT_THAT(tpm->unseal(*object, sealed.policy), Fails(ErrorCode::kRefused));
}

TEST_F(TpmTest, AnotherAuthoritysApprovalIsRefused) {
  const auto tpm = open();
  Sealed sealed = seal(*tpm, crypto::KeyType::kX25519);
  const auto object = tpm->load(sealed.stored.object, sealed.stored.private_part);
  const auto stranger = *key_of(crypto::KeyType::kEcdsaP256).signer();
  const PolicyRun other = make_policy(*tpm, *stranger, crypto::KeyType::kX25519);
  EXPECT_THAT(tpm->unseal(*object, other), Fails(ErrorCode::kRefused));
  sealed.policy.signature = other.signature;
  EXPECT_THAT(tpm->unseal(*object, sealed.policy), Fails(ErrorCode::kRefused));
}

TEST_F(TpmTest, AnApprovalForSomethingElseIsRefused) {
  const auto tpm = open();
  Sealed sealed = seal(*tpm, crypto::KeyType::kX25519);
  const auto object = tpm->load(sealed.stored.object, sealed.stored.private_part);
  sealed.policy.reference[0] ^= 1U;
  ByteVector message = to_vector(sealed.policy.approved.bytes);
  message.insert(message.end(), sealed.policy.reference.begin(), sealed.policy.reference.end());
  sealed.policy.signature = *sealed.authority->sign(message);
  EXPECT_THAT(tpm->unseal(*object, sealed.policy), Fails(ErrorCode::kRefused));
}

TEST_F(TpmTest, ARaisedFloorRefusesOlderApprovals) {
  const auto tpm = open();
  const Sealed sealed = seal(*tpm, crypto::KeyType::kX25519);
  const auto object = tpm->load(sealed.stored.object, sealed.stored.private_part);
  while ((**tpm->read_counter(kCounter) & 0xffU) < 9) {
    ASSERT_THAT(tpm->unseal(*object, sealed.policy), Succeeds());
    ASSERT_THAT(tpm->increment_counter(kCounter), Succeeds());
  }
  EXPECT_THAT(tpm->unseal(*object, sealed.policy), Succeeds());
  ASSERT_THAT(tpm->increment_counter(kCounter), Succeeds());
  EXPECT_THAT(tpm->unseal(*object, sealed.policy), Fails(ErrorCode::kRefused));
}

TEST_F(TpmTest, ARemovedCounterDoesNotComeBackLower) {
  const auto tpm = open();
  const Sealed sealed = seal(*tpm, crypto::KeyType::kX25519);
  const auto object = tpm->load(sealed.stored.object, sealed.stored.private_part);
  for (int i = 0; i < 12; ++i) ASSERT_THAT(tpm->increment_counter(kCounter), Succeeds());
  const std::uint64_t before = **tpm->read_counter(kCounter);
  ASSERT_THAT(tpm->remove_counter(kCounter), Succeeds());
  EXPECT_THAT(tpm->unseal(*object, sealed.policy),
              FailsWith(ErrorCode::kRefused, HasSubstr("lost")));
  ASSERT_THAT(tpm->define_counter(kCounter), Succeeds());
  EXPECT_GT(**tpm->read_counter(kCounter), before);
  EXPECT_THAT(tpm->unseal(*object, sealed.policy), Fails(ErrorCode::kRefused));
}

TEST_F(TpmTest, AKeyCopiedToAnotherTpmDoesNotLoad) {
  const auto tpm = open();
  const Sealed sealed = seal(*tpm, crypto::KeyType::kX25519);
  SoftwareTpm other_device;
  const auto other = Tpm::open({other_device.tcti(), EndorsementKind::kP256, std::nullopt});
  ASSERT_THAT(other, Succeeds());
  EXPECT_THAT((*other)->load(sealed.stored.object, sealed.stored.private_part),
              Fails(ErrorCode::kKeyUnavailable));
}

TEST_F(TpmTest, AWrappedKeyIsImportedByItsTpmAlone) {
  const auto tpm = open();
  SoftwareTpm other_device;
  const auto other = *Tpm::open({other_device.tcti(), EndorsementKind::kP256, std::nullopt});
  const auto inner = crypto::SecretBytes::random(kInnerKeySize);
  const auto key = key_of(crypto::KeyType::kEcdhP256);
  const auto wrapped = *make_duplicate(tpm->endorsement_key(), key, Digest{}, inner);
  EXPECT_THAT(other->import(wrapped, inner), Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(tpm->import(wrapped, crypto::SecretBytes::random(kInnerKeySize)),
              Fails(ErrorCode::kKeyUnavailable));
  for (ByteVector Duplicate::*part : {&Duplicate::blob, &Duplicate::secret}) {
    Duplicate changed = wrapped;
    (changed.*part).back() ^= 1U;
    EXPECT_THAT(tpm->import(changed, inner), Fails(ErrorCode::kKeyUnavailable));
  }
  Duplicate with_password = wrapped;
  with_password.object.attributes |= kUserWithAuth;
  EXPECT_THAT(tpm->import(with_password, inner), Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(tpm->import(wrapped, inner), Succeeds());
}

TEST_F(TpmTest, APinnedTpmIsToldFromAnother) {
  const auto tpm = open();
  const Name name = name_of(tpm->endorsement_key());
  device_->restart();
  EXPECT_THAT(Tpm::open({device_->tcti(), EndorsementKind::kP256, name}), Succeeds());
  EXPECT_THAT(Tpm::open({device_->tcti(), EndorsementKind::kRsa2048, name}),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("another TPM")));
  SoftwareTpm swapped;
  EXPECT_THAT(Tpm::open({swapped.tcti(), EndorsementKind::kP256, name}),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("another TPM")));
}

TEST_F(TpmTest, CredentialsActivateInTheirTpmAlone) {
  for (const auto kind : {EndorsementKind::kP256, EndorsementKind::kRsa2048}) {
    SetUp();
    const auto tpm = open(kind);
    const auto attestation = tpm->attestation_key();
    ASSERT_THAT(attestation, Succeeds());
    const auto secret = crypto::SecretBytes::random(kInnerKeySize);
    const auto credential = *make_credential(tpm->endorsement_key(), name_of(*attestation), secret);
    const auto activated = tpm->activate_credential(credential);
    ASSERT_THAT(activated, Succeeds());
    EXPECT_TRUE(activated->equals(secret.reveal()));

    SoftwareTpm other_device;
    const auto other = *Tpm::open({other_device.tcti(), kind, std::nullopt});
    EXPECT_THAT(other->activate_credential(credential), Fails(ErrorCode::kKeyUnavailable));
    const auto elsewhere =
        *make_credential(tpm->endorsement_key(), name_of(*other->attestation_key()), secret);
    EXPECT_THAT(tpm->activate_credential(elsewhere), Fails(ErrorCode::kKeyUnavailable));
    Credential changed = credential;
    changed.blob.back() ^= 1U;
    EXPECT_THAT(tpm->activate_credential(changed), Fails(ErrorCode::kKeyUnavailable));
  }
}

TEST_F(TpmTest, TheAttestationKeyIsTheSameAfterARestart) {
  auto tpm = open();
  const PublicArea first = *tpm->attestation_key();
  EXPECT_EQ(first.attributes & (kRestricted | kSign | kDecrypt | kFixedTpm),
            kRestricted | kSign | kFixedTpm);
  tpm.reset();
  device_->restart();
  EXPECT_EQ(*open()->attestation_key(), first);
}

TEST_F(TpmTest, QuotesCoverWhatTheySay) {
  const auto tpm = open();
  const auto quote = tpm->quote(kPcrs, as_bytes("nonce"));
  ASSERT_THAT(quote, Succeeds());
  EXPECT_EQ(quote->values.size(), 3U);
  // magic, type
  EXPECT_EQ(to_hex(Bytes(quote->quoted).first(6)), "ff5443478018");
  const auto key = *crypto::VerifyingKey::from_spki(*tpm->attestation_key()->spki());
  // algorithm, hash, then r and s with their sizes
  ASSERT_EQ(quote->signature.size(), 4U + 2 * (2 + 32));
  ByteVector r_s;
  for (const std::size_t at : {std::size_t{6}, std::size_t{40}}) {
    const Bytes part = Bytes(quote->signature).subspan(at, 32);
    r_s.insert(r_s.end(), part.begin(), part.end());
  }
  const auto low = crypto::ecdsa_with_low_s(key.algorithm(), r_s);
  ASSERT_THAT(low, Succeeds());
  EXPECT_THAT(key.verify(quote->quoted, *low), Succeeds());
}

TEST_F(TpmTest, KeysMadeInTheTpmSignAndAgree) {
  const auto tpm = open();
  const auto signer = tpm->create_key(ObjectKind::kSignP256);
  ASSERT_THAT(signer, Succeeds());
  const auto loaded = tpm->load(signer->object, signer->private_part);
  ASSERT_THAT(loaded, Succeeds());
  const auto signature = tpm->sign(*loaded, crypto::sha256(as_bytes("message")));
  ASSERT_THAT(signature, Succeeds());
  const auto key = *crypto::VerifyingKey::from_spki(*signer->object.spki());
  EXPECT_THAT(
      key.verify(as_bytes("message"), *crypto::ecdsa_with_low_s(key.algorithm(), *signature)),
      Succeeds());
  EXPECT_THAT(tpm->create_key(ObjectKind::kAgreeP256), Succeeds());
}

TEST_F(TpmTest, RefusalsDoNotBringTheLockoutNearer) {
  const auto tpm = open();
  const Sealed sealed = seal(*tpm, crypto::KeyType::kX25519);
  const auto object = tpm->load(sealed.stored.object, sealed.stored.private_part);
  ASSERT_THAT(tpm->extend_pcr(9, Digest{}), Succeeds());
  // A TPM locks out after some tens of failures (swtpm: 3).
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(tpm->unseal(*object, sealed.policy), Fails(ErrorCode::kRefused));
  }
  EXPECT_THAT(tpm->read_counter(kCounter), Succeeds());
  EXPECT_THAT(tpm->quote(kPcrs, {}), Succeeds());
}

TEST_F(TpmTest, NothingStaysLoaded) {
  const auto tpm = open();
  const Sealed sealed = seal(*tpm, crypto::KeyType::kX25519);
  // A TPM has room for three objects and three sessions.
  for (int i = 0; i < 10; ++i) {
    const auto object = tpm->load(sealed.stored.object, sealed.stored.private_part);
    ASSERT_THAT(object, Succeeds());
    ASSERT_THAT(tpm->unseal(*object, sealed.policy), Succeeds());
    ASSERT_THAT(tpm->quote(kPcrs, {}), Succeeds());
  }
}

TEST_F(TpmTest, ATpmThatIsGoneIsAnInputError) {
  const auto tpm = open();
  device_->stop();
  EXPECT_THAT(tpm->read_pcrs(kPcrs), Fails(ErrorCode::kIo));
  EXPECT_THAT(Tpm::open({device_->tcti(), EndorsementKind::kP256, std::nullopt}),
              Fails(ErrorCode::kIo));
}

}  // namespace
}  // namespace sealpack::tpm
