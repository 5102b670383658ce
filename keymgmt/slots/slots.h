// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/bundle/head.h"
#include "keymgmt/crypto/key_wrap.h"

// Wrapping a content key for a recipient and back (FORMAT.md §8). Every kind wraps the key together
// with a digest of what it is for, and checks that digest after unwrapping: a slot moved to another
// bundle, product, class or recipient does not open.
namespace sealpack::slots {

// What a slot is bound to besides its recipient.
struct Binding {
  bundle::Uuid uuid{};
  Digest content_digest;
  Digest authority;
};

Digest key_commitment(const crypto::ContentKey& key);

// Stands for a symmetric key where others have the digest of a public key.
Digest symmetric_key_id(const crypto::WrappingKey& key);

Result<bundle::Slot> wrap_for(const crypto::EncryptionKey& recipient, bundle::SlotClass slot_class,
                              const Binding& binding, const crypto::ContentKey& key);
bundle::Slot wrap_symmetric(const crypto::WrappingKey& recipient, bundle::SlotClass slot_class,
                            const Binding& binding, const crypto::ContentKey& key);
// `derived` comes from the passphrase with the given salt and cost, which the slot records.
bundle::Slot wrap_passphrase(const crypto::WrappingKey& derived,
                             const std::array<std::uint8_t, 16>& salt, std::uint32_t passes,
                             std::uint32_t memory_kib, const Binding& binding,
                             const crypto::ContentKey& key);

// Whether the slot is likely for this recipient (the hint is 8 bytes; only unwrapping tells).
bool hints_at(const bundle::Slot& slot, const Digest& recipient);

// kKeyUnavailable when the slot does not open or was made for something else, never why.
Result<crypto::ContentKey> unwrap(const bundle::Slot& slot, const Binding& binding,
                                  const crypto::Decryptor& recipient);
Result<crypto::ContentKey> unwrap(const bundle::Slot& slot, const Binding& binding,
                                  const crypto::WrappingKey& recipient);

}  // namespace sealpack::slots
