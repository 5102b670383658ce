// SPDX-License-Identifier: Apache-2.0
// Requests, grants and receipts: what the two sides of a key exchange and an outsider parse.
#include "keymgmt/crypto/private_key.h"
#include "runtime-loader/core/grant.h"
#include "runtime-loader/core/receipt.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const Bytes input(data, size);
  const auto request = loader::parse_key_request(input);
  if (request.ok() && loader::serialize_key_request(*request) != to_vector(input)) {
    die("a key request has two encodings");
  }
  const auto receipt = loader::parse_receipt(input);
  if (receipt.ok() && loader::serialize_receipt(*receipt) != to_vector(input)) {
    die("a receipt has two encodings");
  }
  const auto grant = loader::parse_key_grant(input);
  if (!grant.ok()) return 0;
  if (loader::serialize_key_grant(*grant) != to_vector(input)) die("a grant has two encodings");
  // The payload of an unsigned grant is parsed too; no input is a grant for this key.
  static const auto key =
      crypto::PrivateKey::generate(crypto::KeyType::kX25519).value().decryptor().value();
  if (loader::open_key_grant(*grant, {}, *key, std::nullopt).ok()) die("a grant out of thin air");
  return 0;
}
