// SPDX-License-Identifier: Apache-2.0
// The header of an .npy file. What parses is written and parsed again to the same.
#include "formats/files/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const Bytes input(data, size);
  if (size >= NpyHeader::kPrologueSize) {
    const auto header_size = npy_header_size(input.first(NpyHeader::kPrologueSize));
    if (header_size.ok() && *header_size > NpyHeader::kMaxSize) die("a header beyond the limit");
  }
  const auto header = parse_npy_header(input);
  if (!header.ok()) return 0;
  if (header->shape.size() > NpyHeader::kMaxRank) die("too many dimensions");
  const auto written = serialize_npy_header(header->type, header->shape);
  if (!written.ok() || written->size() % 64 != 0) die("what was read cannot be written");
  const auto again = parse_npy_header(*written);
  if (!again.ok() || *again != *header) die("the round trip changed the header");
  return 0;
}
