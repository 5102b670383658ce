// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/refusal.h"

#include "formats/base/bytes.h"

namespace sealpack::loader {

const char* to_string(Stage stage) {
  switch (stage) {
    case Stage::kMessage:
      return "message";
    case Stage::kLaunch:
      return "launch";
    case Stage::kVerify:
      return "verify";
    case Stage::kCounter:
      return "counter";
    case Stage::kKey:
      return "key";
    case Stage::kLoad:
      return "load";
    case Stage::kInput:
      return "input";
    case Stage::kRun:
      return "run";
    case Stage::kAnswer:
      return "answer";
    case Stage::kReceipt:
      return "receipt";
  }
  return "unknown";
}

Error to_error(const Refusal& refusal) {
  Error error(refusal.code, "the TEE refused at stage " + std::string(to_string(refusal.stage)) +
                                ": " + to_string(refusal.code));
  if (refusal.code == ErrorCode::kLimit && refusal.stage == Stage::kLoad && refusal.number != 0) {
    return std::move(error).with_hint("the model needs " + format_size(refusal.number) +
                                      " of secure memory; sealpack plan shows ways to need less");
  }
  if (refusal.code == ErrorCode::kRefused && refusal.stage == Stage::kAnswer) {
    return std::move(error).with_hint(
        "the signed release limits form and number of answers; sealpack inspect shows its rule");
  }
  if (refusal.stage == Stage::kCounter) {
    return std::move(error).with_hint(
        "an older release than one confirmed before, or a floor that is required is missing");
  }
  return error;
}

}  // namespace sealpack::loader
