// SPDX-License-Identifier: Apache-2.0
// Text that parses is the one text of what it says.
#include "runtime-loader/capi/counter_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const std::string_view text = as_text({data, size});
  const auto floors = capi::parse_floors(text);
  if (floors.ok() && capi::serialize_floors(*floors) != text) __builtin_trap();
  return 0;
}
