// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/key_file.h"

#include <algorithm>

#include "formats/files/file_source.h"
#include "keymgmt/keystore/pem.h"

namespace sealpack::keystore {

namespace {

constexpr std::string_view kLineStart = "sealpack-key: ";
constexpr std::string_view kPublicLabel = "PUBLIC KEY";
constexpr std::string_view kPlainLabel = "PRIVATE KEY";
constexpr std::string_view kEncryptedLabel = "ENCRYPTED PRIVATE KEY";

struct Heading {
  Role role{};
  std::string name;
};

// Names are shown to people, so they may not steer a terminal.
bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxKeyNameSize && name.front() != ' ' &&
         name.back() != ' ' && printable(name) == "'" + std::string(name) + "'";
}

// Cuts the sealpack line off `text`; nullopt where the text does not begin with one.
Result<std::optional<Heading>> take_heading(std::string_view& text) {
  if (!text.starts_with(kLineStart)) return std::optional<Heading>();
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) {
    return Error(ErrorCode::kMalformed, "key file ends inside its first line");
  }
  std::string_view line = text.substr(kLineStart.size(), end - kLineStart.size());
  text.remove_prefix(end + 1);
  constexpr std::string_view kRole = "role=";
  constexpr std::string_view kName = " name=";
  if (!line.starts_with(kRole)) {
    return Error(ErrorCode::kMalformed,
                 "the first line of a key file reads 'sealpack-key: role=…'");
  }
  line.remove_prefix(kRole.size());
  const std::string_view role_text = line.substr(0, line.find(' '));
  line.remove_prefix(role_text.size());
  const std::optional<Role> role = parse_role(role_text);
  if (!role) return Error(ErrorCode::kMalformed, "unknown role " + printable(role_text));
  Heading heading{*role, {}};
  if (!line.empty()) {
    if (!line.starts_with(kName) || !is_name(line.substr(kName.size()))) {
      return Error(ErrorCode::kMalformed,
                   "after its role a key file has nothing or ' name=TEXT', "
                   "at most 256 bytes of printable text");
    }
    heading.name = line.substr(kName.size());
  }
  return std::optional<Heading>(std::move(heading));
}

std::string heading_text(Role role, const std::string& name) {
  std::string line = std::string(kLineStart) + "role=" + to_string(role);
  if (!name.empty()) line += " name=" + name;
  return line + "\n";
}

Status check_name(const std::string& name) {
  if (name.empty() || is_name(name)) return done();
  return Error(ErrorCode::kUsage, "a key name is at most 256 bytes of printable text, not " +
                                      printable(std::string_view(name).substr(0, 64)));
}

// Proves that the SPKI is a key of the role's kind.
Result<Digest> check_spki(Role role, Bytes spki) {
  if (signs(role)) {
    const crypto::VerifyingKey key = TRY(crypto::VerifyingKey::from_spki(spki));
    return key.digest();
  }
  const crypto::EncryptionKey key = TRY(crypto::EncryptionKey::from_spki(spki));
  return key.digest();
}

crypto::PrivateKey::Use use_of(Role role) {
  return signs(role) ? crypto::PrivateKey::Use::kSign : crypto::PrivateKey::Use::kUnwrap;
}

Status check_allowed(Role role, const std::vector<Role>& allowed) {
  if (allowed.empty() || std::find(allowed.begin(), allowed.end(), role) != allowed.end()) {
    return done();
  }
  std::string names;
  for (const Role other : allowed)
    names += (names.empty() ? "" : " or ") + std::string(to_string(other));
  return Error(ErrorCode::kUsage,
               std::string("it is a key of role ") + to_string(role) + ", not " + names);
}

Result<crypto::PrivateKey> open_private_key(const PrivateKeyText& text, const std::string& what,
                                            PassphraseSource& passphrases) {
  const PemBlock block{text.label, text.body, text.size};
  if (!text.encrypted) {
    crypto::SecretBytes der(text.size);
    TRY(decode_pem(block, der.reveal_for_writing()));
    return crypto::PrivateKey::from_pkcs8(der, use_of(text.role));
  }
  ByteVector der(text.size);
  TRY(decode_pem(block, der));
  const crypto::SecretBytes passphrase = TRY(passphrases.passphrase(what));
  return crypto::PrivateKey::from_encrypted_pkcs8(der, passphrase, use_of(text.role));
}

}  // namespace

crypto::VerifyingKey PublicKey::verifying_key() const {
  return crypto::VerifyingKey::from_spki(spki).value();
}

crypto::EncryptionKey PublicKey::encryption_key() const {
  return crypto::EncryptionKey::from_spki(spki).value();
}

bool role_allows(Role role, crypto::KeyType type) {
  using crypto::KeyType;
  switch (type) {
    case KeyType::kEd25519:
    case KeyType::kEcdsaP256:
    case KeyType::kEcdsaP384:
      return signs(role);
    case KeyType::kX25519:
    case KeyType::kEcdhP256:
    case KeyType::kRsa3072:
      return !signs(role);
    case KeyType::kAes256:
      return role == Role::kRecipient;
  }
  return false;
}

