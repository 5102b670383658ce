// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/nvidia/spdm.h"

#include "attest/evidence/gpu_items.h"
#include "attest/verify/nvidia/fwid.h"

// A report that is accepted is covered by its parts, but for one zero byte at its end.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack::attest;
  const sealpack::Bytes input(data, size);
  const auto report = parse_spdm_report(input);
  if (report.ok()) {
    const std::size_t end = report->signed_part.size() + report->signature.size();
    if (end != size && (end + 1 != size || data[end] != 0)) __builtin_trap();
    std::size_t record = 0;
    for (const SpdmMeasurement& block : report->measurements) record += 7 + block.value.size();
    if (record != report->record.size()) __builtin_trap();
  }
  const auto request = parse_spdm_request(input);
  if (request.ok() && size != kGpuRequestSize) __builtin_trap();
  const auto fwid = parse_fwid(input);
  if (fwid.ok() && fwid->size() >= size) __builtin_trap();
  return 0;
}
