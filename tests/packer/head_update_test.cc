// SPDX-License-Identifier: Apache-2.0
#include "packer/core/head_update.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "formats/bundle/encode.h"
#include "tests/formats/files/failing_system_calls.h"
#include "tests/packer/packing.h"

namespace sealpack::packer {
namespace {

using namespace testing;
using ::sealpack::testing::content_of;
using ::sealpack::testing::FailingSystemCalls;

// A bundle for two recipients and a head that drops the first of them.
struct Sample {
  Sample() {
    const TemporaryFolder folder;
    BuildRequest request = request_for(keys, folder / "b.seal");
    const crypto::PrivateKey dropped = Keys::make(crypto::KeyType::kX25519);
    request.recipients.insert(request.recipients.begin(),
                              recipient_of(dropped.decryptor().value()->public_key()));
    const auto assembly = assemble(tree_of({{"m.bin", noise(3000, 1)}}), {});
    EXPECT_THAT(build_bundle(*assembly, request), Succeeds());
    bytes = content_of(folder / "b.seal");
    old_head = bundle::load_head(MemorySource(bytes_of(bytes)))->head;
    new_head = old_head;
    new_head.slots.erase(new_head.slots.begin());
  }
  std::filesystem::path put(const TemporaryFolder& folder) const {
    return folder.put("b.seal", bytes);
  }

  // A string of bytes that only the dropped slot has.
  Bytes dropped() const { return old_head.slots[0].wrapped; }

