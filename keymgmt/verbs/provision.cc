// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/verbs/provision.h"

#include <charconv>

#include "keymgmt/verbs/verbs.h"

namespace sealpack::provision {
namespace {

std::optional<std::uint32_t> number_in(std::string_view text, int base) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<std::uint32_t> parse_index(const std::string& text) {
  const auto value =
      text.starts_with("0x") ? number_in(std::string_view(text).substr(2), 16) : std::nullopt;
  if (value && *value >= 0x01800000 && *value <= 0x01bfffff) return *value;
  return Error(ErrorCode::kUsage, printable(text) + " is no NV index of the owner's range")
      .with_hint("0x01800000 to 0x01bfffff");
}

Result<std::vector<tpm::PcrValue>> parse_pcr_lines(std::string_view text, const std::string& name) {
  std::vector<tpm::PcrValue> out;
  std::size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const std::size_t space = line.find(' ');
    const auto index = number_in(line.substr(0, space), 10);
    const auto value = space == std::string_view::npos ? Result<ByteVector>(ByteVector())
                                                       : from_hex(line.substr(space + 1));
    if (!index || *index >= tpm::kPcrCount || !value.ok() || value->size() != Digest::kSize ||
        (!out.empty() && out.back().index >= *index)) {
      return Error(ErrorCode::kMalformed,
                   printable(name) + ", line " + std::to_string(line_number) +
                       ": not INDEX HEX of a SHA-256 PCR, in ascending order");
    }
    tpm::PcrValue pcr{*index, {}};
    std::copy(value->begin(), value->end(), pcr.value.bytes.begin());
    out.push_back(pcr);
  }
  return out;
}

std::string format_pcrs(const std::vector<tpm::PcrValue>& values) {
  std::string out;
  for (const tpm::PcrValue& pcr : values) {
    out += std::to_string(pcr.index) + " " + to_hex(pcr.value.bytes) + "\n";
  }
  return out;
}

Result<tpm::PcrMask> parse_pcr_list(const std::string& text) {
  tpm::PcrMask mask = 0;
  std::string_view rest = text;
  for (;;) {
    const std::size_t comma = rest.find(',');
    const auto index = number_in(rest.substr(0, comma), 10);
    if (!index || *index >= tpm::kPcrCount) {
      return Error(ErrorCode::kUsage, printable(text) + " is no list of PCRs, such as 4,9,11");
    }
    mask |= 1U << *index;
    if (comma == std::string_view::npos) return mask;
    rest.remove_prefix(comma + 1);
  }
}

void add_provision(CLI::App& app, cli::Job& job) {
  CLI::App* verb = app.add_subcommand(
      "provision", "Keys of devices, sealed to their TPMs: enrol, install, confirm, revoke");
  verb->require_subcommand(1);
  add_device_verbs(*verb, job);
  add_vendor_verbs(*verb, job);
  add_show_verb(*verb, job);
}

}  // namespace sealpack::provision
