// SPDX-License-Identifier: Apache-2.0
#include "attest/files/roots_file.h"

#include <algorithm>

#include "attest/files/endorsement_file.h"
#include "formats/files/file_source.h"
#include "formats/toml/toml_table.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/x509/certificate.h"

namespace sealpack::attest {
namespace {

constexpr std::uint64_t kMaxKeyFile = 1U << 20U;
constexpr std::string_view kDigestPrefix = "sha256:";
using Reader = std::function<Result<ByteVector>(const std::filesystem::path&)>;

struct List {
  std::string_view key;
  std::vector<Digest> Roots::*member;
};
constexpr List kLists[] = {
    {"amd", &Roots::amd},       {"cca", &Roots::cca},
    {"intel", &Roots::intel},   {"nitro", &Roots::nitro},
    {"nvidia", &Roots::nvidia}, {"nvidia_rim", &Roots::nvidia_rim},
    {"psa", &Roots::psa},       {"simulated", &Roots::simulated},
    {"tpm", &Roots::tpm},       {"tpm_attestation_keys", &Roots::tpm_attestation_keys}};

Result<Digest> parse_digest(std::string_view text) {
  const ByteVector bytes = TRY(from_hex(text));
  Digest digest;
  if (bytes.size() != digest.bytes.size()) {
    return Error(ErrorCode::kMalformed,
                 "a digest of " + std::to_string(bytes.size()) + " bytes, not of 32");
  }
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

// Keys of all certificates and the public keys themselves.
Status add_file(const std::string& path, const Reader& read, std::vector<Digest>& list,
                RootsFile& out) {
  Endorsements found;
  TRY(add_endorsement_file(TRY(read(path)), path, found));
  const bool others = !found.revocation_lists.empty() || !found.tcb_infos.empty() ||
                      !found.enclave_identities.empty() || !found.ocsp_responses.empty();
  if (others || (found.certificates.empty() && found.public_keys.empty())) {
    return Error(ErrorCode::kMalformed,
                 printable(path) + " holds something besides certificates and public keys");
  }
  for (const ByteVector& der : found.certificates) {
    list.push_back(TRY(x509::Certificate::parse_der(der).within(printable(path))).key_digest());
  }
  for (ByteVector& spki : found.public_keys) {
    list.push_back(crypto::sha256(spki));
    out.public_keys.push_back(std::move(spki));
  }
  return done();
}

Result<Digest> parse_root(const std::string& text, const TomlTable& at, std::string_view key) {
  const auto digest = parse_digest(std::string_view(text).substr(kDigestPrefix.size()));
  if (!digest.ok()) return at.error_at(ErrorCode::kMalformed, key, digest.error().message());
  return *digest;
}

// The hash algorithm, then its digest (TPM 2.0 part 1, section 16).
Result<ByteVector> parse_tpm_name(TomlTable& table, std::string_view key) {
  const auto text = TRY(table.text(key));
  const auto name = from_hex(text.value_or(""));
  struct Form {
    std::uint8_t algorithm;
    std::size_t size;
  };
  for (const Form form : {Form{0x0b, 34}, Form{0x0c, 50}, Form{0x0d, 66}}) {
    if (!name.ok() || name->size() != form.size) continue;
    if ((*name)[0] == 0 && (*name)[1] == form.algorithm) return *name;
  }
  return table.error_at(ErrorCode::kMalformed, key,
                        std::string(key) +
                            " is a name of a TPM's key: 000b and 32 bytes, or 000c and 48, or 000d "
                            "and 64, in hex");
}

Result<TpmEnrolment> parse_enrolment(TomlTable table, const std::string& name, const Reader& read,
                                     RootsFile& out) {
  constexpr std::string_view kKey = "attestation_key";
  const std::string key = TRY(table.text(kKey)).value_or("");
  std::vector<Digest> digests;
  if (key.starts_with(kDigestPrefix)) {
    digests.push_back(TRY(parse_root(key, table, kKey)));
  } else if (!key.empty()) {
    TRY(add_file(key, read, digests, out).within(name + ": " + std::string(kKey)));
  }
  if (digests.size() != 1) {
    return table.error_at(ErrorCode::kMalformed, kKey,
                          "attestation_key is one key: sha256:… or a file with it");
  }
  auto ak_name = TRY(parse_tpm_name(table, "ak_name"));
  auto ek_name = TRY(parse_tpm_name(table, "ek_name"));
  TpmEnrolment enrolment{digests[0], std::move(ak_name), std::move(ek_name)};
  TRY(table.finish());
  return enrolment;
}

}  // namespace

Result<RootsFile> parse_roots(std::string_view text, const std::string& name, const Reader& read) {
  TomlTable root = TRY(TomlTable::parse(text, name));
  RootsFile out;
  out.roots = vendor_roots();
  for (const List& entry : kLists) {
    const auto texts = TRY(root.text_list(entry.key));
    if (!texts) continue;
    std::vector<Digest>& list = out.roots.*entry.member;
    list.clear();
    for (const std::string& one : *texts) {
      if (!one.starts_with(kDigestPrefix)) {
        TRY(add_file(one, read, list, out).within(name + ": " + std::string(entry.key)));
      } else {
        list.push_back(TRY(parse_root(one, root, entry.key)));
      }
      if (list.size() > kMaxRootsInList) {
        return root.error_at(ErrorCode::kLimit, entry.key, "more than 1024 roots");
      }
    }
  }
  for (TomlTable& table : TRY(root.tables("tpm_enrolments"))) {
    if (out.roots.tpm_enrolments.size() == kMaxRootsInList) {
      return root.error_at(ErrorCode::kLimit, "tpm_enrolments", "more than 1024 TPMs");
    }
    out.roots.tpm_enrolments.push_back(TRY(parse_enrolment(std::move(table), name, read, out)));
  }
  TRY(root.finish());
  return out;
}

Result<RootsFile> load_roots(const std::filesystem::path& path) {
  const ByteVector content = TRY(load_file(path, TomlTable::kMaxSize));
  return parse_roots(as_text(content), path.string(), [&](const std::filesystem::path& file) {
    return load_file(path.parent_path() / file, kMaxKeyFile);
  });
}

}  // namespace sealpack::attest
