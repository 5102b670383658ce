// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/pcr/pe_image.h"
#include "attest/measure/pcr/predict.h"

// The input is a description, and every file that it names; and an image by itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const Bytes input(data, size);
  const auto image = measure::parse_pe_image(input);
  if (image.ok()) {
    for (const auto& section : image.value().sections) {
      if (section.data.size() > size) __builtin_trap();
    }
  }
  const auto description = measure::parse_boot_description(as_text(input), "description");
  if (!description.ok()) return 0;
  (void)measure::predict_pcrs(description.value(), [&](const std::string&) {
    return Result<ByteVector>(to_vector(input));
  });
  return 0;
}
