// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to the messages: what both directions are made of.

#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"
#include "runtime-loader/core/messages.h"

namespace sealpack::loader::internal {

inline constexpr std::size_t kMaxSmallBytes = 64U << 10U;  // keys, evidence without bulk

// A message is {1 protocol, 2 kind, 3 body}.
ByteVector envelope(std::uint32_t kind, Bytes body);
struct Opened {
  std::uint32_t kind = 0;
  Bytes body;
};
Result<Opened> open_envelope(Bytes bytes);

// {1 name, 2 dtype, 3 packed dimensions}
ByteVector serialize_port(const Port& port);
Result<Port> parse_port(Bytes bytes);

// {1 port, 2 at}: the size follows from the type.
ByteVector serialize_tensor(const BufferTensor& tensor);
Result<BufferTensor> parse_tensor(Bytes bytes);

// Elements of field `field`, at most `limit`.
template <typename Parse>
auto parse_list(bundle::MessageReader& in, std::uint32_t field, std::string_view name,
                std::size_t limit, const Parse& parse)
    -> Result<std::vector<std::decay_t<decltype(parse(Bytes()).value())>>> {
  std::vector<std::decay_t<decltype(parse(Bytes()).value())>> list;
  while (TRY(in.at(field))) {
    if (list.size() == limit) {
      return in.malformed("more than " + std::to_string(limit) + " of " + std::string(name));
    }
    const Bytes element = TRY(in.element(field, name));
    list.push_back(TRY(parse(element)));
  }
  return list;
}

// A number whose greatest value stands for "no limit": written as itself plus one, so that the
// absent field says it.
inline std::uint64_t plus_one(std::uint64_t value) {
  return value + 1;
}
inline std::uint64_t minus_one(std::uint64_t value) {
  return value - 1;
}

}  // namespace sealpack::loader::internal
