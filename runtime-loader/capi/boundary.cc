// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/capi/boundary.h"

namespace sealpack::capi {
namespace {

constexpr std::size_t kMaxText = std::size_t{64} << 10U;

// Copies what fits and ends it, never inside a UTF-8 sequence.
void copy_text(const char* text, std::size_t size, char* out, std::size_t capacity) noexcept {
  std::size_t kept = std::min(size, capacity - 1);
  if (kept < size) {
    while (kept > 0 && (static_cast<unsigned char>(text[kept]) & 0xc0U) == 0x80U) --kept;
  }
  std::memcpy(out, text, kept);
  out[kept] = '\0';
}

int fill(int code, const char* message, std::size_t message_size, const char* hint,
         std::size_t hint_size, sealpack_error* out) noexcept {
  if (out != nullptr) {
    out->code = code;
    copy_text(message, message_size, out->message, sizeof out->message);
    copy_text(hint, hint_size, out->hint, sizeof out->hint);
  }
  return code;
}

}  // namespace

Error cancelled() {
  return {kCancelled, "stopped by the caller"};
}

Error usage(const std::string& message) {
  return {ErrorCode::kUsage, message};
}

int report(const Error& error, sealpack_error* out) noexcept {
  return fill(static_cast<int>(error.code()), error.message().data(), error.message().size(),
              error.hint().data(), error.hint().size(), out);
}

int report_out_of_memory(sealpack_error* out) noexcept {
  constexpr std::string_view kMessage = "out of memory";
  return fill(SEALPACK_LIMIT, kMessage.data(), kMessage.size(), "", 0, out);
}

int report_exception(const char* what, sealpack_error* out) noexcept {
  return fill(SEALPACK_INTERNAL, what, std::strlen(what), "", 0, out);
}

Status callback_status(int code, const char* what) {
  if (code == SEALPACK_OK) return done();
  const bool known = code == SEALPACK_USAGE || code == SEALPACK_INTERNAL ||
                     (code >= SEALPACK_MALFORMED && code <= SEALPACK_CANCELLED);
  return Error(known ? static_cast<ErrorCode>(code) : ErrorCode::kIo,
               std::string(what) + " of the caller failed with " + std::to_string(code));
}

Status require(const void* pointer, const char* name) {
  if (pointer != nullptr) return done();
  return usage(std::string(name) + " is NULL");
}

Status check_struct(const void* given, std::size_t struct_size, std::size_t known_size,
                    const char* name) {
  if (struct_size < sizeof(std::size_t) || struct_size > kMaxStructSize) {
    return usage(std::string(name) + ": struct_size is not set");
  }
  const auto* bytes = static_cast<const unsigned char*>(given);
  for (std::size_t i = known_size; i < struct_size; ++i) {
    if (bytes[i] == 0) continue;
    return Error(ErrorCode::kUnsupported,
                 std::string(name) + " uses members that this version of the library lacks");
  }
  return done();
}

Result<std::string> text_of(const char* text, const char* name) {
  TRY(require(text, name));
  const std::size_t size = ::strnlen(text, kMaxText + 1);
  if (size > kMaxText) {
    return Error(ErrorCode::kLimit, std::string(name) + " is longer than 64 KiB");
  }
  return std::string(text, size);
}

}  // namespace sealpack::capi
