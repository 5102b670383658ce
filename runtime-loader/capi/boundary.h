// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "formats/base/result.h"
#include "runtime-loader/include/sealpack/loader.h"

// Where C meets C++: structs of other versions, errors, and exceptions, which all stop here.
namespace sealpack::capi {

// A code of the C interface alone: in here it travels as any other.
inline constexpr ErrorCode kCancelled = static_cast<ErrorCode>(SEALPACK_CANCELLED);
Error cancelled();
Error usage(const std::string& message);

// Fills `out`, if there is one, and gives the code.
int report(const Error& error, sealpack_error* out) noexcept;
int report_out_of_memory(sealpack_error* out) noexcept;
int report_exception(const char* what, sealpack_error* out) noexcept;

// Runs `body`, a function that gives a Status, as the body of a C function.
template <typename Body>
int guarded(sealpack_error* error, const Body& body) noexcept {
  try {
    const Status status = body();
    return status.ok() ? int{SEALPACK_OK} : report(status.error(), error);
  } catch (const std::bad_alloc&) {
    return report_out_of_memory(error);
  } catch (const std::exception& exception) {
    return report_exception(exception.what(), error);
  } catch (...) {
    return report_exception("an exception", error);
  }
}

// As guarded, for a call that fills `size` bytes: after a failure they are zero.
template <typename Body>
int guarded_filling(void* buffer, std::size_t size, sealpack_error* error,
                    const Body& body) noexcept {
  const int code = guarded(error, body);
  if (code != SEALPACK_OK && buffer != nullptr) std::memset(buffer, 0, size);
  return code;
}

// What a callback gave: 0, a code, or something else, which counts as kIo.
Status callback_status(int code, const char* what);

// kUsage where `pointer` is NULL.
Status require(const void* pointer, const char* name);

// No struct of the interface will ever be larger.
inline constexpr std::size_t kMaxStructSize = 4096;
Status check_struct(const void* given, std::size_t struct_size, std::size_t known_size,
                    const char* name);

// A struct of the caller as this version knows it: members that his version lacks are zero; members
// that this version lacks must be (kUnsupported). NULL is kUsage.
template <typename Struct>
Result<Struct> take(const Struct* given, const char* name) {
  TRY(require(given, name));
  TRY(check_struct(given, given->struct_size, sizeof(Struct), name));
  Struct taken{};
  std::memcpy(static_cast<void*>(&taken), given, std::min(given->struct_size, sizeof(Struct)));
  taken.struct_size = sizeof(Struct);
  return taken;
}

// The same for one that may be left out.
template <typename Struct>
Result<Struct> take_optional(const Struct* given, const char* name) {
  if (given == nullptr) return Struct{};
  return take(given, name);
}

// Where element `i` of the caller's array is: his structs may have another size than ours.
template <typename Struct>
Struct* element(Struct* first, std::size_t i) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(first);
  return reinterpret_cast<Struct*>(const_cast<unsigned char*>(bytes) + i * first->struct_size);
}

template <typename Struct>
Result<std::vector<Struct>> take_array(const Struct* first, std::size_t count, std::size_t limit,
                                       const char* name) {
  if (count > limit) {
    return Error(ErrorCode::kLimit, std::string(name) + " has " + std::to_string(count) +
                                        " elements, more than " + std::to_string(limit));
  }
  std::vector<Struct> all;
  if (count == 0) return all;
  TRY(require(first, name));
  TRY(check_struct(first, first->struct_size, sizeof(Struct), name));
  for (std::size_t i = 0; i < count; ++i) {
    const Struct* given = element(first, i);
    if (given->struct_size != first->struct_size) {
      return usage(std::string(name) + ": struct_size of element " + std::to_string(i) +
                   " differs from that of the first");
    }
    all.push_back(TRY(take(given, name)));
  }
  return all;
}

// Writes what the caller's version of the struct has room for; struct_size says how much that was.
template <typename Struct>
Status give(Struct filled, Struct* out, const char* name) {
  TRY(require(out, name));
  if (out->struct_size < sizeof(std::size_t) || out->struct_size > kMaxStructSize) {
    return usage(std::string(name) + ": struct_size is not set");
  }
  filled.struct_size = std::min(out->struct_size, sizeof(Struct));
  std::memcpy(static_cast<void*>(out), &filled, filled.struct_size);
  return done();
}

// Text of the caller; kUsage for NULL, kLimit beyond 64 KiB.
Result<std::string> text_of(const char* text, const char* name);

}  // namespace sealpack::capi
