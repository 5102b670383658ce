// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/exec_key.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "keymgmt/crypto/private_key.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::keystore {
namespace {

using crypto::KeyType;
using crypto::PrivateKey;
using ::sealpack::testing::content_of;
using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::sealpack::testing::TemporaryFolder;
using ::testing::HasSubstr;

// A folder with a shell script that stands for a KMS client, and the files it answers with.
class Kms : public ::testing::Test {
 protected:
  ExecProgram script(const std::string& body) {
    const auto path =
        folder_.put("kms", "#!/bin/sh\ncd '" + folder_.path().string() + "'\n" + body);
    std::filesystem::permissions(path, std::filesystem::perms{0700});
    return ExecProgram{path.string(), std::chrono::minutes(5)};
  }
  void answer(const std::string& name, Bytes bytes) {
    folder_.put(name, std::string(as_text(bytes)));
  }

  // What comes of a program that does not end, with as much time as it needs to get so far that it
  // made the file `last`.
  Status hang(ExecProgram program, const std::string& last) {
    program.timeout = std::chrono::milliseconds(100);
    for (;;) {
      auto opened = open_exec_signer(program);
      if (opened.ok()) return Error(ErrorCode::kInternal, "it ended");
      if (content_of(folder_ / last).ends_with('\n') || program.timeout > std::chrono::minutes(1)) {
        return std::move(opened).take_error();
      }
      program.timeout *= 2;
    }
  }

  // Answers from the files spki and answer.
  ExecProgram replaying() {
    return script("case $1 in public-key) cat spki;; *) cat > input; cat answer;; esac\n");
  }

