// SPDX-License-Identifier: Apache-2.0
#pragma once

// The part of the GlobalPlatform TEE Internal Core API 1.3 that the trusted application uses, so
// that it compiles and is linked in every build. A build with an OP-TEE SDK takes the SDK's
// tee_internal_api.h instead: SEALPACK_OPTEE_SDK.
#ifdef SEALPACK_OPTEE_SDK
#include <tee_internal_api.h>
#else

#include <cstddef>
#include <cstdint>

extern "C" {

using TEE_Result = std::uint32_t;
constexpr TEE_Result TEE_SUCCESS = 0x00000000;
constexpr TEE_Result TEE_ERROR_BAD_PARAMETERS = 0xFFFF0006;
constexpr TEE_Result TEE_ERROR_OUT_OF_MEMORY = 0xFFFF000C;
constexpr TEE_Result TEE_ERROR_SHORT_BUFFER = 0xFFFF0010;

union TEE_Param {
  struct {
    void* buffer;
    std::size_t size;
  } memref;
  struct {
    std::uint32_t a;
    std::uint32_t b;
  } value;
};

constexpr std::uint32_t TEE_PARAM_TYPE_NONE = 0;
constexpr std::uint32_t TEE_PARAM_TYPE_MEMREF_INPUT = 5;
constexpr std::uint32_t TEE_PARAM_TYPE_MEMREF_OUTPUT = 6;
constexpr std::uint32_t TEE_PARAM_TYPE_MEMREF_INOUT = 7;
constexpr std::uint32_t TEE_PARAM_TYPES(std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                        std::uint32_t d) {
  return a | (b << 4U) | (c << 8U) | (d << 12U);
}

void* TEE_Malloc(std::size_t size, std::uint32_t hint);
void TEE_Free(void* buffer);

}  // extern "C"
#endif
