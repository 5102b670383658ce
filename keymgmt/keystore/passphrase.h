// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "keymgmt/crypto/secret_bytes.h"

namespace sealpack::keystore {

// Where passphrases and PINs come from. They live in SecretBytes alone: never in argv, the
// environment, std::string or logs.
class PassphraseSource {
 public:
  virtual ~PassphraseSource() = default;
  // For something that exists; `what` names it in the prompt ("key file 'vendor.key'").
  virtual Result<crypto::SecretBytes> passphrase(const std::string& what) = 0;
  // For something that is being made; a prompt asks twice.
  virtual Result<crypto::SecretBytes> new_passphrase(const std::string& what) = 0;
};

inline constexpr std::size_t kMaxPassphraseSize = 1024;

// The first line of a file that only its owner may read, without its line end (LF or CR LF). kUsage
// when it is empty or longer than kMaxPassphraseSize, kRefused for files that others may read.
Result<crypto::SecretBytes> load_passphrase(const std::filesystem::path& path);

class FilePassphrase : public PassphraseSource {
 public:
  explicit FilePassphrase(std::filesystem::path path) : path_(std::move(path)) {}
  Result<crypto::SecretBytes> passphrase(const std::string& what) override;
  Result<crypto::SecretBytes> new_passphrase(const std::string& what) override;

 private:
  std::filesystem::path path_;
};

// Asks on a terminal without echo. kUsage when `input` is not a terminal (a script would hang or
// feed the wrong thing), when the two answers for something new differ, and after Ctrl-C.
class TerminalPassphrase : public PassphraseSource {
 public:
  explicit TerminalPassphrase(int input = 0, int output = 2) : input_(input), output_(output) {}
  Result<crypto::SecretBytes> passphrase(const std::string& what) override;
  Result<crypto::SecretBytes> new_passphrase(const std::string& what) override;

 private:
  Result<crypto::SecretBytes> ask(const std::string& prompt) const;
  int input_;
  int output_;
};

}  // namespace sealpack::keystore