  TemporaryFolder folder_;
};

TEST_F(Kms, GetsTheMessageAndItsSignatureIsVerified) {
  for (const KeyType type : {KeyType::kEd25519, KeyType::kEcdsaP256, KeyType::kEcdsaP384}) {
    const auto key = PrivateKey::generate(type);
    const std::string message(200000, 'm');  // more than a pipe holds
    answer("spki", key->spki());
    answer("answer", key->signer().value()->sign(as_bytes(message)).value());
    const auto signer = open_exec_signer(replaying());
    ASSERT_THAT(signer, Succeeds());
    const auto signature = (*signer)->sign(as_bytes(message));
    ASSERT_THAT(signature, Succeeds());
    EXPECT_THAT((*signer)->public_key().verify(as_bytes(message), *signature), Succeeds());
    EXPECT_EQ(content_of(folder_ / "input"), message);
  }
}

TEST_F(Kms, IsNotBelievedWhenItLies) {
  const auto key = PrivateKey::generate(KeyType::kEd25519);
  answer("spki", key->spki());
  answer("answer", key->signer().value()->sign(as_bytes("another message")).value());
  const auto signer = open_exec_signer(replaying());
  ASSERT_THAT(signer, Succeeds());
  EXPECT_THAT((*signer)->sign(as_bytes("message")), Fails(ErrorCode::kNotAuthentic));
}

TEST_F(Kms, IsToldThatDerIsNotTheEncoding) {
  const auto key = PrivateKey::generate(KeyType::kEcdsaP256);
  answer("spki", key->spki());
  answer("answer", ByteVector(71, 0x30));
  const auto signer = open_exec_signer(replaying());
  const auto signature = (*signer)->sign(as_bytes("message"));
  ASSERT_THAT(signature, Fails(ErrorCode::kMalformed));
  EXPECT_THAT(signature.error().hint(), HasSubstr("not DER"));
}

TEST_F(Kms, IsKilledWithItsChildrenWhenItHangs) {
  const ExecProgram program = script("echo $$ > self; sleep 300 & echo $! > child; sleep 300\n");
  EXPECT_THAT(hang(program, "child"), FailsWith(ErrorCode::kTryAgain, HasSubstr(" ms")));
  for (const char* name : {"self", "child"}) {
    const std::string pid = std::to_string(std::stoi(content_of(folder_ / name)));
    // A killed process takes a moment to be gone.
    const auto is_gone = [&] {
      std::ifstream status("/proc/" + pid + "/stat");
      const std::string text((std::istreambuf_iterator<char>(status)), {});
      return text.empty() || text.find(") Z ") != std::string::npos;
    };
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (!is_gone() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_TRUE(is_gone()) << name;
  }
}

TEST_F(Kms, IsKilledWhenItClosesItsOutputAndHangs) {
  const ExecProgram program = script("exec >&-; echo closed > self; sleep 300\n");
  EXPECT_THAT(hang(program, "self"), Fails(ErrorCode::kTryAgain));
}

TEST_F(Kms, MayNotAnswerWithoutEnd) {
  EXPECT_THAT(open_exec_signer(script("cat /dev/zero\n")), Fails(ErrorCode::kLimit));
}

TEST_F(Kms, FailsAloud) {
  EXPECT_THAT(open_exec_signer(script("exit 7\n")),
              FailsWith(ErrorCode::kIo, HasSubstr("status 7")));
  EXPECT_THAT(open_exec_signer(script("kill -9 $$\n")),
              FailsWith(ErrorCode::kIo, HasSubstr("signal 9")));
  EXPECT_THAT(open_exec_signer(script("echo nonsense\n")), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(open_exec_signer(script("true\n")), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(open_exec_signer(ExecProgram{(folder_ / "none").string()}), Fails(ErrorCode::kIo));
}

TEST_F(Kms, AnswerCountsOnlyWithExitStatusZero) {
  answer("spki", PrivateKey::generate(KeyType::kEd25519)->spki());
  EXPECT_THAT(open_exec_signer(script("cat spki; exit 1\n")), Fails(ErrorCode::kIo));
}

TEST_F(Kms, IsNotSearchedForAlongPath) {
  EXPECT_THAT(open_exec_signer(ExecProgram{"true"}), Fails(ErrorCode::kUsage));
  EXPECT_THAT(open_exec_signer(ExecProgram{""}), Fails(ErrorCode::kUsage));
}

TEST_F(Kms, SeesNoVariableButPathAndHomeAndNoOpenFile) {
  ASSERT_EQ(::setenv("SEALPACK_TEST_SECRET", "x", 1), 0);
  const auto output =
      run_exec_program(script("env | cut -d= -f1; ls /proc/self/fd\n"), "public-key", {}, 4096);
  ASSERT_THAT(output, Succeeds());
  const std::string seen(as_text(output->reveal()));
  EXPECT_THAT(seen, HasSubstr("PATH\n"));
  EXPECT_THAT(seen, HasSubstr("HOME\n"));
  EXPECT_EQ(seen.find("SEALPACK"), std::string::npos);
  EXPECT_THAT(seen, HasSubstr("0\n1\n2\n3\n"));  // 3 is the folder that ls reads
  EXPECT_EQ(seen.find("\n4"), std::string::npos) << seen;
}

TEST_F(Kms, UnwrapsWithRsaAlone) {
  answer("spki", PrivateKey::generate(KeyType::kX25519)->spki());
  EXPECT_THAT(open_exec_decryptor(replaying()), Fails(ErrorCode::kUnsupported));
  answer("spki", PrivateKey::generate(KeyType::kRsa3072)->spki());
  answer("answer", as_bytes("the secret"));
  const auto decryptor = open_exec_decryptor(replaying());
  ASSERT_THAT(decryptor, Succeeds());
  const auto secret = (*decryptor)->rsa_oaep_unwrap(ByteVector(384, 1));
  ASSERT_THAT(secret, Succeeds());
  EXPECT_TRUE(secret->equals(as_bytes("the secret")));
  EXPECT_THAT((*decryptor)->hpke_open({}, {}, {}, {}), Fails(ErrorCode::kUnsupported));
}

}  // namespace
}  // namespace sealpack::keystore
