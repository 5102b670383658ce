// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "keymgmt/crypto/private_key.h"
#include "keymgmt/keystore/passphrase.h"
#include "keymgmt/keystore/private_file.h"
#include "keymgmt/keystore/role.h"

namespace sealpack::keystore {

// Key files are text: a line
//   sealpack-key: role=ROLE[ name=TEXT to the end of the line]
// and one PEM block in strict form. NAME.pub has "PUBLIC KEY" (SubjectPublicKeyInfo); NAME.key has
// "ENCRYPTED PRIVATE KEY" or "PRIVATE KEY" (PKCS#8) and is readable by its owner alone. The PEM
// block is what openssl reads and writes; the line makes a key refuse to serve two roles.
inline constexpr std::size_t kMaxKeyFileSize = 65536;
inline constexpr std::size_t kMaxKeyNameSize = 256;

struct PublicKey {
  Role role{};
  std::string name;  // empty where the file gives none
  ByteVector spki;   // a valid key of a type that the role allows
  Digest digest;     // SHA-256 of spki

  // End the process when the role is of the other kind.
  crypto::VerifyingKey verifying_key() const;
  crypto::EncryptionKey encryption_key() const;
};

// True for key types that a role may have.
bool role_allows(Role role, crypto::KeyType type);

// `assumed` is the role of a plain PEM block as openssl writes it, without the sealpack line; with
// nullopt such a file is kUsage, because nothing says what the key is for. A file that has the line
// keeps its own role, whatever is assumed: the caller compares. Others: kMalformed, kUnsupported,
// kLimit.
Result<PublicKey> parse_public_key(std::string_view text, std::optional<Role> assumed);
Result<PublicKey> load_public_key(const std::filesystem::path& path, std::optional<Role> assumed);
// The file's text. The name must be printable and within kMaxKeyNameSize (kUsage).
Result<std::string> serialize_public_key(Role role, const std::string& name, Bytes spki);

// A private key file before it is opened; views into the text it was parsed from.
struct PrivateKeyText {
  Role role{};
  std::string name;
  bool encrypted = false;
  std::string_view label;
  std::string_view body;
  std::size_t size = 0;
};
Result<PrivateKeyText> parse_private_key_text(std::string_view text);

struct LoadedPrivateKey {
  Role role{};
  std::string name;
  crypto::PrivateKey key;
};

// The key in the text of a file, named `what` in messages and prompts; as load_private_key.
Result<LoadedPrivateKey> parse_private_key(std::string_view text, const std::string& what,
                                           const std::vector<Role>& allowed,
                                           PassphraseSource& passphrases);

// Asks `passphrases` only for an encrypted file. kRefused for files that others may read;
// kKeyUnavailable for a wrong passphrase; kUsage for a role outside `allowed` (empty allows all).
Result<LoadedPrivateKey> load_private_key(const std::filesystem::path& path,
                                          const std::vector<Role>& allowed,
                                          PassphraseSource& passphrases);

// Encrypted under `passphrase`, in the clear where that is null; mode 0600.
Status store_private_key(const std::filesystem::path& path, Role role, const std::string& name,
                         const crypto::PrivateKey& key, const crypto::SecretBytes* passphrase,
                         Overwrite overwrite);

}  // namespace sealpack::keystore