  Keys keys;
  std::string bytes;
  bundle::Head old_head;
  bundle::Head new_head;
};

const Sample& sample() {
  static const Sample sample;
  return sample;
}

bundle::LoadedHead load(const std::filesystem::path& path) {
  const auto source = FileSource::open(path);
  EXPECT_THAT(source, Succeeds());
  const auto head = bundle::load_head(**source);
  EXPECT_THAT(head, Succeeds());
  return head.ok() ? *head : bundle::LoadedHead{};
}

// What a crash left: the old head or the new one, the rest untouched; and after opening the bundle
// for change once more, one whole copy beside zeros, with nothing left of a slot that is gone.
void check_after_crash(const std::filesystem::path& path) {
  const bundle::LoadedHead crashed = load(path);
  const bool is_new = crashed.head == sample().new_head;
  EXPECT_TRUE(is_new || crashed.head == sample().old_head);
  {
    const auto update = HeadUpdate::open(path);
    ASSERT_THAT(update, Succeeds());
    EXPECT_EQ(update->head().head, crashed.head);
  }
  const bundle::LoadedHead recovered = load(path);  // which checks that the other copy is zero
  EXPECT_FALSE(recovered.updating());
  EXPECT_EQ(recovered.head, crashed.head);
  const std::string after = content_of(path);
  EXPECT_EQ(contains(as_bytes(after), sample().dropped()), !is_new);
  const std::size_t end = bundle::kHeadOffset + recovered.layout.head_size;
  EXPECT_EQ(after.substr(0, bundle::kHeadOffset), sample().bytes.substr(0, bundle::kHeadOffset));
  EXPECT_TRUE(after.substr(end) == sample().bytes.substr(end));
}

Status replace_head(const std::filesystem::path& path) {
  HeadUpdate update = TRY(HeadUpdate::open(path));
  return update.replace(sample().new_head);
}

TEST(HeadUpdate, ReplacesTheHeadAndLeavesNothingOfTheOldOne) {
  const TemporaryFolder folder;
  const auto path = sample().put(folder);
  ASSERT_TRUE(contains(as_bytes(content_of(path)), sample().dropped()));
  ASSERT_THAT(replace_head(path), Succeeds());
  EXPECT_EQ(load(path).state, bundle::HeadState::kB);
  EXPECT_FALSE(contains(as_bytes(content_of(path)), sample().dropped()));
  EXPECT_THAT(open_whole(sample().keys, path), Succeeds());
}

TEST(HeadUpdate, GoesToAndFroBetweenTheCopies) {
  const TemporaryFolder folder;
  const auto path = sample().put(folder);
  auto update = HeadUpdate::open(path);
  ASSERT_THAT(update, Succeeds());
  for (int i = 0; i < 5; ++i) {
    const bundle::Head& head = i % 2 == 0 ? sample().new_head : sample().old_head;
    ASSERT_THAT(update->replace(head), Succeeds());
    EXPECT_EQ(load(path).head, head);
    EXPECT_EQ(load(path).in_copy_b(), i % 2 == 0);
    EXPECT_EQ(update->head().head, head);
  }
}

TEST(HeadUpdate, LetsOneChangeAtATime) {
  const TemporaryFolder folder;
  const auto path = sample().put(folder);
  {
    const auto first = HeadUpdate::open(path);
    ASSERT_THAT(first, Succeeds());
    EXPECT_THAT(HeadUpdate::open(path),
                FailsWith(ErrorCode::kTryAgain, HasSubstr("being changed by another process")));
  }
  EXPECT_THAT(HeadUpdate::open(path), Succeeds());
}

TEST(HeadUpdate, RefusesAHeadThatDoesNotFitAndOneThatNobodyCouldRead) {
  const TemporaryFolder folder;
  const auto path = sample().put(folder);
  auto update = HeadUpdate::open(path);
  ASSERT_THAT(update, Succeeds());
  bundle::Head head = sample().new_head;
  while (head.slots.size() < 300) head.slots.push_back(head.slots[0]);
  const Status refused = update->replace(head);
  ASSERT_THAT(refused, Fails(ErrorCode::kLimit));
  EXPECT_THAT(refused.error().hint(), HasSubstr("grant"));
  head = sample().new_head;
  head.slots[0].wrapped.pop_back();
  EXPECT_THAT(update->replace(head), Fails(ErrorCode::kMalformed));
  EXPECT_EQ(content_of(path), sample().bytes);
}

TEST(HeadUpdate, RefusesWhatIsNoBundleOfItsOwn) {
  const TemporaryFolder folder;
  const auto path = sample().put(folder);
  std::filesystem::create_hard_link(path, folder / "second");
  EXPECT_THAT(HeadUpdate::open(path), FailsWith(ErrorCode::kIo, HasSubstr("2 names")));
  EXPECT_THAT(HeadUpdate::open(folder.path()), Fails(ErrorCode::kIo));
  EXPECT_THAT(HeadUpdate::open(folder / "none"), Fails(ErrorCode::kIo));
  EXPECT_THAT(HeadUpdate::open(folder.put("text", std::string(200000, 'x'))),
              Fails(ErrorCode::kMalformed));
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(HeadUpdate::open(folder / "fifo"), Fails(ErrorCode::kIo));
  EXPECT_EQ(content_of(path), sample().bytes);
}

TEST(HeadUpdate, SurvivesTheFailureOfAnySystemCall) {
  for (const int number : {EIO, ENOSPC}) {
    for (int n = 1;; ++n) {
      ASSERT_LT(n, 200);
      const TemporaryFolder folder;
      const auto path = sample().put(folder);
      FailingSystemCalls calls;
      calls.fail_at = n;
      calls.error_number = number;
      Status status = done();
      {
        const ScopedSystemCalls scope(calls);
        status = replace_head(path);
      }
      SCOPED_TRACE("call " + std::to_string(n) + ": " + calls.failed_call());
      EXPECT_EQ(status.ok(), calls.failed_call().empty());
      if (!status.ok()) {
        EXPECT_THAT(status, Fails(ErrorCode::kIo));
      }
      check_after_crash(path);
      if (calls.failed_call().empty()) break;
    }
  }
}

// The caller may try again with the object that failed.
TEST(HeadUpdate, CompletesAfterAFailureOfAnyWrite) {
  for (int n = 1;; ++n) {
    const TemporaryFolder folder;
    const auto path = sample().put(folder);
    auto update = HeadUpdate::open(path);
    ASSERT_THAT(update, Succeeds());
    FailingSystemCalls calls;
    calls.fail_at = n;
    Status status = done();
    {
      const ScopedSystemCalls scope(calls);
      status = update->replace(sample().new_head);
    }
    SCOPED_TRACE("call " + std::to_string(n) + ": " + calls.failed_call());
    if (calls.failed_call().empty()) break;
    EXPECT_THAT(status, Fails(ErrorCode::kIo));
    EXPECT_THAT(update->replace(sample().new_head), Succeeds());
    EXPECT_EQ(load(path).head, sample().new_head);
    EXPECT_FALSE(load(path).updating());
    EXPECT_FALSE(contains(as_bytes(content_of(path)), sample().dropped()));
  }
}

TEST(HeadUpdate, TakesShortWritesAndRefusesToWriteNothingForEver) {
  for (const std::size_t longest : {1000UL, 4096UL, 4097UL}) {
    const TemporaryFolder folder;
    const auto path = sample().put(folder);
    FailingSystemCalls calls;
    calls.longest_write = longest;
    const ScopedSystemCalls scope(calls);
    EXPECT_THAT(replace_head(path), Succeeds());
    check_after_crash(path);
  }
  struct NoProgress : SystemCalls {
    ssize_t pwritev(int, const iovec*, int, off_t) const override { return 0; }
  };
  const TemporaryFolder folder;
  const auto path = sample().put(folder);
  const NoProgress calls;
  const ScopedSystemCalls scope(calls);
  EXPECT_THAT(replace_head(path), Fails(ErrorCode::kIo));
}

// A disk that takes one bit of copy B wrong: noticed before the old head is given up.
TEST(HeadUpdate, ReadsTheNewCopyBackBeforeItCounts) {
  struct FlippedBit : SystemCalls {
    ssize_t pwritev(int fd, const iovec* vectors, int count, off_t offset) const override {
      if (vectors->iov_len == 1) return SystemCalls::pwritev(fd, vectors, count, offset);
      ByteVector bytes(vectors->iov_len);
      std::copy_n(static_cast<const std::uint8_t*>(vectors->iov_base), bytes.size(), bytes.begin());
      bytes[100] ^= 1U;
      const iovec changed = {bytes.data(), bytes.size()};
      return SystemCalls::pwritev(fd, &changed, 1, offset);
    }
  };
  const TemporaryFolder folder;
  const auto path = sample().put(folder);
  {
    const FlippedBit calls;
    const ScopedSystemCalls scope(calls);
    EXPECT_THAT(replace_head(path),
                FailsWith(ErrorCode::kIo, HasSubstr("does not hold what was written")));
  }
  EXPECT_EQ(load(path).head, sample().old_head);
  check_after_crash(path);
}

// The real calls until the nth, which is the process's last.
class KillingSystemCalls : public FailingSystemCalls {
 public:
  int kill_at = 0;
  int openat(int folder, const char* path, int flags, mode_t mode) const override {
    tick();
    return SystemCalls::openat(folder, path, flags, mode);
  }
  ssize_t preadv(int fd, const iovec* vectors, int count, off_t offset) const override {
    tick();
    return SystemCalls::preadv(fd, vectors, count, offset);
  }
  // Dies half-way: some of the bytes are written.
  ssize_t pwritev(int fd, const iovec* vectors, int count, off_t offset) const override {
    if (ticks_ + 1 == kill_at && vectors->iov_len > 1) {
      const iovec half = {vectors->iov_base, vectors->iov_len / 2};
      (void)SystemCalls::pwritev(fd, &half, 1, offset);
    }
    tick();
    return SystemCalls::pwritev(fd, vectors, count, offset);
  }
  int fsync(int fd) const override {
    tick();
    return SystemCalls::fsync(fd);
  }

