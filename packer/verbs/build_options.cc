// SPDX-License-Identifier: Apache-2.0
#include "packer/verbs/build_options.h"

#include "formats/files/file_source.h"
#include "formats/toml/toml_table.h"

namespace sealpack::packer {
namespace {

// Copies values of one table into options that the command line left open.
class Section {
 public:
  Section(TomlTable table, std::filesystem::path folder)
      : table_(std::move(table)), folder_(std::move(folder)) {}

  Status text(std::string_view key, std::string& option) {
    const auto value = TRY(table_.text(key));
    if (value && option.empty()) option = *value;
    return done();
  }
  Status path(std::string_view key, std::string& option) {
    const auto value = TRY(table_.text(key));
    if (value && option.empty()) option = resolve(*value);
    return done();
  }
  Status number(std::string_view key, std::string& option) {
    const auto value = TRY(table_.number(key));
    if (value && option.empty()) option = std::to_string(*value);
    return done();
  }
  Status flag(std::string_view key, bool& option) {
    const auto value = TRY(table_.boolean(key));
    if (value && *value) option = true;
    return done();
  }
  Status list(std::string_view key, std::vector<std::string>& option) {
    const auto value = TRY(table_.text_list(key));
    if (value && option.empty()) option = *value;
    return done();
  }
  Status path_list(std::string_view key, std::vector<std::string>& option) {
    const auto value = TRY(table_.text_list(key));
    if (!value || !option.empty()) return done();
    for (const std::string& item : *value) option.push_back(resolve(item));
    return done();
  }
  Status finish() const { return table_.finish(); }

 private:
  // KEYREFs with a scheme are no paths.
  std::string resolve(const std::string& text) const {
    if (text.starts_with("pkcs11:") || text.starts_with("exec:") || text.starts_with('/')) {
      return text;
    }
    return (folder_ / text).string();
  }

  TomlTable table_;
  std::filesystem::path folder_;
};

Status read_model(Section section, BuildOptions& options) {
  TRY(section.path("path", options.model));
  TRY(section.list("exclude", options.exclude));
  TRY(section.flag("opaque", options.opaque));
  TRY(section.flag("keep_metadata", options.keep_metadata));
  return section.finish();
}

// The command line's --public and --seal replace the file's choice as a whole.
Status read_seal(Section section, BuildOptions& options) {
  std::vector<std::string> open;
  std::vector<std::string> seal;
  TRY(section.list("public", open));
  TRY(section.list("seal", seal));
  if (options.open.empty() && options.seal.empty()) {
    options.open = std::move(open);
    options.seal = std::move(seal);
  }
  TRY(section.text("redact", options.redact));
  return section.finish();
}

// Recipients on the command line replace those of the file as a whole.
Status read_recipients(Section section, BuildOptions& options) {
  std::vector<std::string> to;
  std::vector<std::string> to_file;
  std::vector<std::string> to_passphrase;
  TRY(section.path_list("to", to));
  TRY(section.path_list("to_file", to_file));
  TRY(section.path_list("to_passphrase", to_passphrase));
  if (options.to.empty() && options.to_file.empty() && options.to_passphrase.empty()) {
    options.to = std::move(to);
    options.to_file = std::move(to_file);
    options.to_passphrase = std::move(to_passphrase);
  }
  TRY(section.path("escrow", options.escrow));
  TRY(section.text("escrow_reason", options.escrow_reason));
  return section.finish();
}

Status read_release(Section section, BuildOptions& options) {
  TRY(section.path("out", options.out));
  TRY(section.path_list("signer", options.signers));
  TRY(section.path("authority", options.authority));
  TRY(section.text("product", options.product));
  TRY(section.text("version", options.version));
  TRY(section.number("counter", options.counter));
  TRY(section.text("not_before", options.not_before));
  TRY(section.text("not_after", options.not_after));
  TRY(section.path("licence", options.licence));
  TRY(section.path("parent", options.parent));
  return section.finish();
}

Status read_layers(Section section, BuildOptions& options) {
  // One of the two on the command line replaces both.
  std::string plan;
  std::string split;
  TRY(section.path("plan", plan));
  TRY(section.path("split", split));
  if (options.plan.empty() && options.split.empty()) {
    options.plan = std::move(plan);
    options.split = std::move(split);
  }
  TRY(section.flag("accept_oracle", options.accept_oracle));
  return section.finish();
}

Status read_policy(Section section, BuildOptions& options) {
  TRY(section.path("file", options.policy));
  return section.finish();
}

}  // namespace

Status read_config(const std::filesystem::path& path, BuildOptions& options, ConfigSource source) {
  const std::size_t own_signers = options.signers.size();
  const ByteVector text = TRY(load_file(path, TomlTable::kMaxSize));
  TomlTable root = TRY(TomlTable::parse(as_text(text), printable(path.string())));
  const std::filesystem::path folder = path.parent_path();
  const auto section = [&](std::string_view key, Status (*read)(Section, BuildOptions&)) -> Status {
    auto table = TRY(root.table(key));
    if (!table) return done();
    return read(Section(std::move(*table), folder), options);
  };
  TRY(section("model", read_model));
  TRY(section("seal", read_seal));
  TRY(section("recipients", read_recipients));
  TRY(section("release", read_release));
  TRY(section("policy", read_policy));
  if (auto schemes = TRY(root.table("scheme"))) {
    if (auto own = TRY(schemes->table("layers"))) {
      TRY(read_layers(Section(std::move(*own), folder), options));
    }
    TRY(schemes->finish());
  }
  if (source == ConfigSource::kFound && own_signers == 0) {
    for (const std::string& signer : options.signers) {
      if (!signer.starts_with("exec:") && signer.find("module-path") == std::string::npos) continue;
      return Error(ErrorCode::kRefused,
                   printable(path.string()) + " names a program to run: " + printable(signer))
          .with_hint("if the file is yours: --config " + printable(path.string()));
    }
  }
  return root.finish();
}

}  // namespace sealpack::packer
