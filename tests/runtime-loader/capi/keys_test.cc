// SPDX-License-Identifier: Apache-2.0
// Unlocking, counters and grants through the C interface.
#include "formats/bundle/encode.h"
#include "keymgmt/slots/slots.h"
#include "runtime-loader/capi/counter_file.h"
#include "runtime-loader/core/grant.h"
#include "runtime-loader/core/receipt.h"
#include "tests/runtime-loader/capi/unlocking.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::testing {
namespace {

TEST_F(Unlocking, TakesAnotherKeyAfterAWrongOne) {
  use({});
  open();
  EXPECT_CODE(SEALPACK_KEY_UNAVAILABLE,
              unlock(bundle_.get(), make_key(crypto::KeyType::kX25519), &error));
  EXPECT_CODE(SEALPACK_KEY_UNAVAILABLE,
              unlock(bundle_.get(), make_key(crypto::KeyType::kEcdhP256), &error));
  EXPECT_FALSE(reads());
  EXPECT_CODE(SEALPACK_OK, unlock(bundle_.get(), keys_.recipient, &error));
  EXPECT_TRUE(reads());
  EXPECT_CODE(SEALPACK_USAGE, unlock(bundle_.get(), keys_.recipient, &error));
}

TEST_F(Unlocking, RefusesKeysWhoseRoleIsToJudgeEvidence) {
  use({});
  open();
  for (const char* role : {"broker", "device", "authority"}) {
    EXPECT_CODE(SEALPACK_USAGE, unlock(bundle_.get(), keys_.recipient, &error, role));
  }
  EXPECT_FALSE(reads());
}

TEST_F(Unlocking, RefusesAttestedSlotsToAKeyInHand) {
  use([&](const slots::Binding& binding) {
    return std::vector{slot_for(keys_.recipient, bundle::SlotClass::kAttested, binding)};
  });
  open();
  EXPECT_CODE(SEALPACK_REFUSED, unlock(bundle_.get(), keys_.recipient, &error));
  EXPECT_FALSE(reads());
}

TEST_F(Unlocking, FindsASlotWhoseHintIsWrong) {
  use([&](const slots::Binding& binding) {
    const crypto::PrivateKey other = make_key(crypto::KeyType::kX25519);
    std::vector<bundle::Slot> all = {
        slot_for(other, bundle::SlotClass::kDirect, binding),
        slot_for(keys_.recipient, bundle::SlotClass::kDirect, binding)};
    all[1].hint[0] ^= 1;
    return all;
  });
  open();
  EXPECT_CODE(SEALPACK_OK, unlock(bundle_.get(), keys_.recipient, &error));
  EXPECT_TRUE(reads());
}

TEST_F(Unlocking, TakesARawKey) {
  const auto kek = crypto::WrappingKey::random();
  use([&](const slots::Binding& binding) {
    return std::vector{
        slots::wrap_symmetric(kek, bundle::SlotClass::kDirect, binding, keys_.content)};
  });
  open();
  const ByteVector wrong(32, 7);
  EXPECT_CODE(SEALPACK_KEY_UNAVAILABLE,
              sealpack_bundle_unlock_aes256(bundle_.get(), wrong.data(), &error));
  EXPECT_CODE(SEALPACK_OK,
              sealpack_bundle_unlock_aes256(bundle_.get(), kek.reveal().data(), &error));
  EXPECT_TRUE(reads());
}

TEST_F(Unlocking, TakesASlotOfAGrant) {
  use({});
  open();
  const crypto::PrivateKey late = make_key(crypto::KeyType::kX25519);
  bundle::Grant grant;
  grant.uuid = binding_.uuid;
  grant.content_digest = binding_.content_digest;
  grant.slot = slot_for(late, bundle::SlotClass::kDirect, binding_);
  const ByteVector bytes = bundle::serialize_grant(grant);
  EXPECT_CODE(SEALPACK_KEY_UNAVAILABLE, unlock(bundle_.get(), late, &error));
  EXPECT_CODE(SEALPACK_NOT_AUTHENTIC,
              sealpack_bundle_add_grant(bundle_.get(), bytes.data(), bytes.size() - 1, &error));
  grant.uuid[0] ^= 1;
  const ByteVector other = bundle::serialize_grant(grant);
  EXPECT_CODE(SEALPACK_KEY_UNAVAILABLE,
              sealpack_bundle_add_grant(bundle_.get(), other.data(), other.size(), &error));
  EXPECT_CODE(SEALPACK_OK,
              sealpack_bundle_add_grant(bundle_.get(), bytes.data(), bytes.size(), &error));
  EXPECT_CODE(SEALPACK_OK, unlock(bundle_.get(), late, &error));
  EXPECT_TRUE(reads());
}

TEST_F(Unlocking, AsksForThePassphraseOfAnEncryptedKeyAlone) {
  use({});
  open();
  const TemporaryFolder folder;
  const auto plain = folder.put("plain.key", key_file_text(keys_.recipient, "recipient"));
  sealpack_passphrase never = SEALPACK_INIT(sealpack_passphrase);
  never.get = [](void*, const char*, char*, std::size_t) -> std::int64_t {
    ADD_FAILURE() << "asked for a passphrase";
    return -1;
  };
  std::filesystem::permissions(plain, std::filesystem::perms(0644));
  EXPECT_CODE(SEALPACK_REFUSED,
              sealpack_bundle_unlock_key_file(bundle_.get(), plain.c_str(), &never, &error));
  std::filesystem::permissions(plain, std::filesystem::perms(0600));
  EXPECT_CODE(SEALPACK_OK,
              sealpack_bundle_unlock_key_file(bundle_.get(), plain.c_str(), &never, &error));
}

// ---- Key sources

TEST_F(Unlocking, OpensThroughAKeySource) {
  use({});
  open();
  Supervisor supervisor{&keys_, nullptr, {}};
  const sealpack_key_source source = supervisor.source();
  supervisor.fail_with = SEALPACK_TRY_AGAIN;
  EXPECT_CODE(SEALPACK_TRY_AGAIN, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  supervisor.fail_with = 0;
  supervisor.edit = [](loader::KeyRequest& request) { request.terms.content.bytes[0] ^= 1; };
  EXPECT_CODE(SEALPACK_KEY_UNAVAILABLE,
              sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  EXPECT_FALSE(reads());
  supervisor.edit = [](auto&) {};
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  EXPECT_TRUE(reads());
}

TEST_F(Unlocking, TakesTheChallengeOfTheSource) {
  use({});
  open();
  Supervisor supervisor{&keys_, nullptr, {}};
  ByteVector seen;
  supervisor.edit = [&](loader::KeyRequest& request) { seen = request.terms.challenge.nonce; };
  sealpack_key_source source = supervisor.source();
  source.challenge = [](void*, void* nonce, std::size_t* nonce_size, void* id,
                        std::size_t* id_size) {
    EXPECT_EQ(*nonce_size, 64U);
    std::memset(nonce, 'n', 20);
    *nonce_size = 20;
    std::memset(id, 'i', 3);
    *id_size = 3;
    return 0;
  };
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  EXPECT_EQ(seen, ByteVector(20, 'n'));
}

TEST_F(Unlocking, RefusesChallengesAndGrantsThatAreTooLong) {
  use({});
  open();
  Supervisor supervisor{&keys_, nullptr, {}};
  sealpack_key_source source = supervisor.source();
  source.challenge = [](void*, void*, std::size_t* nonce_size, void*, std::size_t*) {
    *nonce_size = 65;
    return 0;
  };
  EXPECT_CODE(SEALPACK_USAGE, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  source = supervisor.source();
  source.grant = [](void*, const void*, std::size_t, void*, std::size_t capacity) {
    return static_cast<std::int64_t>(capacity) + 1;
  };
  EXPECT_CODE(SEALPACK_USAGE, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  source.grant = [](void*, const void*, std::size_t, void* grant, std::size_t capacity) {
    std::memset(grant, 0xff, capacity);
    return static_cast<std::int64_t>(capacity);
  };
  EXPECT_CODE(SEALPACK_MALFORMED, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  EXPECT_FALSE(reads());
}

TEST_F(Unlocking, WantsTheSignatureOfTheBrokerItPins) {
  use({});
  const crypto::PrivateKey broker = make_key(crypto::KeyType::kEd25519);
  const crypto::PrivateKey stranger = make_key(crypto::KeyType::kEd25519);
  const sealpack_public_key pinned = public_key(broker, nullptr);
  sealpack_owner owner = SEALPACK_INIT(sealpack_owner);
  owner.name = "vendor";
  owner.trust = trust_.get();
  owner.broker = &pinned;
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.owners = &owner;
  options.owner_count = 1;
  session_ = session_with(options, nullptr);
  bundle_ = open_in(session_.get(), memory_);
  for (const crypto::PrivateKey* key :
       {static_cast<const crypto::PrivateKey*>(nullptr), &stranger}) {
    const auto signer = key == nullptr ? nullptr : key->signer().value();
    Supervisor supervisor{&keys_, signer.get(), {}};
    supervisor.edit = [&](loader::KeyRequest& request) {
      request.terms.broker = key == nullptr ? Digest{} : digest_of(*key);
    };
    const sealpack_key_source source = supervisor.source();
    EXPECT_CODE(SEALPACK_NOT_AUTHENTIC,
                sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  }
  const auto signer = broker.signer().value();
  Supervisor supervisor{&keys_, signer.get(), {}};
  const sealpack_key_source source = supervisor.source();
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  EXPECT_TRUE(reads());
}

// ---- Counters

TEST_F(Unlocking, ConfirmRaisesTheFloorAndOpeningDoesNot) {
  const TemporaryFolder folder;
  const std::string file = folder / "counters";
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.counter_file = file.c_str();
  use({});  // counter 7
  open(options);
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_CODE(SEALPACK_OK, unlock(bundle_.get(), keys_.recipient, &error));
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_confirm(bundle_.get(), &error));
  EXPECT_NE(content_of(file).find(" 7 "), std::string::npos);

  const sealpack_source source = memory_.source();
  sealpack_bundle* bundle = nullptr;
  use({}, [](bundle::Release& release) { release.counter = 6; });
  EXPECT_CODE(SEALPACK_REFUSED,
              sealpack_bundle_open_source(session_.get(), &source, nullptr, &bundle, &error));
  // Another release with the same counter.
  use({}, [](bundle::Release& release) { release.version = "1.3"; });
  EXPECT_CODE(SEALPACK_REFUSED,
              sealpack_bundle_open_source(session_.get(), &source, nullptr, &bundle, &error));
  use({}, [](bundle::Release& release) { release.counter = 8; });
  open(options);
  // Not confirmed: counter 7 of before still counts.
  EXPECT_NE(content_of(file).find(" 7 "), std::string::npos);
}

TEST_F(Unlocking, AsksTheCallersCounters) {
  struct Store {
    sealpack_floor floor{};
    int get_code = 0;
    int raised = 0;
  } store;
  sealpack_counters counters = SEALPACK_INIT(sealpack_counters);
  counters.context = &store;
  counters.kind = SEALPACK_COUNTER_TPM;
  counters.get = [](void* context, const std::uint8_t*, const char* product,
                    sealpack_floor* floor) {
    EXPECT_STREQ(product, "test product");
    *floor = static_cast<Store*>(context)->floor;
    return static_cast<Store*>(context)->get_code;
  };
  counters.raise = [](void* context, const std::uint8_t*, const char*,
                      const sealpack_floor* floor) {
    static_cast<Store*>(context)->floor = *floor;
    ++static_cast<Store*>(context)->raised;
    return 0;
  };
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.counters = &counters;
  use({});
  open(options);
  EXPECT_CODE(SEALPACK_OK, unlock(bundle_.get(), keys_.recipient, &error));
  EXPECT_EQ(store.raised, 0);
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_confirm(bundle_.get(), &error));
  EXPECT_EQ(store.raised, 1);
  EXPECT_EQ(store.floor.counter, 7U);
  EXPECT_EQ(store.floor.has_release, 1);

  const sealpack_source source = memory_.source();
  sealpack_bundle* bundle = nullptr;
  store.floor.counter = 8;
  EXPECT_CODE(SEALPACK_REFUSED,
              sealpack_bundle_open_source(session_.get(), &source, nullptr, &bundle, &error));
  store.get_code = SEALPACK_IO;
  EXPECT_CODE(SEALPACK_IO,
              sealpack_bundle_open_source(session_.get(), &source, nullptr, &bundle, &error));
}

TEST_F(Unlocking, GivesAReceiptOfTheRightSize) {
  use({});
  open();
  EXPECT_CODE(SEALPACK_OK, unlock(bundle_.get(), keys_.recipient, &error));
  const std::string nonce = "asked now";
  ByteVector out(16384);
  std::size_t size = 10;
  EXPECT_CODE(SEALPACK_LIMIT, sealpack_bundle_receipt(bundle_.get(), nonce.data(), nonce.size(),
                                                      out.data(), &size, &error));
  EXPECT_GT(size, 10U);
  EXPECT_TRUE(all_zero(out));
  size = out.size();
  ASSERT_CODE(SEALPACK_OK, sealpack_bundle_receipt(bundle_.get(), nonce.data(), nonce.size(),
                                                   out.data(), &size, &error));
  const auto receipt = loader::parse_receipt(Bytes(out).first(size)).value();
  const auto said =
      loader::verify_receipt(receipt, crypto::VerifyingKey::from_spki(receipt.key).value()).value();
  EXPECT_EQ(said.product, "test product");
  EXPECT_EQ(as_text(said.nonce), nonce);
  std::uint8_t launch[32];
  ASSERT_CODE(SEALPACK_OK, sealpack_session_launch_digest(session_.get(), launch, &error));
  EXPECT_TRUE(std::equal(std::begin(launch), std::end(launch), said.launch.bytes.begin()));
}

}  // namespace
}  // namespace sealpack::testing
