// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"
#include "keymgmt/provision/messages.h"

// Internal to keymgmt/provision: fields that several messages have. Readers fail as the parsers in
// messages.h do.
namespace sealpack::provision {

using bundle::MessageReader;
using bundle::MessageWriter;

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint64_t kMaxPart = 4096;

// A reader behind the version of a message. `what` is for errors, and outlives it.
Result<MessageReader> begin_message(Bytes bytes, std::string_view what);
Result<tpm::Name> read_name(MessageReader& in, std::uint32_t field, std::string_view what);
Result<tpm::PublicArea> read_public(MessageReader& in, std::uint32_t field, std::string_view what);
// Not empty.
Result<ByteVector> read_part(MessageReader& in, std::uint32_t field, std::string_view what);
MessageWriter& put(MessageWriter& out, std::uint32_t field, const Scope& scope);
Result<Scope> read_scope(MessageReader& in, std::uint32_t field);
// NV indices that the owner may define.
bool is_owner_index(std::uint32_t index);

}  // namespace sealpack::provision
