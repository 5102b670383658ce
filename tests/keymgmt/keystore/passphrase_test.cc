// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/passphrase.h"

#include <fcntl.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <thread>

#include "formats/files/file_source.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::keystore {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::sealpack::testing::TemporaryFolder;
using ::testing::HasSubstr;

std::filesystem::path write(const TemporaryFolder& folder, const std::string& text,
                            unsigned mode = 0600) {
  const std::filesystem::path path = folder.put("passphrase", text);
  std::filesystem::permissions(path, std::filesystem::perms{mode});
  return path;
}

std::string text_of(const crypto::SecretBytes& secret) {
  return std::string(as_text(secret.reveal()));
}

TEST(PassphraseFile, IsItsFirstLine) {
  const TemporaryFolder folder;
  EXPECT_EQ(text_of(load_passphrase(write(folder, "open sesame\nnot this\n")).value()),
            "open sesame");
  EXPECT_EQ(text_of(load_passphrase(write(folder, "no newline")).value()), "no newline");
  EXPECT_EQ(text_of(load_passphrase(write(folder, "dos\r\n")).value()), "dos");
  EXPECT_EQ(text_of(load_passphrase(write(folder, " kept \n")).value()), " kept ");
}

TEST(PassphraseFile, RefusesEmptyAndEndlessOnes) {
  const TemporaryFolder folder;
  EXPECT_THAT(load_passphrase(write(folder, "")), Fails(ErrorCode::kUsage));
  EXPECT_THAT(load_passphrase(write(folder, "\nsecond")), Fails(ErrorCode::kUsage));
  EXPECT_THAT(load_passphrase(write(folder, std::string(1025, 'x'))), Fails(ErrorCode::kUsage));
}

TEST(PassphraseFile, RefusesOneThatOthersCanRead) {
  const TemporaryFolder folder;
  EXPECT_THAT(load_passphrase(write(folder, "secret\n", 0644)), Fails(ErrorCode::kRefused));
}

// A terminal whose keyboard is a text.
class Terminal {
 public:
  Terminal() { EXPECT_EQ(::openpty(&keyboard_, &terminal_, nullptr, nullptr, nullptr), 0); }
  ~Terminal() {
    ::close(keyboard_);
    ::close(terminal_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  int descriptor() const { return terminal_; }
  bool echoes() const {
    struct termios now {};
    ::tcgetattr(terminal_, &now);
    return (now.c_lflag & ECHO) != 0;
  }
  // Types each line once the terminal has stopped to echo and shows a new prompt.
  std::thread type(std::vector<std::string> lines) {
    return std::thread([this, lines = std::move(lines)] {
      for (const std::string& line : lines) {
        std::string seen;
        while (seen.find(": ") == std::string::npos) {
          char letter = 0;
          if (::read(keyboard_, &letter, 1) != 1) return;
          seen += letter;
        }
        echoed_while_typing_ = echoed_while_typing_ || echoes();
        if (::write(keyboard_, line.data(), line.size()) < 0) return;
      }
    });
  }
  bool echoed_while_typing() const { return echoed_while_typing_; }

 private:
  int keyboard_ = -1;
  int terminal_ = -1;
  bool echoed_while_typing_ = false;
};

TEST(TerminalPassphrase, ReadsALineWithoutEcho) {
  Terminal terminal;
  std::thread typist = terminal.type({"open sesame\n"});
  TerminalPassphrase source(terminal.descriptor(), terminal.descriptor());
  const auto answer = source.passphrase("key file 'k'");
  typist.join();
  ASSERT_THAT(answer, Succeeds());
  EXPECT_EQ(text_of(*answer), "open sesame");
  EXPECT_FALSE(terminal.echoed_while_typing());
  EXPECT_TRUE(terminal.echoes()) << "the echo is not restored";
}

TEST(TerminalPassphrase, AsksTwiceForANewOne) {
  Terminal terminal;
  std::thread typist = terminal.type({"one\n", "one\n"});
  TerminalPassphrase source(terminal.descriptor(), terminal.descriptor());
  const auto same = source.new_passphrase("x");
  typist.join();
  EXPECT_THAT(same, Succeeds());
  typist = terminal.type({"one\n", "two\n"});
  const auto different = source.new_passphrase("x");
  typist.join();
  EXPECT_THAT(different, FailsWith(ErrorCode::kUsage, HasSubstr("differ")));
}

TEST(TerminalPassphrase, IsCancelledByControlC) {
  Terminal terminal;
  std::thread typist = terminal.type({"half\x03\n"});
  TerminalPassphrase source(terminal.descriptor(), terminal.descriptor());
  const auto answer = source.passphrase("x");
  typist.join();
  EXPECT_THAT(answer, FailsWith(ErrorCode::kUsage, HasSubstr("cancelled")));
  EXPECT_TRUE(terminal.echoes());
}

TEST(TerminalPassphrase, RefusesToReadWhatIsNoTerminal) {
  const FileDescriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  TerminalPassphrase source(null.get(), null.get());
  const auto answer = source.passphrase("x");
  ASSERT_THAT(answer, Fails(ErrorCode::kUsage));
  EXPECT_THAT(answer.error().hint(), HasSubstr("--passphrase-file"));
}

}  // namespace
}  // namespace sealpack::keystore
