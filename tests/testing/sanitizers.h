// SPDX-License-Identifier: Apache-2.0
#pragma once

// kSanitized: memory is a sanitizer's, which keeps what is free and takes more.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SEALPACK_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SEALPACK_SANITIZED
#endif

namespace sealpack::testing {

#ifdef SEALPACK_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace sealpack::testing
