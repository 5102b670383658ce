// SPDX-License-Identifier: Apache-2.0
// The trusted application as its client sees it, on this machine's heap.
#include "runtime-loader/tee/optee/trusted_application.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "runtime-loader/core/messages.h"
#include "tests/testing/result_matchers.h"

void* TEE_Malloc(std::size_t size, std::uint32_t) {
  return std::malloc(size);
}
void TEE_Free(void* buffer) {
  std::free(buffer);
}

namespace sealpack::loader {
namespace {

constexpr std::uint32_t kStepTypes =
    TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_INOUT,
                    TEE_PARAM_TYPE_MEMREF_OUTPUT, TEE_PARAM_TYPE_NONE);
constexpr std::uint32_t kAgainTypes = TEE_PARAM_TYPES(
    TEE_PARAM_TYPE_NONE, TEE_PARAM_TYPE_NONE, TEE_PARAM_TYPE_MEMREF_OUTPUT, TEE_PARAM_TYPE_NONE);

class TrustedApplication : public ::testing::Test {
 protected:
  TrustedApplication() {
    TEE_Param none[4] = {};
    EXPECT_EQ(TA_CreateEntryPoint(), TEE_SUCCESS);
    EXPECT_EQ(TA_OpenSessionEntryPoint(0, none, &session_), TEE_SUCCESS);
  }
  ~TrustedApplication() override {
    TA_CloseSessionEntryPoint(session_);
    TA_DestroyEntryPoint();
  }
  TEE_Result call(std::uint32_t command, std::uint32_t types, ByteVector message,
                  std::size_t room) {
    answer_.assign(room, 0);
    TEE_Param params[4] = {};
    if (command == kStep) {
      params[0].memref = {message.data(), message.size()};
      params[1].memref = {shared_.data(), shared_.size()};
    }
    params[2].memref = {answer_.data(), answer_.size()};
    const TEE_Result result = TA_InvokeCommandEntryPoint(session_, command, types, params);
    size_ = params[2].memref.size;
    return result;
  }
  TeeMessage answer() { return parse_tee_message(Bytes(answer_).first(size_)).value(); }

  void* session_ = nullptr;
  ByteVector shared_ = ByteVector(1U << 20U);
  ByteVector answer_;
  std::size_t size_ = 0;
};

ByteVector launch_message() {
  std::ifstream in(std::string(SEALPACK_SOURCE) + "/tests/vectors/loader/tiny-model.launch",
                   std::ios::binary);
  const ByteVector config{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return serialize(HostMessage(LaunchMessage{config}));
}

TEST_F(TrustedApplication, StepsTheMachine) {
  ASSERT_EQ(call(kStep, kStepTypes, launch_message(), 4096), TEE_SUCCESS);
  const TeeMessage launched = answer();
  ASSERT_TRUE(std::holds_alternative<LaunchedMessage>(launched));
  EXPECT_EQ(std::get<LaunchedMessage>(launched).tee, "none");
  const HostMessage add = AddBundleMessage{1, 111616, "vendor", "model", 1700000000};
  ASSERT_EQ(call(kStep, kStepTypes, serialize(add), 4096), TEE_SUCCESS);
  EXPECT_TRUE(std::holds_alternative<NeedBlocksMessage>(answer()));
}

TEST_F(TrustedApplication, GivesAnAnswerAgainThatHadNoRoom) {
  ASSERT_EQ(call(kStep, kStepTypes, launch_message(), 10), TEE_ERROR_SHORT_BUFFER);
  const std::size_t needed = size_;
  ASSERT_EQ(call(kAnswerAgain, kAgainTypes, {}, needed), TEE_SUCCESS);
  EXPECT_TRUE(std::holds_alternative<LaunchedMessage>(answer()));
}

TEST_F(TrustedApplication, RefusesParametersOfOtherTypes) {
  EXPECT_EQ(call(kStep, kAgainTypes, {}, 100), TEE_ERROR_BAD_PARAMETERS);
  EXPECT_EQ(call(kAnswerAgain, kStepTypes, {}, 100), TEE_ERROR_BAD_PARAMETERS);
  EXPECT_EQ(call(7, kStepTypes, {}, 100), TEE_ERROR_BAD_PARAMETERS);
}

TEST_F(TrustedApplication, AnswersGarbageWithARefusal) {
  for (std::uint8_t byte = 0; byte < 255; ++byte) {
    ASSERT_EQ(call(kStep, kStepTypes, ByteVector(40, byte), 100), TEE_SUCCESS);
    EXPECT_TRUE(std::holds_alternative<RefusedMessage>(answer()));
  }
}

}  // namespace
}  // namespace sealpack::loader
