// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/block_source.h"
#include "formats/bundle/content.h"
#include "formats/bundle/limits.h"

namespace sealpack::bundle {

struct Signature {
  Digest key;  // hint: digest of the signer's SPKI, never a source of trust
  ByteVector bytes;
  bool operator==(const Signature&) const = default;
};

// DSSE envelope: signatures are over PAE(type, payload), exact bytes.
struct Envelope {
  std::string payload_type;
  ByteVector payload;
  std::vector<Signature> signatures;  // ascending by key, distinct
  bool operator==(const Envelope&) const = default;
};

enum class SlotKind : std::uint8_t {
  kHpkeX25519 = 1,
  kHpkeP256 = 2,
  kRsaOaep = 3,
  kAesKwp = 4,
  kPassphrase = 5,
};
const char* to_string(SlotKind kind);

// What a holder of the slot's key must still do. A release with measurements admits attested slots
// and the one escrow slot it names.
enum class SlotClass : std::uint8_t {
  kDirect = 1,    // the key alone opens, anywhere
  kAttested = 2,  // the key's holder (a broker, a TPM) demands evidence first
};

// The content key wrapped for one recipient (FORMAT.md §8).
struct Slot {
  SlotKind kind{};
  SlotClass slot_class = SlotClass::kDirect;
  std::array<std::uint8_t, 16> salt{};
  std::array<std::uint8_t, 8> hint{};  // salted digest of the recipient
  ByteVector enc;                      // HPKE encapsulated key, else empty
  ByteVector wrapped;
  std::uint32_t argon2_passes = 0;      // kPassphrase
  std::uint32_t argon2_memory_kib = 0;  // kPassphrase
  bool operator==(const Slot&) const = default;
};

// The part of a bundle that changes after it was built.
struct Head {
  Envelope release;
  std::vector<Slot> slots;
  bool operator==(const Head&) const = default;
};
Result<Head> parse_head(Bytes message);

// Which copy of the head counts. One byte, so that a commit is one indivisible write; any two
// values differ in four bits, so that a flipped bit is never another state.
enum class HeadState : std::uint8_t {
  kA = 0x0f,          // copy A, B all zero
  kAUpdating = 0x33,  // copy A, B is being written or wiped
  kBUpdating = 0x55,  // copy B, A is being written or wiped
  kB = 0x69,          // copy B, A all zero
};

struct HeadLayout {
  std::uint32_t head_size = kMinHeadSize;
  std::uint64_t copy_size() const {
    return (head_size - kAlignment) / (2 * kAlignment) * kAlignment;
  }
  // Offsets in the bundle file.
  std::uint64_t state_offset() const { return kHeadOffset + 24; }
  std::uint64_t copy_offset(bool b) const {
    return kHeadOffset + kAlignment + (b ? copy_size() : 0);
  }
};

struct LoadedHead {
  Head head;
  HeadState state{};
  HeadLayout layout;
  bool updating() const { return state == HeadState::kAUpdating || state == HeadState::kBUpdating; }
  bool in_copy_b() const { return state == HeadState::kB || state == HeadState::kBUpdating; }
};

// Reads the head of a bundle once: preamble, live copy, checksum, and that every other byte is zero
// (but for the other copy while an update is under way). kMalformed; kUnsupported for a newer
// format
// ("needs a newer sealpack"); kIo.
Result<LoadedHead> load_head(const BlockSource& bundle);

// Bytes to write: the first page of the head, and one copy (size word, checksum, message, zeros up
// to copy_size()). kLimit when the message does not fit.
ByteVector head_preamble(std::uint32_t head_size, HeadState state);
Result<ByteVector> head_copy(const HeadLayout& layout, Bytes message);
// The smallest head size whose copies hold a message of `message_size` bytes. kLimit.
Result<std::uint32_t> head_size_for(std::uint64_t message_size);

// A grant: one slot in a file of its own.
struct Grant {
  Uuid uuid{};
  Digest content_digest;
  Slot slot;
  bool operator==(const Grant&) const = default;
};
Result<Grant> parse_grant(Bytes file);

}  // namespace sealpack::bundle
