// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "attest/measure/pcr/predict.h"
#include "attest/verbs/measured.h"

namespace sealpack::attest {
namespace {

struct PcrOptions {
  std::string description;
  std::string tee = "tpm";
};

Status measure_pcr(const PcrOptions& options, cli::Terminal& terminal) {
  const measure::PcrMap pcrs = TRY(measure::predict_pcrs(options.description));
  Claims claims;
  claims.tee = options.tee;
  for (const auto& [index, value] : pcrs) {
    claims.add_bytes("pcr" + std::to_string(index), value.bytes);
  }
  claims.sort();
  print_measured(claims, terminal);
  return done();
}

}  // namespace

void add_measure_pcr(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<PcrOptions>();
  CLI::App* verb = group.add_subcommand("pcr", "PCRs of a TPM after a boot that a file describes");
  verb->add_option("BOOT.toml", options->description,
                   "What is booted: docs/attestation/tpm.md has the schema")
      ->required();
  verb->add_option("--tee", options->tee, "Whose policy the lines are for")
      ->check(CLI::IsMember({"azure-sev-snp", "azure-tdx", "tpm"}))
      ->capture_default_str();
  verb->footer(
      cli::exit_codes({{ErrorCode::kUsage, "wrong command line, or a boot that cannot be"},
                       {ErrorCode::kIo, "the description or a file that it names cannot be read"},
                       {ErrorCode::kMalformed, "no description, log or image"},
                       {ErrorCode::kUnsupported, "a log or kernel that nothing is known of"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return measure_pcr(*options, terminal); };
  });
}

}  // namespace sealpack::attest
