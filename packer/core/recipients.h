// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <variant>

#include "formats/bundle/head.h"
#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/slots/slots.h"

namespace sealpack::packer {

// A key derived from a passphrase, with what a slot must record to derive it again.
struct PassphraseKey {
  crypto::WrappingKey key;
  std::array<std::uint8_t, 16> salt{};
  std::uint32_t passes = 0;
  std::uint32_t memory_kib = 0;
};

// Somebody who shall open the bundle.
struct Recipient {
  std::variant<crypto::EncryptionKey, crypto::WrappingKey, PassphraseKey> key;
  bundle::SlotClass slot_class = bundle::SlotClass::kDirect;
  std::string label;       // for messages: the file it came from
  bool is_escrow = false;  // the vendor's own way back in
};

// The reason that a release gives for its escrow when the vendor gives none.
inline constexpr std::string_view kEscrowReason = "kept by the vendor to recover the model";

// Digest that a slot's hint is made from.
Digest recipient_id(const Recipient& recipient);

Result<bundle::Slot> wrap_slot(const Recipient& recipient, const slots::Binding& binding,
                               const crypto::ContentKey& key);

// An upper bound of the slot's encoded size, known before there is anything to wrap.
std::uint64_t slot_size_bound(const Recipient& recipient);

}  // namespace sealpack::packer
