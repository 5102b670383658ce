// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/optee/trusted_application.h"

#include <cstring>
#include <new>

#include "keymgmt/crypto/secret_bytes.h"
#include "runtime-loader/core/machine.h"

namespace sealpack::loader {
namespace {

// Secure memory for models; the heap of the application (TA_DATA_SIZE) is that and 4 MiB more.
constexpr std::uint64_t kSecureBytes = std::uint64_t{16} << 20U;
constexpr std::size_t kAlignment = 64;

class ApplicationMemory final : public nn::Memory {
 public:
  Result<MutableBytes> allocate(std::size_t size) override {
    const std::size_t room = size + kAlignment + sizeof(void*);
    if (size > kSecureBytes - used_) {
      return Error(ErrorCode::kLimit, "no " + format_size(size) + " of secure memory left");
    }
    void* block = TEE_Malloc(room, 0);
    if (block == nullptr) return Error(ErrorCode::kLimit, "the heap is used up");
    const auto start = (reinterpret_cast<std::uintptr_t>(block) + sizeof(void*) + kAlignment - 1) /
                       kAlignment * kAlignment;
    auto* bytes = reinterpret_cast<std::uint8_t*>(start);
    std::memcpy(bytes - sizeof block, &block, sizeof block);
    used_ += size;
    return MutableBytes(bytes, size);
  }
  void release(MutableBytes bytes) override {
    crypto::wipe(bytes);
    used_ -= bytes.size();
    void* block = nullptr;
    std::memcpy(&block, bytes.data() - sizeof block, sizeof block);
    TEE_Free(block);
  }

 private:
  std::uint64_t used_ = 0;
};

// One client's session. The application keeps no counter (it needs the secure storage of the SDK)
// and makes no evidence, and says so: floors come in grants, of a pinned broker alone.
struct Client {
  Client() : machine(options(), {memory, counter}) {}

  static MachineOptions options() {
    MachineOptions options;
    options.backend.tee = "none";
    options.measurement = [](const Digest& launch) { return launch; };
    return options;
  }

  ApplicationMemory memory;
  NoCounter counter;
  Machine machine;
  ByteVector answer;
};

TEE_Result give(const ByteVector& answer, TEE_Param& out) {
  const std::size_t room = out.memref.size;
  out.memref.size = answer.size();
  if (room < answer.size()) return TEE_ERROR_SHORT_BUFFER;
  std::memcpy(out.memref.buffer, answer.data(), answer.size());
  return TEE_SUCCESS;
}

TEE_Result invoke(Client& client, std::uint32_t command, std::uint32_t types, TEE_Param* params) {
  constexpr std::uint32_t kStepTypes =
      TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_INOUT,
                      TEE_PARAM_TYPE_MEMREF_OUTPUT, TEE_PARAM_TYPE_NONE);
  constexpr std::uint32_t kAgainTypes = TEE_PARAM_TYPES(
      TEE_PARAM_TYPE_NONE, TEE_PARAM_TYPE_NONE, TEE_PARAM_TYPE_MEMREF_OUTPUT, TEE_PARAM_TYPE_NONE);
  if (command == kAnswerAgain && types == kAgainTypes) return give(client.answer, params[2]);
  if (command != kStep || types != kStepTypes) return TEE_ERROR_BAD_PARAMETERS;
  const auto& message = params[0].memref;
  const auto& shared = params[1].memref;
  client.answer =
      client.machine.step({static_cast<const std::uint8_t*>(message.buffer), message.size},
                          {static_cast<std::uint8_t*>(shared.buffer), shared.size});
  return give(client.answer, params[2]);
}

}  // namespace
}  // namespace sealpack::loader

TEE_Result TA_CreateEntryPoint() {
  return TEE_SUCCESS;
}

void TA_DestroyEntryPoint() {}

TEE_Result TA_OpenSessionEntryPoint(std::uint32_t, TEE_Param[4], void** session) {
  *session = new (std::nothrow) sealpack::loader::Client;
  return *session == nullptr ? TEE_ERROR_OUT_OF_MEMORY : TEE_SUCCESS;
}

void TA_CloseSessionEntryPoint(void* session) {
  delete static_cast<sealpack::loader::Client*>(session);
}

TEE_Result TA_InvokeCommandEntryPoint(void* session, std::uint32_t command, std::uint32_t types,
                                      TEE_Param params[4]) {
  return sealpack::loader::invoke(*static_cast<sealpack::loader::Client*>(session), command, types,
                                  params);
}
