// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/tcb_info.h"

// An inner value, or a whole document, whose inner value is then read. What is read has what an
// evaluation needs.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack::attest::dcap;
  sealpack::Bytes input(data, size);
  if (const auto document = split_document(input, TcbInfo::kName); document.ok()) {
    if (document->signature.size() != 64 || document->inner.front() != '{') __builtin_trap();
    input = document->inner;
  }
  const auto info = parse_tcb_info(input);
  if (!info.ok()) return 0;
  if (info->levels.empty() || info->module.has_value() != (info->tee == Tee::kTdx)) {
    __builtin_trap();
  }
  for (const ModuleIdentity& module : info->module_identities) {
    if (module.levels.empty()) __builtin_trap();
  }
  return 0;
}
