// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/pcr/boot_description.h"

#include "formats/toml/toml_table.h"

namespace sealpack::measure {
namespace {

constexpr ErrorCode kBad = ErrorCode::kMalformed;
constexpr std::uint64_t kPcrs = 24;
constexpr std::uint64_t kMaxFailedOptions = 64;
constexpr std::uint64_t kMaxMemoryMib = std::uint64_t{1} << 24U;
// Older stubs measured nothing of this, newer ones measure more.
constexpr std::uint64_t kOldestSystemd = 252;
constexpr std::uint64_t kNewestSystemd = 255;
constexpr std::size_t kMaxReplacements = 256;

Result<std::string> need_text(TomlTable& table, std::string_view key) {
  auto text = TRY(table.text(key));
  if (!text || text->empty()) return table.error_at(kBad, key, std::string(key) + " is missing");
  return *std::move(text);
}

Result<Measured> parse_measured(TomlTable& table) {
  struct Source {
    const char* key;
    Measured::Kind kind;
  };
  static constexpr Source kSources[] = {{"file", Measured::Kind::kFile},
                                        {"pe", Measured::Kind::kPe},
                                        {"command_line", Measured::Kind::kCommandLine},
                                        {"text", Measured::Kind::kText},
                                        {"digest", Measured::Kind::kDigest}};
  std::optional<Measured> measured;
  for (const Source& source : kSources) {
    auto text = TRY(table.text(source.key));
    if (!text) continue;
    if (measured) return table.error_at(kBad, source.key, "an event measures one thing");
    measured = Measured{source.kind, *std::move(text), {}};
  }
  if (!measured) {
    return table.error_at(kBad, "",
                          "an event measures a file, a pe, a command_line, a text or "
                          "has a digest");
  }
  if (measured->kind != Measured::Kind::kDigest) return *std::move(measured);
  const auto bytes = from_hex(measured->text);
  if (!bytes.ok() || bytes->size() != Digest::kSize) {
    return table.error_at(kBad, "digest", "digest is SHA-256 in hex");
  }
  std::copy(bytes->begin(), bytes->end(), measured->digest.bytes.begin());
  return *std::move(measured);
}

Result<Replacement> parse_replacement(TomlTable& table) {
  Replacement out;
  const auto pcr = TRY(table.number("pcr"));
  if (!pcr || *pcr >= kPcrs) return table.error_at(kBad, "pcr", "pcr is a number from 0 to 23");
  out.pcr = static_cast<std::uint8_t>(*pcr);
  out.event = TRY(table.number("event"));
  out.description = TRY(table.text("description"));
  if (out.event.has_value() == out.description.has_value()) {
    return table.error_at(kBad, "event", "an event is named by its number or by its description");
  }
  if (out.event == 0U || out.description == "") {
    return table.error_at(kBad, "event", "events count from 1, descriptions are not empty");
  }
  out.by = TRY(parse_measured(table));
  TRY(table.finish());
  return out;
}

Result<RecordedBoot> parse_recorded(TomlTable table) {
  RecordedBoot out;
  out.file = TRY(need_text(table, "file"));
  for (TomlTable& one : TRY(table.tables("replace"))) {
    if (out.replacements.size() == kMaxReplacements) {
      return table.error_at(ErrorCode::kLimit, "replace", "more than 256 replacements");
    }
    out.replacements.push_back(TRY(parse_replacement(one)));
  }
  TRY(table.finish());
  return out;
}

Status parse_qemu(TomlTable& table, LinuxBoot& out) {
  const auto memory = TRY(table.number("memory_mib"));
  if (!memory || *memory == 0 || *memory > kMaxMemoryMib) {
    return table.error_at(kBad, "memory_mib", "memory_mib is that of qemu's option -m");
  }
  out.memory = *memory << 20U;
  const auto machine = TRY(table.text("machine"));
  if (machine && *machine != "q35" && *machine != "pc") {
    return table.error_at(kBad, "machine", "machine is 'q35' or 'pc'");
  }
  if (machine == "pc") out.machine = LinuxBoot::Machine::kPc;
  return done();
}

Status parse_boot_option(TomlTable& table, LinuxBoot& out) {
  out.failed_boot_options = TRY(table.number("failed_boot_options")).value_or(0);
  if (out.failed_boot_options <= kMaxFailedOptions) return done();
  return table.error_at(kBad, "failed_boot_options", "at most 64 boot options");
}

std::optional<LinuxBoot::Loader> loader_named(std::string_view name) {
  if (name == "qemu") return LinuxBoot::Loader::kQemu;
  if (name == "firmware") return LinuxBoot::Loader::kFirmware;
  if (name == "systemd-stub") return LinuxBoot::Loader::kSystemdStub;
  return std::nullopt;
}

Result<LinuxBoot> parse_linux(TomlTable table) {
  LinuxBoot out;
  const auto loader = loader_named(TRY(need_text(table, "loader")));
  if (!loader) {
    return table.error_at(kBad, "loader", "loader is 'qemu', 'firmware' or 'systemd-stub'");
  }
  out.loader = *loader;
  const bool unified = out.loader == LinuxBoot::Loader::kSystemdStub;
  out.kernel = TRY(need_text(table, unified ? "image" : "kernel"));
  if (!unified) {
    out.initrd = TRY(table.text("initrd"));
    out.command_line = TRY(table.text("command_line"));
  }
  if (unified) {
    const auto version = TRY(table.number("systemd_version"));
    if (!version || *version < kOldestSystemd || *version > kNewestSystemd) {
      return table.error_at(kBad, "systemd_version",
                            "systemd_version is that of the image's stub, 252 to 255");
    }
    out.systemd_version = *version;
  }
  const bool qemu = out.loader == LinuxBoot::Loader::kQemu;
  TRY(qemu ? parse_qemu(table, out) : parse_boot_option(table, out));
  TRY(table.finish());
  return out;
}

}  // namespace

Result<BootDescription> parse_boot_description(std::string_view toml, const std::string& name) {
  TomlTable table = TRY(TomlTable::parse(toml, name));
  BootDescription out;
  auto log = TRY(table.table("log"));
  if (log) out.recorded = TRY(parse_recorded(*std::move(log)));
  auto boot = TRY(table.table("boot"));
  if (boot) out.linux_boot = TRY(parse_linux(*std::move(boot)));
  TRY(table.finish());
  if (!out.recorded && !out.linux_boot) {
    return table.error_at(kBad, "", "describes neither a [boot] nor a [log]");
  }
  return out;
}

}  // namespace sealpack::measure
