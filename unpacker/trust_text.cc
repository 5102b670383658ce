// SPDX-License-Identifier: Apache-2.0
// The text of a trust.toml and of a revocation file; trust_file.cc reads the files they name.
#include <algorithm>

#include "formats/toml/toml_table.h"
#include "unpacker/trust_file.h"

namespace sealpack::unpacker {

namespace {

constexpr std::size_t kMaxKeys = 64;
constexpr std::size_t kMaxRevoked = 65536;

std::optional<Digest> parse_digest(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  if (!text.starts_with(kPrefix)) return std::nullopt;
  const Result<ByteVector> bytes = from_hex(text.substr(kPrefix.size()));
  if (!bytes.ok() || bytes->size() != Digest::kSize) return std::nullopt;
  Digest digest;
  std::copy(bytes->begin(), bytes->end(), digest.bytes.begin());
  return digest;
}

Result<std::optional<Digest>> read_digest(TomlTable& table, std::string_view key) {
  const auto text = TRY(table.text(key));
  if (!text) return std::optional<Digest>();
  const std::optional<Digest> digest = parse_digest(*text);
  if (!digest) {
    return table.error_at(ErrorCode::kMalformed, key,
                          std::string(key) + " is \"sha256:\" and 64 hex digits");
  }
  return digest;
}

Result<std::vector<Digest>> read_digests(TomlTable& table, std::string_view key) {
  std::vector<Digest> out;
  const auto texts = TRY(table.text_list(key));
  if (!texts) return out;
  if (texts->size() > kMaxRevoked) {
    return table.error_at(ErrorCode::kLimit, key,
                          std::string(key) + " has more than 65536 entries");
  }
  for (const std::string& text : *texts) {
    const std::optional<Digest> digest = parse_digest(text);
    if (!digest) {
      return table.error_at(ErrorCode::kMalformed, key,
                            std::string(key) + " lists \"sha256:\" and 64 hex digits");
    }
    out.push_back(*digest);
  }
  return out;
}

Result<std::vector<std::string>> read_key_paths(TomlTable& table, const std::string& role) {
  auto paths = TRY(table.text_list("keys"));
  if (!paths || paths->empty()) {
    return table.error_at(ErrorCode::kUsage, "keys", "[" + role + "] lists no keys");
  }
  if (paths->size() > kMaxKeys) {
    return table.error_at(ErrorCode::kLimit, "keys", "[" + role + "] lists more than 64 keys");
  }
  for (const std::string& path : *paths) {
    if (path.empty() || path.find('\0') != std::string::npos) {
      return table.error_at(ErrorCode::kMalformed, "keys", "[" + role + "] lists what is no path");
    }
  }
  return std::move(*paths);
}

Result<std::uint32_t> read_threshold(TomlTable& table, const std::string& role,
                                     std::size_t key_count) {
  const std::uint64_t threshold = TRY(table.number("threshold")).value_or(1);
  if (threshold < 1 || threshold > key_count) {
    return table.error_at(ErrorCode::kUsage, "threshold",
                          "the threshold of [" + role + "] is " + std::to_string(threshold) +
                              ", not between 1 and its " + std::to_string(key_count) + " keys");
  }
  return static_cast<std::uint32_t>(threshold);
}

// A table of a role that is present only to sign.
Status read_role(TomlTable& root, const std::string& role, TrustText& out) {
  auto table = TRY(root.table(role));
  if (!table) return done();
  TrustText::Signers signers;
  signers.role = role;
  signers.key_paths = TRY(read_key_paths(*table, role));
  signers.threshold = TRY(read_threshold(*table, role, signers.key_paths.size()));
  TRY(table->finish());
  out.signers.push_back(std::move(signers));
  return done();
}

Status read_authority(TomlTable& root, TrustText& out) {
  const std::string role = "authority";
  auto table = TRY(root.table(role));
  if (!table) {
    return root.error_at(ErrorCode::kUsage, role, "no [authority]: nothing says who may release");
  }
  TrustText::Signers signers;
  signers.role = role;
  signers.key_paths = TRY(read_key_paths(*table, role));
  const bool has_threshold = table->has("threshold");
  signers.threshold = TRY(read_threshold(*table, role, signers.key_paths.size()));
  const auto sign = TRY(table->boolean("sign"));
  TRY(table->finish());
  const bool has_publisher = root.has("publisher");
  signers.sign = sign.value_or(!has_publisher || has_threshold);
  if (!signers.sign && !has_publisher) {
    return table->error_at(
        ErrorCode::kUsage, "sign",
        "nobody would sign releases: the authority does not, and there is no [publisher]");
  }
  if (!signers.sign && has_threshold) {
    return table->error_at(ErrorCode::kUsage, "sign", "a threshold for keys that do not sign");
  }
  out.signers.push_back(std::move(signers));
  return done();
}

Status read_revocations(TomlTable& root, TrustText& out) {
  auto table = TRY(root.table("revocations"));
  if (!table) return done();
  out.revocations_path = TRY(table->text("file"));
  out.minimum_serial = TRY(table->number("minimum_serial")).value_or(0);
  TRY(table->finish());
  if (!out.revocations_path || out.revocations_path->empty() ||
      out.revocations_path->find('\0') != std::string::npos) {
    return table->error_at(ErrorCode::kMalformed, "file", "[revocations] names its file");
  }
  return done();
}

}  // namespace

Result<TrustText> parse_trust_text(std::string_view text, const std::string& name) {
  TomlTable root = TRY(TomlTable::parse(text, name));
  TrustText out;
  out.product = TRY(root.text("product"));
  if (out.product && out.product->empty()) {
    return root.error_at(ErrorCode::kMalformed, "product", "the product is empty");
  }
  out.counter_floor = TRY(root.number("counter_floor")).value_or(0);
  out.floor_release = TRY(read_digest(root, "floor_release"));
  if (out.floor_release && out.counter_floor == 0) {
    return root.error_at(ErrorCode::kUsage, "floor_release",
                         "floor_release needs its counter_floor");
  }
  out.content = TRY(read_digest(root, "content"));
  const std::string time = TRY(root.text("time")).value_or("host");
  if (time != "host" && time != "none") {
    return root.error_at(ErrorCode::kMalformed, "time", "time is \"host\" or \"none\"");
  }
  out.use_host_time = time == "host";
  TRY(read_authority(root, out));
  TRY(read_role(root, "publisher", out));
  TRY(read_role(root, "reviewer", out));
  TRY(read_revocations(root, out));
  TRY(root.finish());
  return out;
}

Result<Revocations> parse_revocations(std::string_view text, const std::string& name) {
  TomlTable root = TRY(TomlTable::parse(text, name));
  Revocations out;
  const auto serial = TRY(root.number("serial"));
  if (!serial) return root.error_at(ErrorCode::kMalformed, "serial", "no serial");
  out.serial = *serial;
  out.keys = TRY(read_digests(root, "keys"));
  out.contents = TRY(read_digests(root, "contents"));
  out.releases = TRY(read_digests(root, "releases"));
  TRY(root.finish());
  return out;
}

}  // namespace sealpack::unpacker
