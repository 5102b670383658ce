// SPDX-License-Identifier: Apache-2.0
#include "formats/base/error.h"

#include <cstdio>
#include <cstdlib>

namespace sealpack {

const char* to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
      return "usage";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kMalformed:
      return "malformed";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kNotAuthentic:
      return "not-authentic";
    case ErrorCode::kRefused:
      return "refused";
    case ErrorCode::kKeyUnavailable:
      return "key-unavailable";
    case ErrorCode::kTryAgain:
      return "try-again";
    case ErrorCode::kLimit:
      return "limit";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "internal";
}

void die(const char* why) {
  std::fprintf(stderr, "sealpack: internal error: %s\n", why);
  std::abort();
}

}  // namespace sealpack