 private:
  void tick() const {
    if (++ticks_ == kill_at) (void)std::raise(SIGKILL);
  }
  mutable int ticks_ = 0;
};

TEST(HeadUpdate, SurvivesSigkillAtAnySystemCall) {
  for (int n = 1;; ++n) {
    ASSERT_LT(n, 200);
    SCOPED_TRACE("call " + std::to_string(n));
    const TemporaryFolder folder;
    const auto path = sample().put(folder);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      KillingSystemCalls calls;
      calls.kill_at = n;
      const ScopedSystemCalls scope(calls);
      ::_exit(replace_head(path).ok() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    check_after_crash(path);
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
      EXPECT_GT(n, 15);
      return;
    }
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
  }
}

// The writes and syncs of an update, in order.
class RecordingSystemCalls : public SystemCalls {
 public:
  struct Write {
    std::uint64_t offset = 0;
    std::string bytes;  // a sync if empty
  };
  mutable std::vector<Write> log;

  ssize_t pwritev(int fd, const iovec* vectors, int count, off_t offset) const override {
    log.push_back({static_cast<std::uint64_t>(offset),
                   {static_cast<const char*>(vectors->iov_base), vectors->iov_len}});
    return SystemCalls::pwritev(fd, vectors, count, offset);
  }
  int fsync(int fd) const override {
    log.push_back({});
    return SystemCalls::fsync(fd);
  }
};

// Every state that a power failure may leave when pages reach the disk in any order, up to the last
// sync: all of the earlier writes, and any of the pages written since.
TEST(HeadUpdate, SurvivesAPowerFailureWhateverReachedTheDisk) {
  const TemporaryFolder folder;
  const auto path = sample().put(folder);
  RecordingSystemCalls calls;
  {
    const ScopedSystemCalls scope(calls);
    ASSERT_THAT(replace_head(path), Succeeds());
  }
  constexpr std::size_t kPage = 4096;
  std::string durable = sample().bytes;
  std::vector<RecordingSystemCalls::Write> pages;  // since the last sync
  std::size_t states = 0;
  std::size_t syncs = 0;
  for (const auto& write : calls.log) {
    if (write.bytes.empty()) {
      ++syncs;
      for (const auto& page : pages) durable.replace(page.offset, page.bytes.size(), page.bytes);
      pages.clear();
      continue;
    }
    for (std::size_t at = 0; at < write.bytes.size(); at += kPage) {
      pages.push_back({write.offset + at, write.bytes.substr(at, kPage)});
    }
    ASSERT_LE(pages.size(), 8U);
    for (std::size_t subset = 0; subset < std::size_t{1} << pages.size(); ++subset) {
      std::string disk = durable;
      for (std::size_t i = 0; i < pages.size(); ++i) {
        if ((subset >> i & 1U) != 0)
          disk.replace(pages[i].offset, pages[i].bytes.size(), pages[i].bytes);
      }
      const auto crashed = folder.put("crashed", disk);
      check_after_crash(crashed);
      ++states;
    }
  }
  EXPECT_EQ(syncs, 5U);
  EXPECT_TRUE(pages.empty());
  EXPECT_GT(states, 100U);
}

}  // namespace
}  // namespace sealpack::packer
