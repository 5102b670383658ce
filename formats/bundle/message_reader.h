// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/byte_reader.h"

namespace sealpack::bundle {

// Reads one message of the canonical protobuf subset (FORMAT.md §2): fields in ascending order, no
// default values, shortest varints, wire types 0 and 2 only. Ask for the fields in ascending order;
// what is not asked for is refused by finish(). All failures are kMalformed.
class MessageReader {
 public:
  MessageReader(Bytes message, std::string_view what) : in_(message, what) {}

  // Whether the next field has this number.
  Result<bool> at(std::uint32_t field);

  // Value of an optional field; 0, empty or false when absent.
  Result<std::uint64_t> u64(std::uint32_t field, std::string_view name);
  Result<std::uint32_t> u32(std::uint32_t field, std::string_view name);
  Result<Bytes> bytes(std::uint32_t field, std::string_view name, std::uint64_t limit);
  Result<std::string> text(std::uint32_t field, std::string_view name, std::uint64_t limit);

  // A bytes field of exactly N bytes that must be there.
  template <std::size_t N>
  Result<std::array<std::uint8_t, N>> array(std::uint32_t field, std::string_view name) {
    const Bytes view = TRY(bytes(field, name, N));
    if (view.size() != N) {
      return malformed(std::string(name) + " has " + std::to_string(view.size()) + " bytes, not " +
                       std::to_string(N));
    }
    std::array<std::uint8_t, N> out;
    std::copy(view.begin(), view.end(), out.begin());
    return out;
  }
  Result<Digest> digest(std::uint32_t field, std::string_view name);

  // One element of a repeated field: call while at(field).
  Result<Bytes> element(std::uint32_t field, std::string_view name);

  // A packed list of varints.
  Result<std::vector<std::uint64_t>> packed(std::uint32_t field, std::string_view name,
                                            std::size_t limit);

  Status finish() const;
  Error malformed(const std::string& why) const { return in_.malformed(why); }

 private:
  // Reads the next tag unless it is read already; 0 at the end.
  Status peek();
  Result<Bytes> take_bytes(std::string_view name);

  ByteReader in_;
  std::uint64_t tag_ = 0;  // peeked, not consumed
  bool peeked_ = false;
};

}  // namespace sealpack::bundle
