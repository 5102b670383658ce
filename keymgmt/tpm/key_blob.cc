// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/tpm/key_blob.h"

#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"

namespace sealpack::tpm {
namespace {

using bundle::MessageReader;
using bundle::MessageWriter;

constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kMaxPart = 2048;

ByteVector serialize_binding(const KeyBlob::Binding& binding) {
  return MessageWriter()
      .bytes(1, binding.grantor)
      .digest(2, binding.authority)
      .text(3, binding.product)
      .u64(4, binding.policy_index)
      .u64(5, binding.floor_index)
      .u64(6, binding.epoch)
      .u64(7, binding.minimum)
      .bytes(8, binding.recipient)
      .u64(9, binding.cap_pcr)
      .u64(10, binding.floor_value)
      .take();
}

Result<KeyBlob::Binding> parse_binding(Bytes bytes) {
  MessageReader in(bytes, "binding of a TPM key");
  KeyBlob::Binding out;
  out.grantor = to_vector(TRY(in.bytes(1, "grantor", kMaxPart)));
  out.authority = TRY(in.digest(2, "authority"));
  out.product = TRY(in.text(3, "product", 256));
  out.policy_index = TRY(in.u32(4, "policy index"));
  out.floor_index = TRY(in.u32(5, "floor index"));
  out.epoch = TRY(in.u64(6, "epoch"));
  out.minimum = TRY(in.u32(7, "minimum"));
  out.recipient = to_vector(TRY(in.bytes(8, "recipient", kMaxPart)));
  out.cap_pcr = TRY(in.u32(9, "cap PCR"));
  out.floor_value = TRY(in.u64(10, "floor value"));
  TRY(in.finish());
  if (!may_cap(out.cap_pcr)) return in.malformed("the cap PCR is one of 1 to 15");
  if ((out.epoch & 0xffU) != 0) return in.malformed("an epoch ends in a zero byte");
  return out;
}

}  // namespace

Result<ByteVector> KeyBlob::spki() const {
  if (binding) return binding->recipient;
  return object.spki();
}

ByteVector serialize_key_blob(const KeyBlob& blob) {
  MessageWriter out;
  out.u64(1, kVersion)
      .u64(2, static_cast<std::uint64_t>(blob.kind))
      .bytes(3, blob.device)
      .text(4, blob.role)
      .bytes(5, serialize_public(blob.object))
      .bytes(6, blob.private_part);
  if (blob.binding) out.bytes(7, serialize_binding(*blob.binding));
  return out.take();
}

Result<KeyBlob> parse_key_blob(Bytes bytes) {
  if (bytes.size() > kMaxKeyBlobSize) {
    return Error(ErrorCode::kLimit, "a TPM key file of " + format_size(bytes.size()));
  }
  MessageReader in(bytes, "TPM key");
  const std::uint32_t version = TRY(in.u32(1, "version"));
  if (version != kVersion) {
    return Error(ErrorCode::kUnsupported, "TPM key of version " + std::to_string(version));
  }
  KeyBlob out;
  const auto kind = endorsement_kind(TRY(in.u32(2, "kind of endorsement key")));
  if (!kind) return in.malformed("unknown kind of endorsement key");
  out.kind = *kind;
  out.device = to_vector(TRY(in.bytes(3, "device", kMaxPart)));
  if (!is_name(out.device)) return in.malformed("the device has no name");
  out.role = TRY(in.text(4, "role", 32));
  out.object = TRY(parse_public(TRY(in.bytes(5, "public area", kMaxPart))));
  out.private_part = to_vector(TRY(in.bytes(6, "private area", kMaxPart)));
  if (TRY(in.at(7))) out.binding = TRY(parse_binding(TRY(in.element(7, "binding"))));
  TRY(in.finish());
  if (!out.binding && out.object.kind != ObjectKind::kAgreeP256 &&
      out.object.kind != ObjectKind::kSignP256) {
    return in.malformed("neither a key that opens nor one that signs");
  }
  return out;
}

}  // namespace sealpack::tpm
