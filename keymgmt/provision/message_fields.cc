// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/provision/message_fields.h"

namespace sealpack::provision {
namespace {

Result<Scope> parse_scope(Bytes bytes) {
  MessageReader in(bytes, "scope");
  Scope scope;
  scope.authority = TRY(in.digest(1, "authority"));
  scope.product = TRY(in.text(2, "product", kMaxProductSize));
  TRY(in.finish());
  return scope;
}

}  // namespace

Result<MessageReader> begin_message(Bytes bytes, std::string_view what) {
  if (bytes.size() > kMaxMessageSize) {
    return Error(ErrorCode::kLimit, std::string(what) + " of " + format_size(bytes.size()) +
                                        ", at most " + format_size(kMaxMessageSize));
  }
  MessageReader in(bytes, what);
  const std::uint32_t version = TRY(in.u32(1, "version"));
  if (version == kVersion) return in;
  return Error(ErrorCode::kUnsupported, std::string(what) + " of version " +
                                            std::to_string(version) + ", this version knows " +
                                            std::to_string(kVersion));
}

Result<tpm::Name> read_name(MessageReader& in, std::uint32_t field, std::string_view what) {
  const Bytes bytes = TRY(in.bytes(field, what, kMaxPart));
  if (!tpm::is_name(bytes)) return in.malformed(std::string(what) + " is no name");
  return to_vector(bytes);
}

Result<tpm::PublicArea> read_public(MessageReader& in, std::uint32_t field, std::string_view what) {
  return tpm::parse_public(TRY(in.bytes(field, what, kMaxPart))).within(std::string(what));
}

Result<ByteVector> read_part(MessageReader& in, std::uint32_t field, std::string_view what) {
  const Bytes bytes = TRY(in.bytes(field, what, kMaxPart));
  if (bytes.empty()) return in.malformed("no " + std::string(what));
  return to_vector(bytes);
}

MessageWriter& put(MessageWriter& out, std::uint32_t field, const Scope& scope) {
  return out.element(field,
                     MessageWriter().digest(1, scope.authority).text(2, scope.product).take());
}

Result<Scope> read_scope(MessageReader& in, std::uint32_t field) {
  return parse_scope(TRY(in.bytes(field, "scope", kMaxPart)));
}

bool is_owner_index(std::uint32_t index) {
  return index >= 0x01800000 && index <= 0x01bfffff;
}

}  // namespace sealpack::provision
