// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/tee/optee/tee_api.h"

// What a client of the trusted application calls (docs/LOADER-FORMATS.md §3).
//
// kStep          [0] memref in: a message   [1] memref inout: the shared buffer   [2] memref out:
// the answer kAnswerAgain   [2] memref out: the answer of the step before, when its buffer was too
// short
//
// TEE_ERROR_SHORT_BUFFER: size of [2] says what is needed; the step was made and is not repeated.
inline constexpr std::uint32_t kStep = 0;
inline constexpr std::uint32_t kAnswerAgain = 1;

extern "C" {
TEE_Result TA_CreateEntryPoint();
void TA_DestroyEntryPoint();
TEE_Result TA_OpenSessionEntryPoint(std::uint32_t types, TEE_Param params[4], void** session);
void TA_CloseSessionEntryPoint(void* session);
TEE_Result TA_InvokeCommandEntryPoint(void* session, std::uint32_t command, std::uint32_t types,
                                      TEE_Param params[4]);
}
