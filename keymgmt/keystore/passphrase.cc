// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/passphrase.h"

#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "formats/files/file_source.h"
#include "keymgmt/keystore/private_file.h"

namespace sealpack::keystore {

namespace {

// A terminal without echo and without signal keys while the object lives. Ctrl-C arrives as a
// character, so that the terminal is always restored.
class QuietTerminal {
 public:
  explicit QuietTerminal(int fd) : fd_(fd) {
    quiet_ = ::tcgetattr(fd_, &before_) == 0;
    if (!quiet_) return;
    struct termios now = before_;
    now.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ISIG);
    now.c_lflag |= ICANON;
    quiet_ = ::tcsetattr(fd_, TCSAFLUSH, &now) == 0;
  }
  ~QuietTerminal() {
    if (quiet_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;
  bool quiet() const { return quiet_; }

 private:
  int fd_;
  struct termios before_ {};
  bool quiet_ = false;
};

void show(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

Result<crypto::SecretBytes> first_line(Bytes text, const std::string& name) {
  text = text.first(
      static_cast<std::size_t>(std::find(text.begin(), text.end(), '\n') - text.begin()));
  if (!text.empty() && text.back() == '\r') text = text.first(text.size() - 1);
  if (text.empty() || text.size() > kMaxPassphraseSize) {
    return Error(ErrorCode::kUsage,
                 "the passphrase " + name + " is empty or longer than 1024 bytes");
  }
  return crypto::SecretBytes::copy_of(text);
}

}  // namespace

Result<crypto::SecretBytes> load_passphrase(const std::filesystem::path& path) {
  const crypto::SecretBytes content =
      TRY(load_private_file(path, crypto::SecretBytes::kMaxSize).within("passphrase file"));
  return first_line(content.reveal(), "in " + printable(path.string()));
}

Result<crypto::SecretBytes> FilePassphrase::passphrase(const std::string& /*what*/) {
  return load_passphrase(path_);
}

Result<crypto::SecretBytes> FilePassphrase::new_passphrase(const std::string& /*what*/) {
  return load_passphrase(path_);
}

Result<crypto::SecretBytes> TerminalPassphrase::passphrase(const std::string& what) {
  return ask("Passphrase for " + what + ": ");
}

Result<crypto::SecretBytes> TerminalPassphrase::new_passphrase(const std::string& what) {
  crypto::SecretBytes first = TRY(ask("New passphrase for " + what + ": "));
  const crypto::SecretBytes second = TRY(ask("The same again: "));
  if (!first.equals(second.reveal())) {
    return Error(ErrorCode::kUsage, "the two passphrases differ");
  }
  return first;
}

Result<crypto::SecretBytes> TerminalPassphrase::ask(const std::string& prompt) const {
  if (::isatty(input_) == 0) {
    return Error(ErrorCode::kUsage, "a passphrase is needed and standard input is not a terminal")
        .with_hint("give --passphrase-file FILE");
  }
  const QuietTerminal terminal(input_);
  if (!terminal.quiet()) return io_error("cannot switch the echo of the terminal off", errno);
  show(output_, prompt);
  crypto::SecretBytes line(kMaxPassphraseSize + 2);
  std::size_t filled = 0;
  bool ended = false;
  while (!ended && filled < line.size()) {
    const MutableBytes rest = line.reveal_for_writing().subspan(filled);
    const ssize_t got = ::read(input_, rest.data(), rest.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("cannot read the passphrase", errno);
    filled += static_cast<std::size_t>(got);
    ended = got == 0 || line.reveal()[filled - 1] == '\n';
  }
  show(output_, "\n");
  const Bytes typed = line.reveal().first(filled);
  constexpr std::uint8_t kControlC = 3;
  if (std::find(typed.begin(), typed.end(), kControlC) != typed.end()) {
    return Error(ErrorCode::kUsage, "cancelled at the passphrase prompt");
  }
  return first_line(typed, "typed");
}

}  // namespace sealpack::keystore
