// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/plan_file.h"

#include <cmath>
#include <cstdio>
#include <set>

#include "formats/toml/toml_table.h"

namespace sealpack::plan {
namespace {

constexpr std::uint64_t kFormat = 1;

// A basic string of TOML.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      char escape[8];
      (void)std::snprintf(escape, sizeof escape, "\\u%04X", unsigned{byte});
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string line(std::string_view key, std::uint64_t value) {
  return std::string(key) + " = " + std::to_string(value) + '\n';
}

std::uint64_t rounded(double value) {
  return static_cast<std::uint64_t>(std::llround(value));
}

// Shares are written in parts of a million, times in microseconds: the files have no fractions.
std::string estimate_text(const Estimate& estimate) {
  return "\n[estimate]\n" + line("microseconds", rounded(estimate.latency * 1e6)) +
         line("secure_peak", estimate.secure_peak) + line("crossing", estimate.crossing) +
         line("switches", estimate.switches) +
         line("parameters_ppm", rounded(estimate.parameter_share * 1e6)) +
         line("multiply_adds_ppm", rounded(estimate.multiply_add_share * 1e6));
}

Result<std::uint64_t> number(TomlTable& table, std::string_view key) {
  const auto value = TRY(table.number(key));
  if (!value) return table.error_at(ErrorCode::kMalformed, key, std::string(key) + " is missing");
  return *value;
}

Result<std::string> text(TomlTable& table, std::string_view key) {
  auto value = TRY(table.text(key));
  if (!value) return table.error_at(ErrorCode::kMalformed, key, std::string(key) + " is missing");
  return std::move(*value);
}

Result<Estimate> read_estimate(TomlTable table) {
  Estimate estimate;
  estimate.latency = static_cast<double>(TRY(number(table, "microseconds"))) * 1e-6;
  estimate.secure_peak = TRY(number(table, "secure_peak"));
  estimate.crossing = TRY(number(table, "crossing"));
  estimate.switches = TRY(number(table, "switches"));
  estimate.parameter_share = static_cast<double>(TRY(number(table, "parameters_ppm"))) * 1e-6;
  estimate.multiply_add_share = static_cast<double>(TRY(number(table, "multiply_adds_ppm"))) * 1e-6;
  TRY(table.finish());
  return estimate;
}

Status read_model(TomlTable table, PlanFile& plan) {
  plan.model = TRY(text(table, "file"));
  const std::string digest = TRY(text(table, "digest"));
  constexpr std::string_view kPrefix = "sha256:";
  const auto bad = [&] {
    return table.error_at(ErrorCode::kMalformed, "digest", "not \"sha256:\" and 64 hex digits");
  };
  if (!digest.starts_with(kPrefix)) return bad();
  const auto bytes = from_hex(std::string_view(digest).substr(kPrefix.size()));
  if (!bytes.ok() || bytes->size() != Digest::kSize) return bad();
  std::copy(bytes->begin(), bytes->end(), plan.digest.bytes.begin());
  return table.finish();
}

Status read_secure(TomlTable table, PlanFile& plan) {
  plan.whole = TRY(table.boolean("everything")).value_or(false);
  auto nodes = TRY(table.text_list("nodes"));
  if (nodes) plan.secure = std::move(*nodes);
  if (plan.whole != plan.secure.empty()) {
    return table.error_at(ErrorCode::kMalformed, "nodes",
                          "either everything = true, or a list of nodes");
  }
  const std::set<std::string_view> distinct(plan.secure.begin(), plan.secure.end());
  if (distinct.size() != plan.secure.size()) {
    return table.error_at(ErrorCode::kMalformed, "nodes", "a node is listed twice");
  }
  return table.finish();
}

Status read_target(TomlTable table, PlanFile& plan) {
  plan.target = TRY(text(table, "name"));
  plan.memory = TRY(table.number("memory"));
  return table.finish();
}

}  // namespace

std::string serialize_plan(const PlanFile& plan) {
  std::string out =
      "# Which layers of a model run in the TEE: written by 'sealpack plan', read by\n"
      "# 'sealpack build --plan'. A node is named by the first value it makes.\n" +
      line("sealpack_plan", kFormat) + "\n[model]\nfile = " + quoted(plan.model) +
      "\ndigest = \"sha256:" + to_hex(plan.digest.bytes) + "\"\n\n[secure]\n";
  if (plan.whole) {
    out += "everything = true\n";
  } else {
    out += "nodes = [\n";
    for (const std::string& node : plan.secure) out += "  " + quoted(node) + ",\n";
    out += "]\n";
  }
  if (!plan.target.empty()) {
    out += "\n[target]\nname = " + quoted(plan.target) + '\n';
    if (plan.memory) out += line("memory", *plan.memory);
  }
  if (plan.estimate) out += estimate_text(*plan.estimate);
  return out;
}

Result<PlanFile> parse_plan(std::string_view file, const std::string& name) {
  TomlTable root = TRY(TomlTable::parse(file, name));
  const std::uint64_t format = TRY(number(root, "sealpack_plan"));
  if (format != kFormat) {
    return root.error_at(format > kFormat ? ErrorCode::kUnsupported : ErrorCode::kMalformed,
                         "sealpack_plan",
                         "format " + std::to_string(format) + ", not " + std::to_string(kFormat));
  }
  PlanFile plan;
  const auto section = [&](std::string_view key, Status (*read)(TomlTable, PlanFile&),
                           bool needed) -> Status {
    auto table = TRY(root.table(key));
    if (table) return read(std::move(*table), plan);
    if (!needed) return done();
    return root.error_at(ErrorCode::kMalformed, key, "no [" + std::string(key) + "]");
  };
  TRY(section("model", read_model, true));
  TRY(section("secure", read_secure, true));
  TRY(section("target", read_target, false));
  auto estimate = TRY(root.table("estimate"));
  if (estimate) plan.estimate = TRY(read_estimate(std::move(*estimate)));
  TRY(root.finish());
  return plan;
}

}  // namespace sealpack::plan
