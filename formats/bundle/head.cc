// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/head.h"

#include <algorithm>

#include "formats/bundle/labels.h"
#include "formats/bundle/message_reader.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::bundle {
namespace {

constexpr std::string_view kHeadMagic("sealpack bundle\0", 16);
constexpr std::string_view kGrantMagic("sealpack grant\0\0", 16);
constexpr std::uint64_t kCopyHeader = 4 + Digest::kSize;  // size of the message, checksum
constexpr std::uint64_t kMaxWrapped = 1024;

void append_u32(ByteVector& out, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

Result<Signature> parse_signature(Bytes message) {
  MessageReader in(message, "signature");
  Signature signature;
  signature.key = TRY(in.digest(1, "key digest"));
  signature.bytes = to_vector(TRY(in.bytes(2, "signature bytes", kMaxWrapped)));
  TRY(in.finish());
  return signature;
}

Result<Envelope> parse_envelope(Bytes message) {
  MessageReader in(message, "release envelope");
  Envelope envelope;
  envelope.payload_type = TRY(in.text(1, "payload type", 256));
  envelope.payload = to_vector(TRY(in.bytes(2, "payload", kMaxReleaseSize)));
  while (TRY(in.at(3))) {
    Signature signature = TRY(parse_signature(TRY(in.element(3, "signature"))));
    if (envelope.signatures.size() == kMaxSignatures) return in.malformed("too many signatures");
    // One signature a key: a threshold must not be met by one key twice.
    if (!envelope.signatures.empty() && !(envelope.signatures.back().key < signature.key)) {
      return in.malformed("signatures are not ascending by key");
    }
    envelope.signatures.push_back(std::move(signature));
  }
  TRY(in.finish());
  return envelope;
}

Result<SlotKind> parse_slot_kind(std::uint32_t kind) {
  switch (kind) {
    case 1:
      return SlotKind::kHpkeX25519;
    case 2:
      return SlotKind::kHpkeP256;
    case 3:
      return SlotKind::kRsaOaep;
    case 4:
      return SlotKind::kAesKwp;
    case 5:
      return SlotKind::kPassphrase;
    default:
      return Error(ErrorCode::kMalformed, "unknown kind of slot " + std::to_string(kind));
  }
}

// FORMAT.md §8.1: each kind has its sizes, and a passphrase, which nobody attests, is never an
// attested slot.
Status check_slot(const Slot& slot) {
  const auto sizes_fit = [&] {
    switch (slot.kind) {
      case SlotKind::kHpkeX25519:
        return slot.enc.size() == 32 && slot.wrapped.size() == 80;
      case SlotKind::kHpkeP256:
        return slot.enc.size() == 65 && slot.wrapped.size() == 80;
      case SlotKind::kRsaOaep:
        return slot.enc.empty() && slot.wrapped.size() >= 256 && slot.wrapped.size() <= 512;
      case SlotKind::kAesKwp:
      case SlotKind::kPassphrase:
        return slot.enc.empty() && slot.wrapped.size() == 72;
    }
    return false;
  };
  const bool passphrase = slot.kind == SlotKind::kPassphrase;
  const bool has_cost = slot.argon2_passes != 0 && slot.argon2_memory_kib >= kMinArgon2MemoryKib;
  const bool no_cost = slot.argon2_passes == 0 && slot.argon2_memory_kib == 0;
  if (!sizes_fit() || !(passphrase ? has_cost : no_cost) ||
      (passphrase && slot.slot_class != SlotClass::kDirect)) {
    return Error(ErrorCode::kMalformed, "slot: fields do not fit its kind");
  }
  if (slot.argon2_passes > kMaxArgon2Passes || slot.argon2_memory_kib > kMaxArgon2MemoryKib) {
    return Error(ErrorCode::kLimit, "slot: its passphrase would cost too much to try");
  }
  return done();
}

Result<Slot> parse_slot(Bytes message) {
  MessageReader in(message, "slot");
  Slot slot;
  slot.kind = TRY(parse_slot_kind(TRY(in.u32(1, "slot kind"))));
  switch (TRY(in.u32(2, "slot class"))) {
    case 1:
      slot.slot_class = SlotClass::kDirect;
      break;
    case 2:
      slot.slot_class = SlotClass::kAttested;
      break;
    default:
      return in.malformed("unknown slot class");
  }
  slot.salt = TRY(in.array<16>(3, "slot salt"));
  slot.hint = TRY(in.array<8>(4, "slot hint"));
  slot.enc = to_vector(TRY(in.bytes(5, "encapsulated key", 133)));
  slot.wrapped = to_vector(TRY(in.bytes(6, "wrapped key", kMaxWrapped)));
  slot.argon2_passes = TRY(in.u32(7, "Argon2 passes"));
  slot.argon2_memory_kib = TRY(in.u32(8, "Argon2 memory"));
  TRY(in.finish());

  TRY(check_slot(slot));
  return slot;
}

bool all_zero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

Result<HeadState> parse_state(std::uint8_t state) {
  switch (state) {
    case 0x0f:
      return HeadState::kA;
    case 0x33:
      return HeadState::kAUpdating;
    case 0x55:
      return HeadState::kBUpdating;
    case 0x69:
      return HeadState::kB;
    default:
      return Error(ErrorCode::kMalformed, "head: impossible state");
  }
}

Error newer_format(std::uint32_t format) {
  return Error(ErrorCode::kUnsupported, "this is format " + std::to_string(format) +
                                            ", this sealpack reads format " +
                                            std::to_string(kFormat))
      .with_hint("it needs a newer sealpack");
}

struct Preamble {
  HeadLayout layout;
  HeadState state{};
};

Result<Preamble> load_preamble(const BlockSource& bundle) {
  if (bundle.size() < kHeadOffset + kAlignment) {
    return Error(ErrorCode::kMalformed, "not a sealpack bundle, or the very beginning of one");
  }
  std::array<std::uint8_t, kAlignment> page;
  TRY(bundle.read_at(kHeadOffset, page));
  ByteReader in(page, "head");
  const auto magic = TRY(in.array<16>("magic"));
  if (as_text(magic) != kHeadMagic) {
    return Error(ErrorCode::kMalformed, "not a sealpack bundle: no magic at byte 4096");
  }
  const std::uint32_t format = TRY(in.u32("format"));
  if (format > kFormat) return newer_format(format);
  if (format != kFormat) return in.malformed("impossible format");
  Preamble preamble;
  const std::uint32_t size = TRY(in.u32("head size"));
  if (size < kMinHeadSize || size > kMaxHeadSize || (size & (size - 1)) != 0 ||
      bundle.size() - kHeadOffset < size) {
    return in.malformed("impossible head size " + std::to_string(size));
  }
  preamble.layout.head_size = size;
  preamble.state = TRY(parse_state(TRY(in.u8("state"))));
  if (!all_zero(TRY(in.bytes(in.remaining(), "padding")))) {
    return in.malformed("padding is not zero");
  }
  return preamble;
}

// Reads `size` bytes at `offset` in pieces and refuses any that is not zero.
Status check_zero(const BlockSource& bundle, std::uint64_t offset, std::uint64_t size) {
  std::array<std::uint8_t, kAlignment> page;
  while (size != 0) {
    const MutableBytes piece = MutableBytes(page).first(std::min<std::uint64_t>(size, page.size()));
    TRY(bundle.read_at(offset, piece));
    if (!all_zero(piece)) {
      return Error(ErrorCode::kMalformed, "head: bytes that must be zero are not");
    }
    offset += piece.size();
    size -= piece.size();
  }
  return done();
}

}  // namespace

const char* to_string(SlotKind kind) {
  switch (kind) {
    case SlotKind::kHpkeX25519:
      return "hpke-x25519";
    case SlotKind::kHpkeP256:
      return "hpke-p256";
    case SlotKind::kRsaOaep:
      return "rsa-oaep";
    case SlotKind::kAesKwp:
      return "aes-kwp";
    case SlotKind::kPassphrase:
      return "passphrase";
  }
  return "unknown";
}

Result<Head> parse_head(Bytes message) {
  MessageReader in(message, "head");
  Head head;
  head.release = TRY(parse_envelope(TRY(in.element(1, "release envelope"))));
  while (TRY(in.at(2))) {
    if (head.slots.size() == kMaxSlots) return Error(ErrorCode::kLimit, "too many slots");
    head.slots.push_back(TRY(parse_slot(TRY(in.element(2, "slot")))));
  }
  TRY(in.finish());
  return head;
}

namespace {

Result<LoadedHead> load_copy(const BlockSource& bundle, const Preamble& preamble) {
  LoadedHead loaded;
  loaded.layout = preamble.layout;
  loaded.state = preamble.state;
  const std::uint64_t copy_size = loaded.layout.copy_size();
  const std::uint64_t live = loaded.layout.copy_offset(loaded.in_copy_b());

  std::array<std::uint8_t, kCopyHeader> copy_header;
  TRY(bundle.read_at(live, copy_header));
  ByteReader in(copy_header, "head");
  const std::uint32_t size = TRY(in.u32("message size"));
  const auto checksum = TRY(in.array<Digest::kSize>("checksum"));
  if (size > copy_size - kCopyHeader) return in.malformed("message runs past its copy");
  ByteVector message(size);
  TRY(bundle.read_at(live + kCopyHeader, message));
  if (crypto::sha256(message).bytes != checksum) {
    return Error(ErrorCode::kNotAuthentic, "head: the checksum does not match its bytes");
  }
  TRY(check_zero(bundle, live + kCopyHeader + size, copy_size - kCopyHeader - size));
  // While an update is under way the other copy is whatever a crash left.
  if (!loaded.updating()) {
    TRY(check_zero(bundle, loaded.layout.copy_offset(!loaded.in_copy_b()), copy_size));
  }
  const std::uint64_t tail = kHeadOffset + kAlignment + 2 * copy_size;
  TRY(check_zero(bundle, tail, kHeadOffset + loaded.layout.head_size - tail));
  loaded.head = TRY(parse_head(message));
  return loaded;
}

}  // namespace

Result<LoadedHead> load_head(const BlockSource& bundle) {
  // An update by another process moves through four states; meeting one of them half-way is no
  // damage, so a failure counts only when the state stood still.
  constexpr int kAttempts = 5;
  for (int attempt = 1;; ++attempt) {
    const Preamble preamble = TRY(load_preamble(bundle));
    Result<LoadedHead> loaded = load_copy(bundle, preamble);
    if (loaded.ok() || attempt == kAttempts) return loaded;
    const Preamble again = TRY(load_preamble(bundle));
    if (again.state == preamble.state) return loaded;
  }
}

ByteVector head_preamble(std::uint32_t head_size, HeadState state) {
  ByteVector page = to_vector(as_bytes(kHeadMagic));
  append_u32(page, kFormat);
  append_u32(page, head_size);
  page.push_back(static_cast<std::uint8_t>(state));
  page.resize(kAlignment);
  return page;
}

Result<ByteVector> head_copy(const HeadLayout& layout, Bytes message) {
  if (message.size() > layout.copy_size() - kCopyHeader) {
    return Error(ErrorCode::kLimit,
                 "the head holds " + std::to_string(layout.copy_size() - kCopyHeader) +
                     " bytes of release and slots, this needs " + std::to_string(message.size()))
        .with_hint("write grants instead (sealpack grant), or reseal with --out");
  }
  ByteVector copy;
  append_u32(copy, static_cast<std::uint32_t>(message.size()));
  const Digest checksum = crypto::sha256(message);
  copy.insert(copy.end(), checksum.bytes.begin(), checksum.bytes.end());
  copy.insert(copy.end(), message.begin(), message.end());
  copy.resize(static_cast<std::size_t>(layout.copy_size()));
  return copy;
}

Result<std::uint32_t> head_size_for(std::uint64_t message_size) {
  HeadLayout layout;
  while (layout.copy_size() - kCopyHeader < message_size) {
    if (layout.head_size == kMaxHeadSize) {
      return Error(ErrorCode::kLimit, "release and slots need " + std::to_string(message_size) +
                                          " bytes, more than the largest head holds")
          .with_hint("give the other recipients grants (sealpack grant)");
    }
    layout.head_size *= 2;
  }
  return layout.head_size;
}

Result<Grant> parse_grant(Bytes file) {
  if (file.size() > kMaxGrantSize) return Error(ErrorCode::kLimit, "grant: file too large");
  ByteReader in(file, "grant");
  const auto magic = TRY(in.array<16>("magic"));
  if (as_text(magic) != kGrantMagic) return Error(ErrorCode::kMalformed, "not a sealpack grant");
  const std::uint32_t format = TRY(in.u32("format"));
  if (format > kFormat) return newer_format(format);
  if (format != kFormat) return in.malformed("impossible format");
  const auto checksum = TRY(in.array<Digest::kSize>("checksum"));
  const Bytes message = TRY(in.bytes(in.remaining(), "message"));
  if (crypto::sha256(message).bytes != checksum) {
    return Error(ErrorCode::kNotAuthentic, "grant: the checksum does not match its bytes");
  }
  MessageReader fields(message, "grant");
  Grant grant;
  grant.uuid = TRY(fields.array<16>(1, "uuid"));
  grant.content_digest = TRY(fields.digest(2, "content digest"));
  grant.slot = TRY(parse_slot(TRY(fields.element(3, "slot"))));
  TRY(fields.finish());
  return grant;
}

}  // namespace sealpack::bundle
