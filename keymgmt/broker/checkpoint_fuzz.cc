// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/checkpoint.h"
#include "keymgmt/crypto/private_key.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const std::string_view text = as_text({data, size});
  static const auto signer =
      crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value().signer().value();
  // No input is signed by this key.
  if (broker::verify_checkpoint(text, {&signer->public_key(), 1}).ok()) die("a forged checkpoint");
  return 0;
}
