// SPDX-License-Identifier: Apache-2.0
// What is measured of the TEE's program is all that runs.
#include "runtime-loader/tee/process/program_file.h"

#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "keymgmt/crypto/sha256.h"
#include "tests/runtime-loader/tee/looking.h"
#include "tests/runtime-loader/tee/process_testing.h"

namespace sealpack::tee {
namespace {

using sealpack::testing::content_of;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;

// A program that uses shared libraries, as programs do.
constexpr const char* kOrdinary = "/proc/self/exe";
constexpr int kPreloaded = 77;  // exit status of preloaded.cc

ByteVector tee_program() {
  return to_vector(as_bytes(content_of(SEALPACK_TEE_PROGRAM)));
}

TEST(ProgramFile, IsAllThatIsMeasured) {
  const ByteVector file = tee_program();
  ASSERT_GT(file.size(), 1000U);
  const auto digest = measure_program(MemorySource(file));
  ASSERT_THAT(digest, Succeeds());
  EXPECT_EQ(*digest, crypto::sha256(file));
}

// Its headers and no more.
ByteVector start_of_tee_program() {
  ByteVector file = tee_program();
  file.resize(4096);
  return file;
}

Status checked(ByteVector file) {
  return check_self_contained(MemorySource(std::move(file)));
}

TEST(ProgramFile, IsRefusedIfItLoadsLibraries) {
  EXPECT_THAT(checked(tee_program()), Succeeds());
  const auto ordinary = FileSource::open(kOrdinary);
  ASSERT_THAT(ordinary, Succeeds());
  EXPECT_THAT(check_self_contained(**ordinary),
              FailsWith(ErrorCode::kRefused, HasSubstr("libraries")));
}

TEST(ProgramFile, IsRefusedIfAnyOfItsSegmentsNamesAnInterpreter) {
  const ByteVector file = start_of_tee_program();
  const std::size_t segments = file[32];
  const std::size_t count = file[56];
  ASSERT_GT(count, 3U);
  for (std::size_t i = 0; i < count; ++i) {
    ByteVector changed = file;
    changed[segments + i * 56] = 3;
    changed[segments + i * 56 + 3] = 0;
    changed[segments + i * 56 + 2] = 0;
    changed[segments + i * 56 + 1] = 0;
    EXPECT_THAT(checked(changed), Fails(ErrorCode::kRefused)) << i;
  }
}

TEST(ProgramFile, IsRefusedIfItsHeaderIsNone) {
  EXPECT_THAT(checked({}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(checked(to_vector(as_bytes("#!/bin/sh\nexec cat\n"))), Fails(ErrorCode::kMalformed));
  const ByteVector file = start_of_tee_program();
  for (const auto& [at, value] : std::vector<std::pair<std::size_t, std::uint8_t>>{
           {0, 0}, {4, 1}, {5, 2}, {39, 1}, {54, 55}, {56, 0}, {57, 0xff}}) {
    ByteVector changed = file;
    changed[at] = value;
    EXPECT_THAT(checked(changed), Fails(ErrorCode::kMalformed)) << at;
  }
  for (const std::size_t size : {std::size_t{63}, std::size_t{64}, std::size_t{100}}) {
    EXPECT_THAT(checked(ByteVector(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size))),
                Fails(ErrorCode::kMalformed))
        << size;
  }
}

// Exit status of a program under LD_PRELOAD.
int status_with_preload(const char* program) {
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string variable = std::string("LD_PRELOAD=") + SEALPACK_PRELOADED;
    char* environment[] = {const_cast<char*>(variable.c_str()), nullptr};
    char* arguments[] = {const_cast<char*>(program), nullptr};
    ::close(3);
    ::execve(program, arguments, environment);
    ::_exit(99);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ProgramFile, TakesInNothingOfTheEnvironment) {
  ASSERT_EQ(status_with_preload("/bin/true"), kPreloaded);
  EXPECT_NE(status_with_preload(SEALPACK_TEE_PROGRAM), kPreloaded);
}

TEST_F(ProcessCase, MapsNoFileButItsOwn) {
  if (!may_look()) GTEST_SKIP() << kNoLooking;
  ASSERT_THAT(start(), Succeeds());
  const std::string maps = content_of("/proc/" + std::to_string(backend->process()) + "/maps");
  EXPECT_THAT(maps, HasSubstr("sealpack-tee"));
  std::istringstream lines(maps);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_EQ(line.substr(line.rfind('/') + 1).find(".so"), std::string::npos) << line;
  }
}

TEST_F(ProcessCase, StartsNoProgramThatLoadsLibraries) {
  ProcessOptions how = options();
  how.program = kOrdinary;
  EXPECT_THAT(start(how), FailsWith(ErrorCode::kRefused, HasSubstr("libraries")));
}

TEST_F(ProcessCase, MeasuresAnotherProgramAsAnother) {
  ASSERT_THAT(start(), Succeeds());
  const Digest before = backend->expected_measurement({});
  ByteVector longer = tee_program();
  longer.push_back(0);
  const std::filesystem::path other = folder.put("other", std::string(as_text(longer)));
  std::filesystem::permissions(other, std::filesystem::perms(0755));
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  ProcessOptions how = options();
  how.program = other;
  ASSERT_THAT(start(how), Succeeds());
  EXPECT_NE(backend->expected_measurement({}), before);
}

}  // namespace
}  // namespace sealpack::tee
