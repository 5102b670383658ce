// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/include/sealpack/loader.h"

namespace {

struct NamedCode {
  int code;
  const char* name;
};
constexpr NamedCode kCodes[] = {
    {SEALPACK_OK, "ok"},
    {SEALPACK_USAGE, "usage"},
    {SEALPACK_IO, "io"},
    {SEALPACK_MALFORMED, "malformed"},
    {SEALPACK_UNSUPPORTED, "unsupported"},
    {SEALPACK_NOT_AUTHENTIC, "not-authentic"},
    {SEALPACK_REFUSED, "refused"},
    {SEALPACK_KEY_UNAVAILABLE, "key-unavailable"},
    {SEALPACK_TRY_AGAIN, "try-again"},
    {SEALPACK_LIMIT, "limit"},
    {SEALPACK_CANCELLED, "cancelled"},
    {SEALPACK_INTERNAL, "internal"},
};

}  // namespace

uint32_t sealpack_loader_abi(void) {
  return SEALPACK_LOADER_ABI;
}

const char* sealpack_loader_version(void) {
  return SEALPACK_VERSION;
}

const char* sealpack_code_name(int code) {
  for (const NamedCode& entry : kCodes) {
    if (entry.code == code) return entry.name;
  }
  return "unknown";
}
