// SPDX-License-Identifier: Apache-2.0
// A bundle that was made once, from launch to answer: also where no bundle can be written, as in
// the cross-build.
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "runtime-loader/core/machine.h"
#include "tests/runtime-loader/core/host_memory.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using sealpack::testing::Succeeds;

ByteVector file(const std::string& suffix) {
  std::ifstream in(std::string(SEALPACK_SOURCE) + "/tests/vectors/loader/tiny-model." + suffix,
                   std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

class Vector : public ::testing::TestWithParam<bool> {
 protected:
  Vector() {
    MachineOptions options;
    options.backend.tee = "simulated";
    options.backend.host_holds_keys = true;
    options.measurement = [](const Digest& launch) { return launch; };
    if (GetParam()) {
      options.open_source = [this](BundleId, std::uint64_t) { return source_; };
    }
    Services services{memory_, counter_};
    services.spill = &outside_;
    machine_.emplace(std::move(options), services);
  }

  TeeMessage send(const HostMessage& message) {
    const ByteVector bytes = serialize(message);
    return parse_tee_message(machine_->step(bytes, {shared_.data(), shared_.size()})).value();
  }
  TeeMessage serve(const HostMessage& message) {
    TeeMessage answer = send(message);
    while (const auto* need = std::get_if<NeedBlocksMessage>(&answer)) {
      BlocksMessage blocks{need->bundle, {}};
      std::uint64_t at = 0;
      for (const BundleRange& range : need->ranges) {
        const MutableBytes place = MutableBytes(shared_).subspan(at, range.size);
        EXPECT_THAT((*source_)->read_at(range.offset, place), Succeeds());
        blocks.blocks.push_back({range, at});
        at += range.size;
      }
      answer = send(blocks);
    }
    return answer;
  }
  void open() {
    ASSERT_TRUE(std::holds_alternative<LaunchedMessage>(send(LaunchMessage{file("launch")})));
    const AddBundleMessage add{1, (*source_)->size(), "vendor", "model", 1700000000};
    ASSERT_TRUE(std::holds_alternative<DoneMessage>(serve(add)));
    const TeeMessage need = send(RequestKeyMessage{1, {ByteVector(16, 9), {}}});
    ASSERT_TRUE(std::holds_alternative<NeedGrantMessage>(need));
    const auto request = parse_key_request(std::get<NeedGrantMessage>(need).request).value();
    const auto key = crypto::ContentKey::from(crypto::SecretBytes::copy_of(file("key"))).value();
    const auto grant = make_key_grant(request, key, {}, nullptr).value();
    const TeeMessage opened = send(GrantMessage{1, serialize_key_grant(grant)});
    ASSERT_TRUE(std::holds_alternative<DoneMessage>(opened));
  }
  void expect_answer() {
    const ByteVector input = file("input");
    std::copy(input.begin(), input.end(), shared_.begin());
    const BufferTensor x{{"x", {nn::DType::kF32, nn::Shape{1, 16}}}, {0, 64}};
    const TeeMessage message = serve(RunMessage{1, {x}});
    ASSERT_TRUE(std::holds_alternative<AnswerMessage>(message));
    const BufferTensor y = std::get<AnswerMessage>(message).tensors[0];
    const ByteVector expected = file("answer");
    ASSERT_EQ(y.range.size, expected.size());
    for (std::size_t i = 0; i < expected.size(); i += 4) {
      float got = 0;
      float want = 0;
      std::memcpy(&got, shared_.data() + y.range.at + i, 4);
      std::memcpy(&want, expected.data() + i, 4);
      EXPECT_NEAR(got, want, 1e-4);
    }
  }

  ByteVector shared_ = ByteVector(1U << 20U);
  testing::CountingMemory memory_;
  testing::VectorMemory outside_{1U << 20U};
  NoCounter counter_;
  Result<std::shared_ptr<const BlockSource>> source_{
      std::make_shared<const MemorySource>(file("seal"))};
  std::optional<Machine> machine_;
};

INSTANTIATE_TEST_SUITE_P(CanCallOut, Vector, ::testing::Bool());

TEST_P(Vector, AnswersAsOnTheDayItWasMade) {
  open();
  const TeeMessage loaded = serve(LoadMessage{1, {}});
  ASSERT_TRUE(std::holds_alternative<LoadedMessage>(loaded));
  expect_answer();
  LoadMessage capped{1, {}};
  capped.options.memory_limit = std::get<LoadedMessage>(loaded).model.least_limit;
  ASSERT_TRUE(std::holds_alternative<LoadedMessage>(serve(capped)));
  expect_answer();
  EXPECT_LE(memory_.used(), capped.options.memory_limit);
}

}  // namespace
}  // namespace sealpack::loader