Result<PublicKey> parse_public_key(std::string_view text, std::optional<Role> assumed) {
  if (text.size() > kMaxKeyFileSize) {
    return Error(ErrorCode::kLimit, "a key file has at most 64 KiB");
  }
  const std::optional<Heading> heading = TRY(take_heading(text));
  if (!heading && text.starts_with("-----BEGIN ") && !assumed) {
    return Error(ErrorCode::kUsage, "nothing says what this key is for")
        .with_hint("write 'sealpack-key: role=ROLE' as the first line of the file");
  }
  const PemBlock block = TRY(parse_pem(text));
  if (block.label != kPublicLabel) {
    const bool is_private = block.label.ends_with(kPlainLabel);
    return Error(ErrorCode::kMalformed, "holds " + printable(block.label) + ", not 'PUBLIC KEY'")
        .with_hint(is_private ? "this is a private key; give its .pub file" : "");
  }
  PublicKey key;
  key.role = heading ? heading->role : *assumed;
  if (heading) key.name = heading->name;
  key.spki.resize(block.size);
  TRY(decode_pem(block, key.spki));
  key.digest = TRY(check_spki(key.role, key.spki));
  return key;
}

Result<PublicKey> load_public_key(const std::filesystem::path& path, std::optional<Role> assumed) {
  const ByteVector content = TRY(load_file(path, kMaxKeyFileSize));
  return parse_public_key(as_text(content), assumed).within("key file " + printable(path.string()));
}

Result<std::string> serialize_public_key(Role role, const std::string& name, Bytes spki) {
  TRY(check_name(name));
  std::string text = heading_text(role, name);
  ByteVector pem(pem_size(kPublicLabel, spki.size()));
  encode_pem(kPublicLabel, spki, pem);
  return text.append(as_text(pem));
}

Result<PrivateKeyText> parse_private_key_text(std::string_view text) {
  if (text.size() > kMaxKeyFileSize) {
    return Error(ErrorCode::kLimit, "a key file has at most 64 KiB");
  }
  const std::optional<Heading> heading = TRY(take_heading(text));
  if (!heading) {
    return Error(ErrorCode::kMalformed, "does not begin with a line 'sealpack-key: role=…'")
        .with_hint("for a PKCS#8 file of another tool, write 'sealpack-key: role=ROLE' before it");
  }
  const PemBlock block = TRY(parse_pem(text));
  if (block.label != kPlainLabel && block.label != kEncryptedLabel) {
    return Error(ErrorCode::kMalformed, "holds " + printable(block.label) + ", not a private key")
        .with_hint(block.label == kPublicLabel ? "give the .key file" : "");
  }
  return PrivateKeyText{heading->role, heading->name, block.label == kEncryptedLabel,
                        block.label,   block.body,    block.size};
}

Result<LoadedPrivateKey> parse_private_key(std::string_view content, const std::string& what,
                                           const std::vector<Role>& allowed,
                                           PassphraseSource& passphrases) {
  const PrivateKeyText text = TRY(parse_private_key_text(content).within(what));
  TRY(check_allowed(text.role, allowed).within(what));
  crypto::PrivateKey key = TRY(open_private_key(text, what, passphrases).within(what));
  if (!role_allows(text.role, key.type())) {
    return Error(ErrorCode::kUnsupported,
                 what + ": a key of role " + to_string(text.role) + " is not of this type");
  }
  return LoadedPrivateKey{text.role, text.name, std::move(key)};
}

Result<LoadedPrivateKey> load_private_key(const std::filesystem::path& path,
                                          const std::vector<Role>& allowed,
                                          PassphraseSource& passphrases) {
  const crypto::SecretBytes content = TRY(load_private_file(path, kMaxKeyFileSize));
  return parse_private_key(as_text(content.reveal()), "key file " + printable(path.string()),
                           allowed, passphrases);
}

Status store_private_key(const std::filesystem::path& path, Role role, const std::string& name,
                         const crypto::PrivateKey& key, const crypto::SecretBytes* passphrase,
                         Overwrite overwrite) {
  TRY(check_name(name));
  if (!role_allows(role, key.type())) {
    return Error(ErrorCode::kUsage,
                 std::string("a key of role ") + to_string(role) + " is not of this type");
  }
  const std::string heading = heading_text(role, name);
  const std::string_view label = passphrase == nullptr ? kPlainLabel : kEncryptedLabel;
  const crypto::SecretBytes der =
      passphrase == nullptr ? key.to_pkcs8()
                            : crypto::SecretBytes::copy_of(key.to_encrypted_pkcs8(*passphrase));
  crypto::SecretBytes text(heading.size() + pem_size(label, der.size()));
  const MutableBytes out = text.reveal_for_writing();
  std::copy(heading.begin(), heading.end(), out.begin());
  encode_pem(label, der.reveal(), out.subspan(heading.size()));
  return store_file(path, text.reveal(), 0600, overwrite);
}

}  // namespace sealpack::keystore
