// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "formats/base/error.h"

namespace sealpack::loader {

// Where in a session something was refused. With the code and one number this is all that leaves a
// TEE; the numbers are for ever (docs/LOADER-FORMATS.md §3.4).
enum class Stage : std::uint8_t {
  kMessage = 1,  // the message itself, or one that does not fit the state
  kLaunch = 2,   // the launch configuration
  kVerify = 3,   // head, signatures, trust, manifest
  kCounter = 4,  // a floor is missing or not met
  kKey = 5,      // slot, grant, commitment
  kLoad = 6,     // finding, reading and compiling the graph; number = bytes needed for kLimit
  kInput = 7,    // input tensors
  kRun = 8,      // while the model ran
  kAnswer = 9,   // answer rule, query budget
  kReceipt = 10,
};
const char* to_string(Stage stage);  // "message", "launch", …

// What a person outside is told of a refusal: written by the host from the code alone.
struct Refusal {
  ErrorCode code = ErrorCode::kInternal;
  Stage stage = Stage::kMessage;
  std::uint64_t number = 0;  // for kLimit the bytes or counts that would do; else 0
  bool operator==(const Refusal&) const = default;
};
// An Error with a message and hint that say as much as the three fields do.
Error to_error(const Refusal& refusal);

}  // namespace sealpack::loader
