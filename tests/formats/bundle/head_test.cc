// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/head.h"

#include "formats/bundle/encode.h"
#include "keymgmt/crypto/sha256.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/test_bundle.h"

namespace sealpack::bundle {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;

Slot slot(SlotKind kind) {
  Slot slot;
  slot.kind = kind;
  const bool hpke = kind == SlotKind::kHpkeX25519 || kind == SlotKind::kHpkeP256;
  slot.wrapped.assign(hpke ? 80 : kind == SlotKind::kRsaOaep ? 384 : 72, 7);
  if (hpke) slot.enc.assign(kind == SlotKind::kHpkeX25519 ? 32 : 65, 9);
  if (kind == SlotKind::kPassphrase) slot.argon2_passes = slot.argon2_memory_kib = 8;
  return slot;
}

Head valid() {
  Head head;
  head.release.payload_type = "type";
  head.release.payload = {1, 2};
  head.release.signatures = {{Digest{{1}}, {7}}, {Digest{{2}}, {8, 9}}};
  for (const SlotKind kind : {SlotKind::kHpkeX25519, SlotKind::kHpkeP256, SlotKind::kRsaOaep,
                              SlotKind::kAesKwp, SlotKind::kPassphrase}) {
    head.slots.push_back(slot(kind));
  }
  head.slots[0].slot_class = SlotClass::kAttested;
  return head;
}

struct Refusal {
  const char* why;
  std::function<void(Head&)> edit;
};

void expect_refusals(const std::vector<Refusal>& refusals) {
  for (const Refusal& refusal : refusals) {
    Head head = valid();
    refusal.edit(head);
    EXPECT_THAT(parse_head(serialize_head(head)),
                FailsWith(ErrorCode::kMalformed, HasSubstr(refusal.why)))
        << refusal.why;
  }
}

TEST(Head, ComesBackAsItWasWritten) {
  const auto parsed = parse_head(serialize_head(valid()));
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(*parsed, valid());
}

TEST(Head, RefusesEveryTruncationInsideAField) {
  const ByteVector bytes = serialize_head(valid());
  std::vector<std::size_t> complete;
  for (Head head = valid();; head.slots.pop_back()) {
    complete.push_back(serialize_head(head).size());
    if (head.slots.empty()) break;
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(parse_head(Bytes(bytes).first(size)).ok(),
              std::find(complete.begin(), complete.end(), size) != complete.end())
        << size;
  }
}

TEST(Head, HasOneEncoding) {
  const ByteVector bytes = serialize_head(valid());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    ByteVector flipped = bytes;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto parsed = parse_head(flipped);
    if (!parsed.ok()) continue;
    EXPECT_NE(*parsed, valid()) << bit;
    EXPECT_TRUE(serialize_head(*parsed) == flipped) << bit;
  }
}

TEST(Head, RefusesBadEnvelopes) {
  expect_refusals({
      {"signatures are not ascending",
       [](Head& h) { std::swap(h.release.signatures[0], h.release.signatures[1]); }},
      {"signatures are not ascending",
       [](Head& h) { h.release.signatures.push_back(h.release.signatures[1]); }},
      {"signatures are not ascending",  // the same key with another signature
       [](Head& h) { h.release.signatures[0].key = h.release.signatures[1].key; }},
      {"too many signatures",
       [](Head& h) {
         h.release.signatures.clear();
         for (unsigned i = 0; i <= kMaxSignatures; ++i) {
           h.release.signatures.push_back({Digest{{static_cast<std::uint8_t>(i)}}, {1}});
         }
       }},
      {"payload type has 257", [](Head& h) { h.release.payload_type.assign(257, 't'); }},
      {"payload type is not UTF-8", [](Head& h) { h.release.payload_type = "\xfe"; }},
      {"payload has 1048577", [](Head& h) { h.release.payload.assign(kMaxReleaseSize + 1, 1); }},
      {"signature bytes has 1025", [](Head& h) { h.release.signatures[0].bytes.assign(1025, 1); }},
  });
  EXPECT_THAT(parse_head({}), FailsWith(ErrorCode::kMalformed, HasSubstr("envelope is missing")));
}

