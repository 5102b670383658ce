// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <memory>
#include <ostream>

#include "attest/evidence/collect/collect.h"
#include "attest/evidence/collect/collect_tpm.h"
#include "attest/files/text_encodings.h"
#include "attest/verbs/verbs.h"
#include "formats/cli/json_output.h"
#include "formats/files/output_file.h"

namespace sealpack::attest {
namespace {

struct Options {
  std::string tee;
  std::string report_data;
  std::string out;
  std::string source;
  std::string tcti;
  std::vector<unsigned> pcrs;
  std::string event_log;
  bool with_event_log = false;
  bool force = false;
};

Result<Evidence> collect_from_tpm(const Options& options, const ByteVector& nonce) {
  CollectTpmRequest request;
  request.nonce = nonce;
  request.tcti = options.tcti;
  for (const unsigned pcr : options.pcrs) request.pcrs |= 1U << pcr;
  request.event_log = options.event_log;
  return collect_tpm(request);
}

Status check_options(const Options& options) {
  const bool tpm = options.tee == "tpm";
  if (!tpm && (!options.tcti.empty() || !options.pcrs.empty() || !options.event_log.empty())) {
    return Error(ErrorCode::kUsage, "--tcti, --pcrs and --event-log-file go with --tee tpm");
  }
  if (tpm && (!options.source.empty() || options.with_event_log)) {
    return Error(ErrorCode::kUsage, "--source and --event-log do not go with --tee tpm")
        .with_hint("--tcti swtpm:path=S reaches a TPM in software, --event-log-file a log");
  }
  return done();
}

Status collect_evidence(const Options& options, cli::Terminal& terminal) {
  TRY(check_options(options));
  const auto bound = decode_hex_text(options.report_data);
  if (!bound.ok()) return Error(ErrorCode::kUsage, "--report-data takes hex");
  Evidence evidence;
  if (options.tee == "tpm") {
    evidence = TRY(collect_from_tpm(options, *bound));
  } else {
    evidence = TRY(collect({options.tee, *bound, options.source, options.with_event_log}));
  }
  const ByteVector bytes = serialize_evidence(evidence);
  if (bytes.size() > kMaxEvidenceSize) {
    return Error(ErrorCode::kLimit, "evidence of " + format_size(bytes.size()) + ", at most " +
                                        format_size(kMaxEvidenceSize) + " are allowed");
  }
  constexpr mode_t kMode = 0644;
  OutputFile file = TRY(OutputFile::create(
      options.out, options.force ? Overwrite::kReplace : Overwrite::kRefuse, kMode));
  TRY(file.write_at(0, bytes));
  TRY(file.commit());
  if (terminal.json()) {
    cli::Json items = cli::Json::array();
    for (const EvidenceItem& item : evidence.items) {
      items.push_back({{"kind", item.kind}, {"size", item.bytes.size()}});
    }
    cli::print_json(terminal, {{"evidence", options.out}, {"tee", evidence.tee}, {"items", items}});
    return done();
  }
  terminal.out() << "evidence     " << printable(options.out) << '\n'
                 << "tee          " << evidence.tee << '\n';
  for (const EvidenceItem& item : evidence.items) {
    terminal.out() << "item         " << item.kind << ", " << format_size(item.bytes.size())
                   << '\n';
  }
  return done();
}

}  // namespace

void add_attest_collect(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      group.add_subcommand("collect", "Ask this machine for evidence of the TEE that this runs in");
  verb->add_option("--tee", options->tee, "cca, nitro, sev-snp, sgx (Gramine), tdx or tpm")
      ->required();
  verb->add_option("--report-data,--nonce", options->report_data,
                   "HEX that the evidence is bound to: 64 bytes; of nitro and tpm 1 to 64")
      ->required();
  verb->add_option("--out", options->out, "The file to write")->required();
  verb->add_option("--source", options->source,
                   "DIR: a recorded folder instead of this machine (docs/ATTESTATION.md)");
  verb->add_flag("--event-log", options->with_event_log, "tdx: the event log (CCEL) too");
  verb->add_option("--tcti", options->tcti, "tpm: how to reach it (device:/dev/tpmrm0)");
  verb->add_option("--pcrs", options->pcrs, "tpm: which PCRs, as 0,1,7")
      ->delimiter(',')
      ->check(CLI::Range(0U, 23U));
  verb->add_option("--event-log-file", options->event_log,
                   "tpm: the firmware's log, as binary_bios_measurements");
  verb->add_flag("--force", options->force, "Replace the file");
  verb->footer(
      cli::exit_codes({{ErrorCode::kUsage, "wrong command line, or a TEE that is not collected"},
                       {ErrorCode::kIo, "a device or file cannot be read or written"},
                       {ErrorCode::kUnsupported, "this machine has nothing to ask"},
                       {ErrorCode::kRefused, "the recording is for something else"},
                       {ErrorCode::kTryAgain, "the platform stayed busy"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return collect_evidence(*options, terminal); };
  });
}

}  // namespace sealpack::attest
