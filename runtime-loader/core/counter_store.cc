// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/counter_store.h"

namespace sealpack::loader {

const char* to_string(CounterKind kind) {
  switch (kind) {
    case CounterKind::kNone:
      return "none";
    case CounterKind::kFile:
      return "file";
    case CounterKind::kTpm:
      return "tpm";
    case CounterKind::kRpmb:
      return "rpmb";
    case CounterKind::kBroker:
      return "broker";
  }
  return "unknown";
}

bool is_protected(CounterKind kind) {
  return kind != CounterKind::kNone && kind != CounterKind::kFile;
}

Status check_floor(const Floor& floor, std::uint64_t counter, const Digest& release) {
  if (counter < floor.counter) {
    return Error(ErrorCode::kRefused, "counter " + std::to_string(counter) +
                                          " is below the floor " + std::to_string(floor.counter) +
                                          ": an older release");
  }
  if (counter == floor.counter && floor.release && *floor.release != release) {
    return Error(ErrorCode::kRefused, "another release with counter " + std::to_string(counter) +
                                          " was confirmed before");
  }
  return done();
}

Status NoCounter::raise(const Digest&, const std::string&, const Floor&) {
  return Error(ErrorCode::kUnsupported, "this TEE keeps no counter")
      .with_hint("floors come in a broker's grants here");
}

}  // namespace sealpack::loader
