// SPDX-License-Identifier: Apache-2.0
// What one end of the control channel may hear from the other. The first byte chooses the frame.
// What parses is written to the same bytes.
#include "runtime-loader/tee/process/protocol.h"

#include <algorithm>

namespace {

using namespace sealpack;

template <typename Parse>
void expect_round_trip(Bytes bytes, Parse parse) {
  const auto frame = parse(bytes);
  if (!frame.ok()) return;
  const auto again = tee::serialize(*frame);
  if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) {
    die("the round trip changed a frame");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes rest(data + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      expect_round_trip(rest, tee::parse_frame_header);
      break;
    case 1:
      expect_round_trip(rest, tee::parse_start);
      break;
    case 2:
      expect_round_trip(rest, tee::parse_ready);
      break;
    case 3:
      expect_round_trip(rest, tee::parse_use);
      break;
    case 4:
      expect_round_trip(rest, tee::parse_room);
      break;
    default:
      expect_round_trip(rest, tee::parse_failed);
  }
  return 0;
}
