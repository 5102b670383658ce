// SPDX-License-Identifier: Apache-2.0
// Key files: whatever is accepted is the one text of its content.
#include "keymgmt/keystore/key_file.h"
#include "keymgmt/keystore/pem.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const std::string_view text = as_text({data, size});
  const auto key = keystore::parse_public_key(text, keystore::Role::kAuthority);
  if (key.ok() && text.starts_with("sealpack-key")) {
    const auto again = keystore::serialize_public_key(key->role, key->name, key->spki);
    if (!again.ok() || *again != text) die("a public key file has two texts");
  }
  const auto private_text = keystore::parse_private_key_text(text);
  if (private_text.ok()) {
    const keystore::PemBlock block{private_text->label, private_text->body, private_text->size};
    ByteVector content(block.size);
    if (keystore::decode_pem(block, content).ok()) {
      ByteVector again(keystore::pem_size(block.label, content.size()));
      keystore::encode_pem(block.label, content, again);
      if (!text.ends_with(as_text(again))) die("a PEM block has two texts");
    }
  }
  return 0;
}
