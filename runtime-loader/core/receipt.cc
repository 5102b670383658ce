// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/receipt.h"

#include "formats/bundle/limits.h"
#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"
#include "keymgmt/crypto/dsse.h"
#include "runtime-loader/core/labels.h"
#include "runtime-loader/core/names.h"

namespace sealpack::loader {
namespace {

using bundle::MessageReader;
using bundle::MessageWriter;

constexpr std::uint32_t kReceiptVersion = 1;
constexpr std::size_t kMaxKeySize = 1024;
constexpr std::size_t kMaxSignatureSize = 1024;
constexpr std::size_t kMaxNonceSize = 64;

ByteVector serialize_payload(const Receipt& receipt) {
  return MessageWriter()
      .u64(1, kReceiptVersion)
      .digest(2, receipt.release)
      .digest(3, receipt.content)
      .digest(4, receipt.authority)
      .text(5, receipt.product)
      .text(6, receipt.version)
      .u64(7, receipt.counter)
      .text(8, receipt.tee)
      .digest(9, receipt.measurement)
      .digest(10, receipt.launch)
      .text(11, receipt.role)
      .u64(12, receipt.loaded ? 1 : 0)
      .u64(13, receipt.granted_at)
      .u64(14, receipt.answers)
      .bytes(15, receipt.nonce)
      .take();
}

Result<Receipt> parse_payload(Bytes bytes) {
  MessageReader in(bytes, "receipt payload");
  const std::uint32_t version = TRY(in.u32(1, "version of the receipt"));
  if (version != kReceiptVersion) {
    return Error(ErrorCode::kUnsupported,
                 "receipt of version " + std::to_string(version) + ", known is 1");
  }
  Receipt receipt;
  receipt.release = TRY(in.digest(2, "release digest"));
  receipt.content = TRY(in.digest(3, "content digest"));
  receipt.authority = TRY(in.digest(4, "authority"));
  receipt.product = TRY(in.text(5, "product", bundle::kMaxTextSize));
  receipt.version = TRY(in.text(6, "version", bundle::kMaxTextSize));
  receipt.counter = TRY(in.u64(7, "counter"));
  receipt.tee = TRY(in.text(8, "TEE type", kMaxLabelSize));
  receipt.measurement = TRY(in.digest(9, "measurement"));
  receipt.launch = TRY(in.digest(10, "launch digest"));
  receipt.role = TRY(in.text(11, "role", kMaxLabelSize));
  const std::uint32_t loaded = TRY(in.u32(12, "loaded"));
  receipt.granted_at = TRY(in.u64(13, "time of the grant"));
  receipt.answers = TRY(in.u64(14, "answers"));
  receipt.nonce = to_vector(TRY(in.bytes(15, "nonce", kMaxNonceSize)));
  TRY(in.finish());
  if (loaded > 1) return in.malformed("loaded is neither yes nor no");
  receipt.loaded = loaded == 1;
  return receipt;
}

}  // namespace

ByteVector serialize_receipt(const SignedReceipt& receipt) {
  return MessageWriter()
      .bytes(1, receipt.payload)
      .bytes(2, receipt.signature)
      .bytes(3, receipt.key)
      .take();
}

Result<SignedReceipt> parse_receipt(Bytes bytes) {
  if (bytes.size() > kMaxReceiptSize) {
    return Error(ErrorCode::kLimit, "receipt of " + std::to_string(bytes.size()) + " bytes");
  }
  MessageReader in(bytes, "receipt");
  SignedReceipt receipt;
  receipt.payload = to_vector(TRY(in.bytes(1, "payload", kMaxReceiptSize)));
  receipt.signature = to_vector(TRY(in.bytes(2, "signature", kMaxSignatureSize)));
  receipt.key = to_vector(TRY(in.bytes(3, "key", kMaxKeySize)));
  TRY(in.finish());
  if (receipt.payload.empty() || receipt.signature.empty() || receipt.key.empty()) {
    return in.malformed("a receipt has a payload, a signature and a key");
  }
  return receipt;
}

Result<SignedReceipt> sign_receipt(const Receipt& receipt, const crypto::Signer& tee_key) {
  if (receipt.nonce.size() > kMaxNonceSize) {
    return Error(ErrorCode::kUsage,
                 "a nonce of " + std::to_string(receipt.nonce.size()) + " bytes, at most 64");
  }
  SignedReceipt out;
  out.payload = serialize_payload(receipt);
  out.signature = TRY(tee_key.sign(crypto::dsse_pae(kReceiptType, out.payload)));
  out.key = to_vector(tee_key.public_key().spki());
  return out;
}

Result<Receipt> verify_receipt(const SignedReceipt& receipt, const crypto::VerifyingKey& tee_key) {
  TRY(tee_key.verify(crypto::dsse_pae(kReceiptType, receipt.payload), receipt.signature)
          .within("receipt"));
  if (receipt.key != to_vector(tee_key.spki())) {
    return Error(ErrorCode::kNotAuthentic,
                 "receipt: it names another key than the one that signed");
  }
  return parse_payload(receipt.payload);
}

}  // namespace sealpack::loader
