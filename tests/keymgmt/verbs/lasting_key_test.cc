// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/verbs/lasting_key.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "keymgmt/crypto/private_key.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/test_bundle.h"

namespace sealpack::broker {
namespace {

using namespace std::chrono_literals;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::make_key;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;

// A token, its key and how it is doing.
struct Device {
  crypto::PrivateKey key = make_key(crypto::KeyType::kEd25519);
  std::atomic<int> session = 0;        // of now
  std::atomic<bool> away = false;      // no session can be had
  std::atomic<bool> confused = false;  // every operation fails for good
  std::atomic<int> opened = 0;
  std::atomic<int> failed = 0;       // operations
  int together = 1;                  // so many fail at a time
  std::chrono::milliseconds slow{};  // how long nobody answers

  // The session is over; the next one works.
  void reset() { ++session; }
};

class SessionSigner final : public crypto::Signer {
 public:
  explicit SessionSigner(Device& device)
      : device_(device), session_(device.session), signer_(device.key.signer().value()) {}
  const crypto::VerifyingKey& public_key() const override { return signer_->public_key(); }
  Result<ByteVector> sign(Bytes message) const override {
    if (device_.confused) return Error(ErrorCode::kKeyUnavailable, "this key does not sign");
    if (session_ != device_.session) {
      ++device_.failed;
      while (device_.failed < device_.together) std::this_thread::yield();
      return Error(ErrorCode::kIo, "the session is closed");
    }
    return signer_->sign(message);
  }

 private:
  Device& device_;
  int session_;
  std::unique_ptr<crypto::Signer> signer_;
};

class LastingKeys : public ::testing::Test {
 protected:
  Result<std::unique_ptr<crypto::Signer>> open() {
    return lasting_signer(
        [this]() -> Result<std::unique_ptr<crypto::Signer>> {
          ++device_.opened;
          if (device_.away) {
            std::this_thread::sleep_for(device_.slow);
            return Error(ErrorCode::kIo, "nobody answers");
          }
          return std::unique_ptr<crypto::Signer>(std::make_unique<SessionSigner>(device_));
        },
        [this](const std::string& message) {
          const std::lock_guard lock(mutex_);
          reports_.push_back(message);
        });
  }
  Device device_;
  std::mutex mutex_;
  std::vector<std::string> reports_;
};

TEST_F(LastingKeys, AreOpenedAnewWhenTheirDeviceFails) {
  const auto signer = open();
  ASSERT_THAT(signer, Succeeds());
  EXPECT_THAT((*signer)->sign(as_bytes("one")), Succeeds());
  EXPECT_TRUE(reports_.empty());
  device_.reset();
  const auto signature = (*signer)->sign(as_bytes("two"));
  ASSERT_THAT(signature, Succeeds());
  EXPECT_THAT((*signer)->public_key().verify(as_bytes("two"), *signature), Succeeds());
  EXPECT_EQ(device_.opened, 2);
  ASSERT_EQ(reports_.size(), 2U);
  EXPECT_THAT(reports_[0], HasSubstr("the session is closed"));
  EXPECT_THAT(reports_[1], HasSubstr("opened anew"));
}

TEST_F(LastingKeys, AreNotOpenedAnewForWhatWouldStayAsItIs) {
  const auto signer = open();
  ASSERT_THAT(signer, Succeeds());
  device_.confused = true;
  EXPECT_THAT((*signer)->sign(as_bytes("x")), Fails(ErrorCode::kKeyUnavailable));
  EXPECT_EQ(device_.opened, 1);
}

TEST_F(LastingKeys, AreNotAskedForAgainAtOnceWhenTheirDeviceIsAway) {
  const auto signer = open();
  ASSERT_THAT(signer, Succeeds());
  device_.reset();
  device_.away = true;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT((*signer)->sign(as_bytes("x")),
                FailsWith(ErrorCode::kTryAgain, HasSubstr("is away")));
  }
  // The first time, at once when it failed, and then no more than once a second.
  EXPECT_LE(device_.opened, 2 + (std::chrono::steady_clock::now() - begin) / 1s);
  EXPECT_THAT(reports_.at(1), HasSubstr("not opened anew: nobody answers"));
}

TEST_F(LastingKeys, ComeBackWithTheirDevice) {
  const auto signer = open();
  ASSERT_THAT(signer, Succeeds());
  device_.reset();
  device_.away = true;
  EXPECT_FALSE((*signer)->sign(as_bytes("x")).ok());
  device_.away = false;
  while (!(*signer)->sign(as_bytes("x")).ok()) std::this_thread::sleep_for(50ms);
  EXPECT_EQ(device_.opened, 3);
}

TEST_F(LastingKeys, AreNotTakenForOthers) {
  const auto signer = open();
  ASSERT_THAT(signer, Succeeds());
  device_.reset();
  device_.key = make_key(crypto::KeyType::kEd25519);
  EXPECT_THAT((*signer)->sign(as_bytes("x")), Fails(ErrorCode::kTryAgain));
  EXPECT_THAT(reports_.back(), HasSubstr("another key"));
}

TEST_F(LastingKeys, AreTriedOnceForAllThatWait) {
  const auto signer = open();
  ASSERT_THAT(signer, Succeeds());
  device_.reset();
  std::atomic<int> signed_count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { signed_count += (*signer)->sign(as_bytes("x")).ok() ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(signed_count, 8);
  EXPECT_EQ(device_.opened, 2);
}

// To find out that nobody answers takes longer than the pause between two attempts.
TEST_F(LastingKeys, AreTriedInVainOnceForAllThatWait) {
  constexpr int kThreads = 8;
  const auto signer = open();
  ASSERT_THAT(signer, Succeeds());
  device_.together = kThreads;
  device_.slow = 1200ms;
  device_.reset();
  device_.away = true;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back(
        [&] { EXPECT_THAT((*signer)->sign(as_bytes("x")), Fails(ErrorCode::kTryAgain)); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(device_.opened, 2);
}

TEST_F(LastingKeys, AreNoneWhereTheKeyDoesNotOpen) {
  device_.away = true;
  EXPECT_THAT(open(), FailsWith(ErrorCode::kIo, HasSubstr("nobody answers")));
}

}  // namespace
}  // namespace sealpack::broker
