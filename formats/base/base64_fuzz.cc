// SPDX-License-Identifier: Apache-2.0
// What is read as base64 is written the same; what is written is read the same.
#include "formats/base/base64.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const Bytes bytes(data, size);
  for (const Base64 form : {Base64::kStandard, Base64::kUrl}) {
    const auto read = from_base64(as_text(bytes), form);
    if (read.ok() && to_base64(*read, form) != as_text(bytes)) die("base64 has two texts");
    const auto again = from_base64(to_base64(bytes, form), form);
    if (!again.ok() || *again != to_vector(bytes)) die("base64 does not come back");
  }
  return 0;
}
