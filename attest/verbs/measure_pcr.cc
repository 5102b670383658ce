// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>

#include "attest/measure/pcr/predict.h"
#include "attest/verbs/measured.h"
#include "formats/cli/help.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::attest {
namespace {

constexpr std::uint8_t kPcrs = 24;

struct Options {
  std::string description;
  std::vector<unsigned> pcrs;  // of the quote
  bool values = false;
};

// As `provision policy --pcrs` reads them.
void print_values(const measure::PcrMap& predicted, const ByteVector& selection,
                  cli::Terminal& terminal) {
  for (const auto& [pcr, value] : predicted) {
    if ((selection[pcr / 8U] >> pcr % 8U & 1U) == 0) continue;
    terminal.out() << unsigned{pcr} << ' ' << to_hex(value.bytes) << '\n';
  }
}

// Selection and digest are those of a quote of exactly the PCRs that are asked for.
Status measure_pcr(const Options& options, cli::Terminal& terminal) {
  const measure::PcrMap predicted =
      TRY(measure::predict_pcrs(std::filesystem::path(options.description)));
  Claims claims;
  claims.tee = "tpm";
  ByteVector selection(kPcrs / 8);
  ByteVector values;
  for (std::uint8_t pcr = 0; pcr < kPcrs; ++pcr) {
    const bool asked =
        std::find(options.pcrs.begin(), options.pcrs.end(), pcr) != options.pcrs.end();
    const auto found = predicted.find(pcr);
    if (asked && found == predicted.end()) {
      return Error(ErrorCode::kUsage,
                   "the description does not say what PCR " + std::to_string(pcr) + " holds");
    }
    if (found == predicted.end() || (!asked && !options.pcrs.empty())) continue;
    claims.add_bytes("pcr" + std::to_string(pcr), found->second.bytes);
    selection[pcr / 8U] |= static_cast<std::uint8_t>(1U << pcr % 8U);
    values.insert(values.end(), found->second.bytes.begin(), found->second.bytes.end());
  }
  if (options.values) {
    print_values(predicted, selection, terminal);
    return done();
  }
  claims.add_bytes("pcr_selection", selection);
  claims.add_bytes("pcr_digest", crypto::sha256(values).bytes);
  claims.sort();
  print_measured(claims, terminal);
  return done();
}

}  // namespace

void add_measure_pcr(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      group.add_subcommand("pcr", "PCRs of a TPM after the boot that a file describes");
  verb->add_option("BOOT", options->description, "boot.toml (docs/attestation/tpm.md)")->required();
  verb->add_option("--pcrs", options->pcrs, "Those that will be quoted, as 4,9; all predicted ones")
      ->delimiter(',')
      ->check(CLI::Range(0U, 23U));
  verb->add_flag("--values", options->values,
                 "PCRs and values alone, for `sealpack provision policy --pcrs`");
  verb->footer(cli::help_footer("sealpack attest measure pcr boot.toml", "",
                                {{ErrorCode::kUsage, "wrong command line, or PCRs not described"},
                                 {ErrorCode::kIo, "a file cannot be read"},
                                 {ErrorCode::kMalformed, "the description, a kernel or a log"},
                                 {ErrorCode::kUnsupported, "a kernel or log that is too old"},
                                 {ErrorCode::kLimit, "a file is larger than it may be"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return measure_pcr(*options, terminal); };
  });
}

}  // namespace sealpack::attest
