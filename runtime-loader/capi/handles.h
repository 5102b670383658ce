// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/capi/bundle_state.h"

namespace sealpack::capi {

// kUsage for NULL.
inline Result<BundleState*> state_of(sealpack_bundle* bundle) {
  TRY(require(bundle, "bundle"));
  return bundle->state.get();
}

// Bytes of a length that the caller does not know before: `*size` is the room at `out`, then what
// there is. kLimit where that is more, with nothing written.
inline Status give_bytes(Bytes bytes, void* out, std::size_t* size, const char* what) {
  TRY(require(size, "size"));
  const std::size_t room = *size;
  *size = bytes.size();
  if (room < bytes.size()) {
    return Error(ErrorCode::kLimit, std::string(what) + ": " + std::to_string(bytes.size()) +
                                        " bytes, there is room for " + std::to_string(room));
  }
  TRY(require(out, "out"));
  std::copy(bytes.begin(), bytes.end(), static_cast<std::uint8_t*>(out));
  return done();
}

}  // namespace sealpack::capi
