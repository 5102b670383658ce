// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/bundle/head.h"
#include "formats/bundle/release.h"
#include "keymgmt/slots/slots.h"

namespace sealpack::unpacker {

struct KeyOptions {
  std::vector<std::string> keys;  // KEYREFs, "passphrase:" or "passphrase:FILE"
  std::string passphrase_file;    // for key files and PINs
  std::vector<std::string> grants;
};

// What keys are tried on. The search goes on after kKeyUnavailable and kRefused, ends with any
// other failure, and has found its key with success.
class SlotOpener {
 public:
  virtual ~SlotOpener() = default;
  virtual Status try_slot(const bundle::Slot& slot, const crypto::Decryptor& recipient) = 0;
  virtual Status try_slot(const bundle::Slot& slot, const crypto::WrappingKey& recipient) = 0;
};

// Tries each key on the slots that hint at it, or where none does on all of its kind; slots of
// grants come before those of the bundle. The class of a slot and the role of a key are respected:
// what a broker or a TEE releases to an attested environment does not open here (kRefused).
// kKeyUnavailable says which slots there are, never why one did not open.
Status try_keys(const slots::Binding& binding, const std::vector<bundle::Slot>& slots,
                const KeyOptions& options, SlotOpener& opener);

// "2 direct hpke-x25519, 1 attested hpke-p256"; "none".
std::string describe_slots(const std::vector<bundle::Slot>& slots);
const char* to_string(bundle::SlotClass slot_class);

}  // namespace sealpack::unpacker
