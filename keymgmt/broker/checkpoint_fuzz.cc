// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/base64.h"
#include "keymgmt/broker/checkpoint.h"
#include "keymgmt/crypto/private_key.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const std::string_view text = as_text({data, size});
  static const auto signer =
      crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value().signer().value();
  // No input is signed by this key.
  if (broker::verify_checkpoint(text, {&signer->public_key(), 1}).ok()) die("a forged checkpoint");
  // The same bytes as the body of a note of ours: signed is not yet well-formed.
  const auto bytes = broker::from_base64(text);
  if (bytes.ok() && broker::to_base64(*bytes) != text) die("base64 has two texts");
  return 0;
}
