// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/slots/slots.h"

#include <functional>

#include "formats/bundle/encode.h"
#include "keymgmt/crypto/passphrase.h"
#include "keymgmt/crypto/random.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/test_bundle.h"

namespace sealpack::slots {
namespace {

using bundle::Slot;
using bundle::SlotClass;
using bundle::SlotKind;
using crypto::KeyType;
using sealpack::testing::Fails;
using sealpack::testing::make_key;
using sealpack::testing::Succeeds;

constexpr std::uint32_t kPasses = 1;
constexpr std::uint32_t kMemoryKib = 8;

crypto::SecretBytes passphrase(std::string_view text) {
  return crypto::SecretBytes::copy_of(as_bytes(text));
}

// A recipient of any kind: how it makes slots, finds them and opens them.
struct Recipient {
  SlotKind kind;
  std::function<Slot(SlotClass, const Binding&, const crypto::ContentKey&)> wrap;
  std::function<bool(const Slot&)> finds;
  std::function<Result<crypto::ContentKey>(const Slot&, const Binding&)> open;
};

Recipient with_private_key(SlotKind kind, KeyType type) {
  const auto key = std::make_shared<crypto::PrivateKey>(make_key(type));
  const std::shared_ptr<crypto::Decryptor> decryptor = key->decryptor().value();
  const crypto::EncryptionKey& to = decryptor->public_key();
  return {kind,
          [decryptor, to](SlotClass c, const Binding& binding, const crypto::ContentKey& content) {
            return wrap_for(to, c, binding, content).value();
          },
          [to](const Slot& slot) { return hints_at(slot, to.digest()); },
          [decryptor](const Slot& slot, const Binding& b) { return unwrap(slot, b, *decryptor); }};
}

Recipient with_symmetric_key() {
  const auto key = std::make_shared<crypto::WrappingKey>(crypto::WrappingKey::random());
  return {SlotKind::kAesKwp,
          [key](SlotClass c, const Binding& binding, const crypto::ContentKey& content) {
            return wrap_symmetric(*key, c, binding, content);
          },
          [key](const Slot& slot) { return hints_at(slot, symmetric_key_id(*key)); },
          [key](const Slot& slot, const Binding& binding) { return unwrap(slot, binding, *key); }};
}

Recipient with_passphrase(const std::string& text) {
  const auto derive = [text](const Slot& slot) {
    return crypto::argon2id(passphrase(text), slot.salt,
                            {slot.argon2_passes, slot.argon2_memory_kib});
  };
  return {SlotKind::kPassphrase,
          [derive](SlotClass, const Binding& binding, const crypto::ContentKey& content) {
            Slot cost;
            cost.salt = crypto::random_array<16>();
            cost.argon2_passes = kPasses;
            cost.argon2_memory_kib = kMemoryKib;
            return wrap_passphrase(derive(cost).value(), cost.salt, kPasses, kMemoryKib, binding,
                                   content);
          },
          [](const Slot& slot) { return hints_at(slot, Digest{}); },
          [derive](const Slot& slot, const Binding& binding) -> Result<crypto::ContentKey> {
            return unwrap(slot, binding, TRY(derive(slot)));
          }};
}

// RSA keys take long to make: one set for all tests.
const std::vector<Recipient>& recipients() {
  static const std::vector<Recipient> all = {
      with_private_key(SlotKind::kHpkeX25519, KeyType::kX25519),
      with_private_key(SlotKind::kHpkeP256, KeyType::kEcdhP256),
      with_private_key(SlotKind::kRsaOaep, KeyType::kRsa3072),
      with_symmetric_key(),
      with_passphrase("correct horse"),
  };
  return all;
}
std::vector<Recipient> others() {
  return {with_private_key(SlotKind::kHpkeX25519, KeyType::kX25519),
          with_private_key(SlotKind::kHpkeP256, KeyType::kEcdhP256), with_symmetric_key(),
          with_passphrase("wrong horse")};
}

Binding binding() {
  return {bundle::Uuid{1}, Digest{{2}}, Digest{{3}}};
}

bool is_key(const Result<crypto::ContentKey>& opened, const crypto::ContentKey& key) {
  return opened.ok() && crypto::equal_constant_time(opened->reveal(), key.reveal());
}

// The slot as a reader finds it: written, and parsed again.
Result<Slot> parsed(const Slot& slot) {
  return TRY(bundle::parse_grant(bundle::serialize_grant({{}, {}, slot}))).slot;
}

TEST(Slots, OpenForTheirRecipientAndBindingInEveryKindAndClass) {
  const auto key = crypto::ContentKey::random();
  for (const Recipient& recipient : recipients()) {
    for (const SlotClass slot_class : {SlotClass::kDirect, SlotClass::kAttested}) {
      if (recipient.kind == SlotKind::kPassphrase && slot_class == SlotClass::kAttested) continue;
      const Slot slot = recipient.wrap(slot_class, binding(), key);
      EXPECT_EQ(slot.kind, recipient.kind);
      const auto read = parsed(slot);
      ASSERT_THAT(read, Succeeds()) << to_string(slot.kind);
      EXPECT_EQ(*read, slot);
      EXPECT_TRUE(recipient.finds(slot));
      EXPECT_TRUE(is_key(recipient.open(slot, binding()), key)) << to_string(slot.kind);
    }
  }
}

TEST(Slots, DoNotOpenForAnyoneElse) {
  const auto key = crypto::ContentKey::random();
  for (const Recipient& recipient : recipients()) {
    const Slot slot = recipient.wrap(SlotClass::kDirect, binding(), key);
    for (const Recipient& other : recipients()) {
      if (other.kind == recipient.kind) continue;
      EXPECT_FALSE(other.open(slot, binding()).ok())
          << to_string(slot.kind) << " " << to_string(other.kind);
    }
    for (const Recipient& other : others()) {
      EXPECT_FALSE(other.open(slot, binding()).ok())
          << to_string(slot.kind) << " " << to_string(other.kind);
    }
  }
}

TEST(Slots, DoNotOpenWhenMoved) {
  const auto key = crypto::ContentKey::random();
  for (const Recipient& recipient : recipients()) {
    const Slot slot = recipient.wrap(SlotClass::kDirect, binding(), key);
    Binding uuid = binding();
    uuid.uuid[15] ^= 1;
    Binding content = binding();
    content.content_digest.bytes[31] ^= 1;
    Binding authority = binding();
    authority.authority.bytes[31] ^= 1;
    Binding exchanged = binding();
    std::swap(exchanged.content_digest, exchanged.authority);
    for (const Binding& moved : {uuid, content, authority, exchanged}) {
      EXPECT_THAT(recipient.open(slot, moved), Fails(ErrorCode::kKeyUnavailable))
          << to_string(slot.kind);
    }
  }
}

// A direct slot must not pass for an attested one, which a policy admits.
TEST(Slots, DoNotOpenAsAnotherClass) {
  const auto key = crypto::ContentKey::random();
  for (const Recipient& recipient : recipients()) {
    Slot slot = recipient.wrap(SlotClass::kDirect, binding(), key);
    slot.slot_class = SlotClass::kAttested;
    EXPECT_THAT(recipient.open(slot, binding()), Fails(ErrorCode::kKeyUnavailable));
  }
}

TEST(Slots, DoNotOpenAsAnotherKind) {
  const auto key = crypto::ContentKey::random();
  for (const Recipient& recipient : recipients()) {
    for (unsigned kind = 0; kind < 256; ++kind) {
      Slot slot = recipient.wrap(SlotClass::kDirect, binding(), key);
      if (kind == static_cast<unsigned>(slot.kind)) continue;
      slot.kind = SlotKind{static_cast<std::uint8_t>(kind)};
      EXPECT_THAT(recipient.open(slot, binding()), Fails(ErrorCode::kKeyUnavailable)) << kind;
      if (kind > 6 && recipient.kind == SlotKind::kRsaOaep) break;  // slow, and the same
    }
  }
}

// One wrapping key may be a recipient and come of a passphrase; the slots stay apart.
TEST(Slots, KeepAKeyAndAPassphraseApart) {
  const auto key = crypto::ContentKey::random();
  const auto wrapping = crypto::WrappingKey::random();
  Slot slot = wrap_symmetric(wrapping, SlotClass::kDirect, binding(), key);
  ASSERT_TRUE(is_key(unwrap(slot, binding(), wrapping), key));
  slot.kind = SlotKind::kPassphrase;
  EXPECT_THAT(unwrap(slot, binding(), wrapping), Fails(ErrorCode::kKeyUnavailable));
  slot = wrap_passphrase(wrapping, {}, kPasses, kMemoryKib, binding(), key);
  ASSERT_TRUE(is_key(unwrap(slot, binding(), wrapping), key));
  slot.kind = SlotKind::kAesKwp;
  EXPECT_THAT(unwrap(slot, binding(), wrapping), Fails(ErrorCode::kKeyUnavailable));
}

// Every flipped bit of the message: not a slot, not found by its hint, or not opened.
TEST(Slots, AreLostWhenABitFlips) {
  const auto key = crypto::ContentKey::random();
  for (const Recipient& recipient : recipients()) {
    const Slot slot = recipient.wrap(SlotClass::kDirect, binding(), key);
    bundle::Head head;
    head.slots = {slot};
    const ByteVector message = bundle::serialize_head(head);
    ASSERT_EQ(bundle::parse_head(message)->slots[0], slot);
    const unsigned step = recipient.kind == SlotKind::kRsaOaep ? 8 : 1;
    for (std::size_t bit = 0; bit < message.size() * 8; bit += step) {  // RSA is slow
      const std::size_t byte = bit / 8;
      ByteVector flipped = message;
      flipped[byte] ^= static_cast<std::uint8_t>(1U << (step == 8 ? byte : bit) % 8);
      const auto read = bundle::parse_head(flipped);
      if (!read.ok() || read->slots.size() != 1 || !recipient.finds(read->slots[0])) continue;
      EXPECT_FALSE(recipient.open(read->slots[0], binding()).ok())
          << to_string(slot.kind) << " " << bit;
    }
  }
}

// Nothing says why: that would be an oracle.
TEST(Slots, FailInOneWayOnly) {
  const auto key = crypto::ContentKey::random();
  for (const Recipient& recipient : recipients()) {
    const Slot slot = recipient.wrap(SlotClass::kDirect, binding(), key);
    for (const std::size_t size : {0U, 1U, 16U, 17U, 64U, 72U, 80U, 383U, 385U, 1024U}) {
      Slot resized = slot;
      resized.wrapped.resize(size, 0xaa);
      if (resized.wrapped.size() == slot.wrapped.size()) continue;
      EXPECT_THAT(recipient.open(resized, binding()), Fails(ErrorCode::kKeyUnavailable));
    }
    if (slot.enc.empty()) continue;
    for (const std::size_t size : {0U, 1U, 31U, 33U, 64U, 66U, 133U}) {
      Slot resized = slot;
      resized.enc.resize(size, 0);
      EXPECT_THAT(recipient.open(resized, binding()), Fails(ErrorCode::kKeyUnavailable));
    }
    Slot zero = slot;
    std::fill(zero.enc.begin(), zero.enc.end(), std::uint8_t{0});
    EXPECT_THAT(recipient.open(zero, binding()), Fails(ErrorCode::kKeyUnavailable));
  }
}

TEST(SlotHints, DifferFromSlotToSlotAndFindOnlyTheirRecipient) {
  const auto key = crypto::ContentKey::random();
  for (const Recipient& recipient : recipients()) {
    const Slot a = recipient.wrap(SlotClass::kDirect, binding(), key);
    const Slot b = recipient.wrap(SlotClass::kDirect, binding(), key);
    EXPECT_NE(a.salt, b.salt);
    EXPECT_NE(a.hint, b.hint);
    // AES-KWP is deterministic; the bound digest sets its slots apart from bundle to bundle.
    if (recipient.kind != SlotKind::kAesKwp) {
      EXPECT_NE(a.wrapped, b.wrapped);
    }
    EXPECT_TRUE(recipient.finds(a) && recipient.finds(b));
    for (const Recipient& other : recipients()) {
      EXPECT_EQ(other.finds(a), other.kind == recipient.kind);
    }
    Slot mixed = a;
    mixed.salt = b.salt;
    EXPECT_FALSE(recipient.finds(mixed));
  }
}

TEST(KeyCommitment, BelongsToOneKey) {
  const auto a = crypto::ContentKey::random();
  const auto b = crypto::ContentKey::random();
  EXPECT_EQ(key_commitment(a), key_commitment(a.duplicate()));
  EXPECT_NE(key_commitment(a), key_commitment(b));
  const auto same_bytes =
      crypto::WrappingKey::from(crypto::SecretBytes::copy_of(a.reveal())).value();
  EXPECT_NE(key_commitment(a), symmetric_key_id(same_bytes));
}

}  // namespace
}  // namespace sealpack::slots
