// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "formats/toml/toml_table.h"
#include "runtime-loader/plan/calibrate.h"

namespace sealpack::plan {
namespace {

constexpr std::uint64_t kFormat = 1;
constexpr double kUnit = 1e-15;  // femtoseconds

std::string line(std::string_view key, double seconds) {
  return std::string(key) + " = " + std::to_string(std::llround(seconds / kUnit)) + '\n';
}

Result<double> number(TomlTable& table, std::string_view key) {
  const auto value = TRY(table.number(key));
  if (!value) return table.error_at(ErrorCode::kMalformed, key, std::string(key) + " is missing");
  return static_cast<double>(*value) * kUnit;
}

constexpr std::pair<const char*, double Calibration::*> kSingles[] = {
    {"run", &Calibration::run},        {"decrypt_byte", &Calibration::decrypt},
    {"read", &Calibration::read},      {"spill_byte", &Calibration::spill},
    {"copy_byte", &Calibration::copy}, {"process_switch", &Calibration::process_switch},
};
constexpr std::pair<const char*, double Rates::*> kRates[] = {
    {"step", &Rates::step},
    {"multiply_add", &Rates::multiply_add},
    {"moved_byte", &Rates::moved},
    {"weight_byte", &Rates::weight},
    {"streamed_byte", &Rates::streamed},
};

std::string with_underscores(std::string text) {
  for (char& c : text) c = c == ' ' ? '_' : c;
  return text;
}

Result<Rates> read_rates(TomlTable table) {
  Rates rates;
  for (const auto& [key, member] : kRates) rates.*member = TRY(number(table, key));
  TRY(table.finish());
  return rates;
}

}  // namespace

std::string serialize_calibration(const Calibration& calibration) {
  std::string out =
      "# What the steps of a model cost on one machine: written by 'sealpack plan --calibrate'.\n"
      "# Femtoseconds.\nsealpack_calibration = " +
      std::to_string(kFormat) + "\nmachine = \"";
  for (const char c : calibration.machine) {
    if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') out += c;
  }
  out += "\"\n";
  for (const auto& [key, member] : kSingles) out += line(key, calibration.*member);
  for (const auto& [kind, rates] : calibration.kinds) {
    out += "\n[kind." + with_underscores(kind) + "]\n";
    for (const auto& [key, member] : kRates) out += line(key, rates.*member);
  }
  return out;
}

Result<Calibration> parse_calibration(std::string_view text, const std::string& name) {
  TomlTable root = TRY(TomlTable::parse(text, name));
  const auto format = TRY(root.number("sealpack_calibration"));
  if (format != kFormat) {
    return root.error_at(ErrorCode::kMalformed, "sealpack_calibration",
                         "not a calibration of format " + std::to_string(kFormat));
  }
  Calibration calibration;
  calibration.machine = TRY(root.text("machine")).value_or("");
  for (const auto& [key, member] : kSingles) calibration.*member = TRY(number(root, key));
  auto kinds = TRY(root.table("kind"));
  if (!kinds) return root.error_at(ErrorCode::kMalformed, "kind", "no kinds of steps");
  // Files name the kinds of the version that wrote them; one that is not there is "other".
  for (const auto& [kind, rates] : default_calibration().kinds) {
    auto table = TRY(kinds->table(with_underscores(kind)));
    if (table) calibration.kinds[kind] = TRY(read_rates(std::move(*table)));
  }
  if (!calibration.kinds.contains("other")) {
    return root.error_at(ErrorCode::kMalformed, "kind", "no kind \"other\"");
  }
  TRY(kinds->finish());
  TRY(root.finish());
  calibration.measured = true;
  return calibration;
}

std::filesystem::path calibration_path() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') {
    return std::filesystem::path(cache) / "sealpack" / "calibration.toml";
  }
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') return {};
  return std::filesystem::path(home) / ".cache" / "sealpack" / "calibration.toml";
}

std::string machine_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string text;
  while (std::getline(file, text)) {
    const std::size_t colon = text.find(": ");
    if (text.starts_with("model name") && colon != std::string::npos) return text.substr(colon + 2);
  }
  return "unknown processor";
}

}  // namespace sealpack::plan
