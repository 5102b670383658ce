// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/slots/slots.h"
#include "runtime-loader/core/grant.h"
#include "tests/runtime-loader/capi/capi_testing.h"

// A bundle that is to be unlocked through the C interface.
namespace sealpack::testing {

class Unlocking : public ::testing::Test {
 protected:
  // A bundle with other slots, made by `slots` from its binding.
  using MakeSlots = std::function<std::vector<bundle::Slot>(const slots::Binding&)>;
  void use(const MakeSlots& make_slots, const std::function<void(bundle::Release&)>& edit = {}) {
    Recipe recipe = model_.recipe();
    if (edit) recipe.edit_release = edit;
    TestBundle made = build(keys_, recipe);
    binding_ = {made.content.uuid, made.release.content_digest, made.content.authority};
    if (make_slots) made.head.slots = make_slots(binding_);
    memory_.bytes = with_head(made.bytes(), made.head);
  }
  void open(sealpack_session_options options = SEALPACK_INIT(sealpack_session_options)) {
    session_ = session_with(options, trust_.get());
    bundle_ = open_in(session_.get(), memory_);
  }
  bool reads() {
    ByteVector out(100);
    return sealpack_file_pread(bundle_.get(), 1, 0, out.data(), out.size(), nullptr) == SEALPACK_OK;
  }
  bundle::Slot slot_for(const crypto::PrivateKey& key, bundle::SlotClass slot_class,
                        const slots::Binding& binding) const {
    return slots::wrap_for(crypto::EncryptionKey::from_spki(key.spki()).value(), slot_class,
                           binding, keys_.content)
        .value();
  }

  TestModel model_;
  TestKeys keys_ = make_keys();
  slots::Binding binding_;
  MemoryBundle memory_;
  Owned<sealpack_trust> trust_ = trust_for(keys_);
  Owned<sealpack_session> session_;
  Owned<sealpack_bundle> bundle_;
};

// Somebody who holds the content key and seals it to whoever asks.
struct Supervisor {
  const TestKeys* keys = nullptr;
  const crypto::Signer* broker = nullptr;
  loader::GrantFacts facts;
  std::function<void(loader::KeyRequest&)> edit = [](auto&) {};
  int fail_with = 0;

  sealpack_key_source source() {
    sealpack_key_source source = SEALPACK_INIT(sealpack_key_source);
    source.context = this;
    source.grant = [](void* context, const void* request, std::size_t size, void* grant,
                      std::size_t capacity) -> std::int64_t {
      auto* self = static_cast<Supervisor*>(context);
      if (self->fail_with != 0) return -self->fail_with;
      auto parsed =
          loader::parse_key_request({static_cast<const std::uint8_t*>(request), size}).value();
      self->edit(parsed);
      const ByteVector made = loader::serialize_key_grant(
          loader::make_key_grant(parsed, self->keys->content, self->facts, self->broker).value());
      EXPECT_LE(made.size(), capacity);
      std::copy(made.begin(), made.end(), static_cast<std::uint8_t*>(grant));
      return static_cast<std::int64_t>(made.size());
    };
    return source;
  }
};

}  // namespace sealpack::testing
