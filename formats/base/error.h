// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

namespace sealpack {

// The kinds of failure a caller branches on. The value is the exit status of the tool and the only
// part of an error that leaves a TEE. docs/ERRORS.md explains each; an unknown code is a failure.
enum class ErrorCode : int {
  kUsage = 2,            // the command line or the API was used wrongly
  kIo = 3,               // reading or writing failed
  kMalformed = 10,       // bytes break the rules of their format
  kUnsupported = 11,     // well-formed, but this version cannot handle it
  kNotAuthentic = 12,    // a signature, hash or tag does not hold
  kRefused = 13,         // authentic, but trust or policy says no
  kKeyUnavailable = 14,  // no key at hand opens this
  kTryAgain = 15,        // a passing condition
  kLimit = 16,           // exceeds a limit that docs/FORMAT.md states
  kInternal = 70,        // a bug in sealpack
};

// Stable lower-case name of a code, as written in JSON output ("not-authentic").
const char* to_string(ErrorCode code);

// What went wrong, for a program (code), a person (message: lower case, no full stop, names the
// thing and the numbers) and that person's next step (hint, may be empty).
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& hint() const { return hint_; }

  // Puts "context: " before the message. Added once by each layer that knows something new.
  Error within(const std::string& context) && {
    message_ = context + ": " + message_;
    return std::move(*this);
  }
  Error with_hint(std::string hint) && {
    if (hint_.empty()) hint_ = std::move(hint);
    return std::move(*this);
  }

 private:
  ErrorCode code_;
  std::string message_;
  std::string hint_;
};

// Ends the process: an invariant of our own code does not hold. Never called for bad input.
[[noreturn]] void die(const char* why);

}  // namespace sealpack