TEST(Head, RefusesSlotsWhoseFieldsDoNotFitTheirKind) {
  const auto with = [](SlotKind kind, auto edit) {
    return Refusal{"do not fit its kind", [kind, edit](Head& h) {
                     h.slots = {slot(kind)};
                     edit(h.slots[0]);
                   }};
  };
  const auto no_enc = [](Slot& s) { s.enc.clear(); };
  const auto add_enc = [](Slot& s) { s.enc = {1}; };
  const auto no_wrapped = [](Slot& s) { s.wrapped.clear(); };
  const auto short_enc = [](Slot& s) { s.enc.pop_back(); };
  const auto long_enc = [](Slot& s) { s.enc.push_back(1); };
  const auto short_wrapped = [](Slot& s) {
    s.wrapped.resize(s.wrapped.size() == 384 ? 255 : s.wrapped.size() - 1);
  };
  const auto long_wrapped = [](Slot& s) {
    s.wrapped.resize(s.wrapped.size() == 384 ? 513 : s.wrapped.size() + 1, 1);
  };
  const auto attested = [](Slot& s) { s.slot_class = SlotClass::kAttested; };
  const auto add_passes = [](Slot& s) { s.argon2_passes ^= 8; };
  const auto add_memory = [](Slot& s) { s.argon2_memory_kib ^= 8; };
  expect_refusals({with(SlotKind::kHpkeX25519, no_enc), with(SlotKind::kHpkeP256, no_enc),
                   with(SlotKind::kRsaOaep, add_enc), with(SlotKind::kAesKwp, add_enc),
                   with(SlotKind::kPassphrase, add_enc), with(SlotKind::kPassphrase, attested),
                   with(SlotKind::kHpkeX25519, short_enc), with(SlotKind::kHpkeX25519, long_enc),
                   with(SlotKind::kHpkeP256, short_enc), with(SlotKind::kHpkeP256, long_enc)});
  for (const Slot& any : valid().slots) {
    expect_refusals({with(any.kind, no_wrapped), with(any.kind, add_passes),
                     with(any.kind, add_memory), with(any.kind, short_wrapped),
                     with(any.kind, long_wrapped)});
  }
}

TEST(Head, RefusesImpossibleSlots) {
  expect_refusals({
      {"unknown kind of slot 0", [](Head& h) { h.slots[0].kind = SlotKind{0}; }},
      {"unknown kind of slot 6", [](Head& h) { h.slots[0].kind = SlotKind{6}; }},
      {"unknown slot class", [](Head& h) { h.slots[0].slot_class = SlotClass{0}; }},
      {"unknown slot class", [](Head& h) { h.slots[0].slot_class = SlotClass{3}; }},
      {"encapsulated key has 134", [](Head& h) { h.slots[0].enc.assign(134, 1); }},
      {"wrapped key has 1025", [](Head& h) { h.slots[0].wrapped.assign(1025, 1); }},
  });
}

// Before anybody derives a key: a head must not be able to exhaust memory.
TEST(Head, RefusesPassphrasesThatCostTooMuch) {
  Head head = valid();
  head.slots = {slot(SlotKind::kPassphrase)};
  head.slots[0].argon2_passes = kMaxArgon2Passes;
  head.slots[0].argon2_memory_kib = kMaxArgon2MemoryKib;
  EXPECT_THAT(parse_head(serialize_head(head)), Succeeds());
  head.slots[0].argon2_passes += 1;
  EXPECT_THAT(parse_head(serialize_head(head)), Fails(ErrorCode::kLimit));
  head.slots[0].argon2_passes = 1;
  head.slots[0].argon2_memory_kib += 1;
  EXPECT_THAT(parse_head(serialize_head(head)), Fails(ErrorCode::kLimit));
  // Too little is no Argon2: found at once, not when somebody tries a passphrase.
  head.slots[0].argon2_memory_kib = kMinArgon2MemoryKib - 1;
  EXPECT_THAT(parse_head(serialize_head(head)), Fails(ErrorCode::kMalformed));
}

