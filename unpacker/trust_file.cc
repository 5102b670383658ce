// SPDX-License-Identifier: Apache-2.0
#include "unpacker/trust_file.h"

#include <map>

#include "formats/files/file_source.h"
#include "formats/toml/toml_table.h"
#include "keymgmt/keystore/key_file.h"

namespace sealpack::unpacker {

namespace {

using keystore::PublicKey;
using keystore::Role;

// Where each key was listed first, by its digest: one key, one role, once.
using KeyPlaces = std::map<Digest, std::string>;

Status add_key(const std::filesystem::path& path, Role role, KeyPlaces& places, SignerRule& rule) {
  const PublicKey key = TRY(keystore::load_public_key(path, role));
  const std::string file = "key file " + printable(path.string());
  if (key.role != role) {
    return Error(ErrorCode::kUsage, file + " is a key of role " + keystore::to_string(key.role) +
                                        ", listed as " + rule.role);
  }
  const auto [place, is_new] = places.emplace(key.digest, rule.role);
  if (!is_new) {
    const std::string why =
        place->second == rule.role ? " is listed twice" : " also has the role " + place->second;
    return Error(ErrorCode::kUsage, file + why).with_hint("a key serves one role and counts once");
  }
  rule.keys.push_back(key.verifying_key());
  return done();
}

Status add_signers(const TrustText::Signers& signers, const std::filesystem::path& folder,
                   KeyPlaces& places, Trust& trust) {
  const std::optional<Role> role = keystore::parse_role(signers.role);
  if (!role) die("trust text with an unknown role");
  SignerRule rule;
  rule.role = signers.role;
  rule.threshold = signers.threshold;
  for (const std::string& path : signers.key_paths) {
    TRY(add_key(folder / path, *role, places, rule));
  }
  if (role == Role::kAuthority) {
    for (const crypto::VerifyingKey& key : rule.keys) trust.authorities.push_back(key.digest());
  }
  if (signers.sign) trust.signers.push_back(std::move(rule));
  return done();
}

Result<Revocations> load_revocations(const std::filesystem::path& path,
                                     std::uint64_t minimum_serial) {
  const ByteVector content = TRY(load_file(path, TomlTable::kMaxSize).within("revocations"));
  Revocations out = TRY(parse_revocations(as_text(content), path.string()));
  if (out.serial < minimum_serial) {
    return Error(ErrorCode::kRefused, "revocations " + printable(path.string()) + " have serial " +
                                          std::to_string(out.serial) + ", below the minimum " +
                                          std::to_string(minimum_serial))
        .with_hint("fetch the current revocation file from the vendor");
  }
  return out;
}

Result<TrustFile> load_bare_key(const std::filesystem::path& path) {
  const PublicKey key = TRY(keystore::load_public_key(path, std::nullopt));
  if (key.role != Role::kAuthority) {
    return Error(ErrorCode::kUsage, "key file " + printable(path.string()) + " is a key of role " +
                                        keystore::to_string(key.role) + ", not authority")
        .with_hint("write a trust.toml that lists it beside the authority it acts for");
  }
  TrustFile out;
  out.trust.authorities = {key.digest};
  out.trust.signers = {SignerRule{"authority", {key.verifying_key()}, 1}};
  return out;
}

}  // namespace

Result<TrustFile> load_trust_text(std::string_view toml, const std::string& name,
                                  const std::filesystem::path& folder) {
  TrustText text = TRY(parse_trust_text(toml, name));
  TrustFile out;
  out.use_host_time = text.use_host_time;
  KeyPlaces places;
  for (const TrustText::Signers& signers : text.signers) {
    TRY(add_signers(signers, folder, places, out.trust).within(printable(name)));
  }
  out.trust.product = std::move(text.product);
  out.trust.counter_floor = text.counter_floor;
  out.trust.floor_release = text.floor_release;
  out.trust.content = text.content;
  if (text.revocations_path) {
    out.trust.revocations =
        TRY(load_revocations(folder / *text.revocations_path, text.minimum_serial));
  }
  return out;
}

Result<TrustFile> load_trust(const std::vector<std::filesystem::path>& paths) {
  if (paths.empty()) {
    return Error(ErrorCode::kUsage, "nothing to trust: no key and no trust.toml")
        .with_hint("give --trust with the vendor's .pub file or a trust.toml");
  }
  if (paths.size() > 1) {
    return Error(ErrorCode::kUsage, std::to_string(paths.size()) +
                                        " files to trust, and nothing says how many must sign")
        .with_hint("list the keys with a threshold in one trust.toml");
  }
  const std::filesystem::path& path = paths.front();
  if (path.extension() != ".toml") return load_bare_key(path);
  const ByteVector text = TRY(load_file(path, TomlTable::kMaxSize));
  return load_trust_text(as_text(text), path.string(), path.parent_path());
}

}  // namespace sealpack::unpacker
