// SPDX-License-Identifier: Apache-2.0
#include "packer/verbs/recipient_list.h"

#include "formats/files/file_source.h"
#include "keymgmt/crypto/passphrase.h"
#include "keymgmt/crypto/random.h"
#include "keymgmt/keystore/key_file.h"
#include "keymgmt/keystore/key_ref.h"

namespace sealpack::packer {
namespace {

using keystore::Role;

constexpr std::size_t kMaxRecipients = 65536;

bundle::SlotClass class_of(Role role) {
  const bool attested = role == Role::kBroker || role == Role::kDevice;
  return attested ? bundle::SlotClass::kAttested : bundle::SlotClass::kDirect;
}

Result<Recipient> load_symmetric(const std::filesystem::path& path,
                                 keystore::PassphraseSource& passphrases) {
  keystore::Unwrapper unwrapper = TRY(keystore::open_unwrapper(path.string(), {}, passphrases));
  auto* key = std::get_if<crypto::WrappingKey>(&unwrapper.key);
  if (key == nullptr) {
    return Error(ErrorCode::kUsage, printable(path.string()) + " is a private key")
        .with_hint("name the recipient's .pub file");
  }
  const Role role = unwrapper.role.value_or(Role::kRecipient);
  return Recipient{std::move(*key), class_of(role), printable(path.string()),
                   role == Role::kEscrow};
}

}  // namespace

Result<Recipient> load_recipient(const std::filesystem::path& path,
                                 keystore::PassphraseSource& passphrases) {
  if (path.extension() == ".key") return load_symmetric(path, passphrases);
  const keystore::PublicKey key = TRY(keystore::load_public_key(path, std::nullopt));
  if (keystore::signs(key.role)) {
    return Error(ErrorCode::kUsage, printable(path.string()) + " is a key of role " +
                                        keystore::to_string(key.role) +
                                        ", which signs and cannot open bundles");
  }
  return Recipient{key.encryption_key(), class_of(key.role), printable(path.string()),
                   key.role == Role::kEscrow};
}

Result<std::vector<Recipient>> load_recipient_list(const std::filesystem::path& path,
                                                   keystore::PassphraseSource& passphrases) {
  constexpr std::uint64_t kMaxListSize = 64U << 20U;
  const ByteVector text = TRY(load_file(path, kMaxListSize));
  std::vector<Recipient> recipients;
  std::string_view rest = as_text(text);
  for (std::size_t line_number = 1; !rest.empty(); ++line_number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    line = line.substr(0, line.find('#'));
    while (!line.empty() && std::string_view(" \t\r").find(line.back()) != std::string_view::npos) {
      line.remove_suffix(1);
    }
    if (line.empty()) continue;
    if (recipients.size() == kMaxRecipients) {
      return Error(ErrorCode::kLimit, printable(path.string()) + " names more than " +
                                          std::to_string(kMaxRecipients) + " recipients")
          .with_hint("give the others grants (sealpack grant)");
    }
    recipients.push_back(
        TRY(load_recipient(path.parent_path() / std::filesystem::path(line), passphrases)
                .within(printable(path.string()) + ", line " + std::to_string(line_number))));
  }
  if (recipients.empty()) {
    return Error(ErrorCode::kUsage, printable(path.string()) + " names no recipient");
  }
  return recipients;
}

Result<Recipient> load_passphrase_recipient(const std::filesystem::path& path) {
  const crypto::SecretBytes passphrase = TRY(keystore::load_passphrase(path));
  const crypto::Argon2Cost cost;
  const auto salt = crypto::random_array<16>();
  PassphraseKey key{TRY(crypto::argon2id(passphrase, salt, cost)), salt, cost.passes,
                    cost.memory_kib};
  return Recipient{std::move(key), bundle::SlotClass::kDirect,
                   "the passphrase of " + printable(path.string()), false};
}

}  // namespace sealpack::packer