TEST(Head, BoundsTheNumberOfSlots) {
  Head head = valid();
  head.slots.clear();
  const std::size_t envelope = serialize_head(head).size();
  head.slots = {slot(SlotKind::kAesKwp)};
  ByteVector message = serialize_head(head);
  const ByteVector one(message.begin() + static_cast<std::ptrdiff_t>(envelope), message.end());
  message.reserve(message.size() + kMaxSlots * one.size());
  for (std::size_t i = 1; i < kMaxSlots; ++i) message.insert(message.end(), one.begin(), one.end());
  EXPECT_THAT(parse_head(message), Succeeds());
  message.insert(message.end(), one.begin(), one.end());
  EXPECT_THAT(parse_head(message), Fails(ErrorCode::kLimit));
}

Grant valid_grant() {
  return {Uuid{3}, Digest{{4}}, slot(SlotKind::kHpkeX25519)};
}

TEST(Grant, ComesBackAsItWasWritten) {
  const auto parsed = parse_grant(serialize_grant(valid_grant()));
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(*parsed, valid_grant());
}

TEST(Grant, RefusesEveryTruncationFlipAndAddition) {
  const ByteVector file = serialize_grant(valid_grant());
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(parse_grant(Bytes(file).first(size)).ok()) << size;
  }
  for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
    ByteVector flipped = file;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(parse_grant(flipped).ok()) << bit;
  }
  ByteVector longer = file;
  longer.push_back(0);
  EXPECT_THAT(parse_grant(longer), Fails(ErrorCode::kNotAuthentic));
  longer.resize(kMaxGrantSize + 1);
  EXPECT_THAT(parse_grant(longer), Fails(ErrorCode::kLimit));
}

TEST(Grant, SaysWhatItIsNot) {
  ByteVector file = serialize_grant(valid_grant());
  file[16] = 2;
  EXPECT_THAT(parse_grant(file), FailsWith(ErrorCode::kUnsupported, HasSubstr("format 2")));
  file[16] = 0;
  EXPECT_THAT(parse_grant(file), FailsWith(ErrorCode::kMalformed, HasSubstr("impossible format")));
  file[0] = 'S';
  EXPECT_THAT(parse_grant(file), FailsWith(ErrorCode::kMalformed, HasSubstr("not a sealpack")));
}

// The checksum is no secret: what lies behind it is judged on its own.
TEST(Grant, RefusesBadMessagesWithAGoodChecksum) {
  const ByteVector file = serialize_grant(valid_grant());
  const auto with_message = [&](ByteVector message) {
    ByteVector forged(file.begin(), file.begin() + 20);
    const Digest checksum = crypto::sha256(message);
    forged.insert(forged.end(), checksum.bytes.begin(), checksum.bytes.end());
    forged.insert(forged.end(), message.begin(), message.end());
    return parse_grant(forged);
  };
  const ByteVector message(file.begin() + 52, file.end());
  ASSERT_THAT(with_message(message), Succeeds());
  for (std::size_t size = 0; size < message.size(); ++size) {
    EXPECT_THAT(
        with_message({message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size)}),
        Fails(ErrorCode::kMalformed));
  }
  ByteVector longer = message;
  longer.insert(longer.end(), {0x20, 1});
  EXPECT_THAT(with_message(longer), FailsWith(ErrorCode::kMalformed, HasSubstr("left over")));
}

TEST(SlotKind, HasAName) {
  EXPECT_STREQ(to_string(SlotKind::kHpkeX25519), "hpke-x25519");
  EXPECT_STREQ(to_string(SlotKind::kPassphrase), "passphrase");
  EXPECT_STREQ(to_string(SlotKind{0}), "unknown");
}

}  // namespace
}  // namespace sealpack::bundle
