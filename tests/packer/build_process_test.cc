// SPDX-License-Identifier: Apache-2.0
// The tool as a process of its own: killed at any moment, and measured.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <iostream>
#include <thread>

#include "keymgmt/keystore/keygen.h"
#include "tests/packer/packing.h"
#include "tests/testing/sanitizers.h"

namespace sealpack::packer {
namespace {

using namespace testing;
using Clock = std::chrono::steady_clock;

// Keys in files, and the trust in them.
struct KeyFiles {
  explicit KeyFiles(const TemporaryFolder& folder) : signer(folder / "vendor.key") {
    make(keystore::Role::kAuthority, folder / "vendor");
    make(keystore::Role::kRecipient, folder / "r");
    recipient = folder / "r.pub";
    const auto key = keystore::load_public_key(folder / "vendor.pub", std::nullopt);
    EXPECT_THAT(key, Succeeds());
    trust.authorities = {key->digest};
    trust.signers = {{"authority", {key->verifying_key()}, 1}};
  }
  static void make(keystore::Role role, const std::filesystem::path& base) {
    EXPECT_THAT(keystore::generate_key_pair(role, std::nullopt, base, "", nullptr), Succeeds());
  }

  // Every byte is as signed.
  Status check(const std::filesystem::path& bundle) const {
    auto unverified = TRY(unpacker::UnverifiedBundle::open(TRY(FileSource::open(bundle))));
    const auto verified = TRY(std::move(unverified).verify(trust, {1'800'000'000}));
    const unpacker::BundleCheck check(verified);
    unpacker::FileReader reader(verified);
    for (std::uint64_t unit = 0; unit < check.unit_count(); ++unit) TRY(check.check(unit, reader));
    return done();
  }

  std::string signer;
  std::string recipient;
  unpacker::Trust trust;
};

// `sealpack build` in a child.
pid_t start_build(const KeyFiles& keys, const std::string& model, const std::string& output) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  const int null = ::open("/dev/null", O_WRONLY);
  (void)::dup2(null, STDOUT_FILENO);
  (void)::dup2(null, STDERR_FILENO);
  ::execl(SEALPACK_TOOL, "sealpack", "build", model.c_str(), "--out", output.c_str(), "--signer",
          keys.signer.c_str(), "--to", keys.recipient.c_str(), "--threads", "2", nullptr);
  ::_exit(127);
}

// A safetensors file of one tensor, all zero and without blocks on disk.
void put_sparse_model(const std::filesystem::path& path, std::uint64_t size) {
  const ByteVector header = models::serialize_safetensors_header({{"w", "U8", {size}, 0, 0}}, {});
  std::ofstream(path, std::ios::binary) << as_text(header);
  std::filesystem::resize_file(path, header.size() + size);
}

bool has_unnamed_files(const std::filesystem::path& folder) {
  const FileDescriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR, 0600));
  return file.get() >= 0;
}

TEST(KilledBuild, LeavesAllOfABundleOrNothing) {
  const TemporaryFolder folder;
  const TemporaryFolder out;
  if (!has_unnamed_files(out.path())) GTEST_SKIP() << "the file system has no unnamed files";
  const KeyFiles keys(folder);
  const std::string model = folder / "m.safetensors";
  put_sparse_model(model, 50U << 20U);

  const auto start = Clock::now();
  int status = 0;
  ASSERT_EQ(::waitpid(start_build(keys, model, out / "b.seal"), &status, 0) > 0, true);
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ASSERT_THAT(keys.check(out / "b.seal"), Succeeds());
  std::filesystem::remove(out / "b.seal");

  // How long a build takes differs from one to the next, so the span goes after them: it grows with
  // each that was killed and shrinks with each that came to its end.
  std::mt19937_64 random(11);
  auto span = std::chrono::duration<double>(whole);
  for (int killed = 0; killed < 25;) {
    const pid_t child = start_build(keys, model, out / "b.seal");
    ASSERT_GT(child, 0);
    std::this_thread::sleep_for(span * std::uniform_real_distribution(0.0, 1.0)(random));
    (void)::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    if (WIFSIGNALED(status)) ++killed;
    span *= WIFSIGNALED(status) ? 1.1 : 0.8;
    if (out.names().empty()) continue;
    EXPECT_EQ(out.names(), std::set<std::string>{"b.seal"});
    EXPECT_THAT(keys.check(out / "b.seal"), Succeeds());
    std::filesystem::remove(out / "b.seal");
  }
}

TEST(LargeBuild, TakesLittleMemory) {
  if (sealpack::testing::kSanitized) GTEST_SKIP() << "a sanitizer takes more";
  const TemporaryFolder folder;
  const KeyFiles keys(folder);
  const std::string model = folder / "m.safetensors";
  put_sparse_model(model, 1U << 30U);
  const auto start = Clock::now();
  const pid_t child = start_build(keys, model, folder / "b.seal");
  int status = 0;
  rusage usage{};
  ASSERT_EQ(::wait4(child, &status, 0, &usage), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  std::cout << "1 GiB: "
            << std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count()
            << " ms, peak " << usage.ru_maxrss / 1024 << " MiB\n";
  EXPECT_LE(usage.ru_maxrss, (64 + 2 * 16) * 1024);
}

}  // namespace
}  // namespace sealpack::packer
