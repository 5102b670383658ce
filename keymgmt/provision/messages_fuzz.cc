// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "keymgmt/provision/floor_store.h"
#include "keymgmt/provision/messages.h"

namespace {

using sealpack::Bytes;

// What is accepted is written again byte for byte.
template <typename Message>
void check(const sealpack::Result<Message>& parsed, Bytes input,
           sealpack::ByteVector (*serialize)(const Message&)) {
  if (!parsed.ok()) return;
  const auto again = serialize(*parsed);
  if (!std::equal(again.begin(), again.end(), input.begin(), input.end())) __builtin_trap();
}

}  // namespace

// The first byte says which message follows.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack::provision;
  if (size == 0) return 0;
  const Bytes input(data + 1, size - 1);
  switch (data[0]) {
    case '1':
      check<EnrolRequest>(parse_request(input), input, serialize);
      break;
    case '2':
      check<EnrolAnswer>(parse_answer(input), input, serialize);
      break;
    case '3':
      check<EnrolProof>(parse_proof(input), input, serialize);
      break;
    case '4':
      check<EnrolRecord>(parse_record(input), input, serialize);
      break;
    case '5':
      check<BootPolicy>(parse_boot_policy(input), input, serialize);
      break;
    case '6':
      check<FloorTable>(parse_floors(input), input, serialize_floors);
      break;
    case '7':
      check<SignedStatement>(parse_signed(input), input, serialize_signed);
      break;
    case '8':
      check<FloorFile>(parse_floor_file(input), input, serialize_floor_file);
      break;
    default:
      break;
  }
  return 0;
}
