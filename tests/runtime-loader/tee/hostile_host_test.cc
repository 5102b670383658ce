// SPDX-License-Identifier: Apache-2.0
// A host that says anything: the program refuses or ends itself, and never by a signal.
#include <sys/socket.h>
#include <sys/wait.h>

#include <random>

#include "runtime-loader/core/messages.h"
#include "tests/runtime-loader/tee/process_testing.h"

namespace sealpack::tee {
namespace {

using sealpack::testing::Succeeds;

class HostileHost : public ProcessCase {
 protected:
  void send_raw(Bytes bytes) {
    // The program may be gone by now, which is its right.
    (void)!::send(backend->control(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  // Reads what comes until the channel is quiet or closed.
  void drain() {
    ByteVector bytes(65536);
    while (::recv(backend->control(), bytes.data(), bytes.size(), 0) > 0) {
    }
  }
  // After the host has said its last word.
  void expect_orderly_end() {
    ASSERT_EQ(::shutdown(backend->control(), SHUT_WR), 0);
    drain();
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(backend->process()), &info, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(info.si_code, CLD_EXITED) << "signal " << info.si_status;
  }

  std::mt19937 random{7};
  std::uint32_t below(std::size_t bound) {
    return static_cast<std::uint32_t>(random() % std::max<std::size_t>(bound, 1));
  }
  ByteVector noise(std::size_t size) {
    ByteVector bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    return bytes;
  }
  void mutate(ByteVector& bytes) {
    for (std::uint32_t i = 0; i <= below(3); ++i) {
      if (bytes.empty()) bytes = noise(8);
      const std::size_t at = below(bytes.size());
      switch (below(4)) {
        case 0:
          bytes[at] = static_cast<std::uint8_t>(random());
          break;
        case 1:
          bytes[at] ^= static_cast<std::uint8_t>(1U << below(8));
          break;
        case 2:
          bytes.resize(at);
          break;
        default: {
          const ByteVector more = noise(1 + below(16));
          bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), more.begin(), more.end());
        }
      }
    }
  }
};

TEST_F(HostileHost, RandomBytesEndTheSessionInOrder) {
  for (int i = 0; i < 25; ++i) {
    ASSERT_THAT(start(), Succeeds());
    send_raw(noise(1 + below(4000)));
    expect_orderly_end();
  }
}

TEST_F(HostileHost, FramesOfEveryTypeAndSizeDoToo) {
  for (std::uint32_t type = 0; type < 8; ++type) {
    for (const std::uint32_t size : {0U, 1U, 32U, 2U << 20U, (2U << 20U) + 1, ~0U}) {
      ASSERT_THAT(start(), Succeeds());
      send_raw(serialize(FrameHeader{static_cast<Frame>(type), size}));
      send_raw(noise(std::min(size, 4096U)));
      expect_orderly_end();
    }
  }
}

TEST_F(HostileHost, MutatedSessionsAreRefusedOrServed) {
  ASSERT_THAT(start(16U << 20U), Succeeds());
  const auto x = loader::testing::bytes_of(loader::testing::some_input(1));
  const auto input = loader::testing::input_of(x);
  const std::vector<loader::HostMessage> session = {
      loader::LaunchMessage{loader::serialize_launch(config)},
      loader::AddBundleMessage{0, file->size(), "vendor", "model", 1700000000},
      loader::RequestKeyMessage{0, setting.challenge},
      loader::GrantMessage{0, ByteVector(200)},
      loader::LoadMessage{0, {}},
      loader::RunMessage{0, {{{input.name, input.type}, {0, x.size()}}}},
      loader::ReceiptRequestMessage{0, ByteVector(16)},
      loader::ConfirmMessage{0},
      loader::CloseMessage{0},
      loader::AbandonMessage{},
  };
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 400; ++i) {
      ByteVector message = loader::serialize(session[below(session.size())]);
      if (below(5) != 0) mutate(message);
      const auto answer = backend->step(message);
      ASSERT_THAT(answer, Succeeds());
      ASSERT_THAT(loader::parse_tee_message(*answer), Succeeds());
    }
    // The next round meets a model that is ready.
    ASSERT_THAT(start(16U << 20U), Succeeds());
    ASSERT_THAT(add(), Succeeds());
    ASSERT_THAT(unlock(), Succeeds());
    ASSERT_THAT(load(), Succeeds());
  }
  EXPECT_THAT(run(loader::testing::some_input(1)), Succeeds());
  expect_orderly_end();
}

}  // namespace
}  // namespace sealpack::tee
