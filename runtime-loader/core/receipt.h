// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "keymgmt/crypto/signature.h"

namespace sealpack::loader {

inline constexpr std::uint64_t kMaxReceiptSize = 16U << 10U;

// What a TEE says it opened (docs/LOADER-FORMATS.md §4).
struct Receipt {
  Digest release;
  Digest content;
  std::string product;
  std::string version;
  std::uint64_t counter = 0;
  std::string tee;
  Digest measurement;
  Digest launch;  // digest of the launch configuration
  Digest authority;
  std::string role;              // of the bundle in the session
  bool loaded = false;           // a model of it is ready to run, not only its key there
  std::uint64_t granted_at = 0;  // Unix seconds of the grant; 0: the key came by a slot
  std::uint64_t answers = 0;     // given so far
  ByteVector nonce;              // of whoever asked, at most 64 bytes
  bool operator==(const Receipt&) const = default;
};

struct SignedReceipt {
  ByteVector payload;  // as it was signed
  ByteVector signature;
  ByteVector key;  // SPKI of the key born in the TEE: proves nothing unless evidence vouches for it
  bool operator==(const SignedReceipt&) const = default;
};
ByteVector serialize_receipt(const SignedReceipt& receipt);
Result<SignedReceipt> parse_receipt(Bytes bytes);

Result<SignedReceipt> sign_receipt(const Receipt& receipt, const crypto::Signer& tee_key);

// The receipt, if `tee_key` signed it. Where `tee_key` comes from is the caller's affair: evidence,
// or a TEE that the caller launched itself. kNotAuthentic, kMalformed.
Result<Receipt> verify_receipt(const SignedReceipt& receipt, const crypto::VerifyingKey& tee_key);

}  // namespace sealpack::loader
