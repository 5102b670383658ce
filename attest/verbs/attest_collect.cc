// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>

#include "attest/evidence/collect/collect.h"
#include "attest/evidence/collect/collect_tpm.h"
#include "attest/verbs/collect_gpu_verb.h"
#include "attest/verbs/proving.h"
#include "attest/verbs/verbs.h"
#include "formats/cli/help.h"
#include "formats/cli/json_output.h"
#include "formats/files/file_source.h"
#include "formats/files/output_file.h"

namespace sealpack::attest {
namespace {

constexpr std::string_view kGpu = "nvidia-gpu";

struct Options {
  std::string tee;
  std::string report_data;
  std::string out;
  std::string source;
  std::string tcti;
  std::vector<unsigned> pcrs;
  std::string event_log;
  std::string user_data;
  std::string td_quote;
  std::string td_report;
  GpuOptions gpu;
  bool with_event_log = false;
  bool force = false;
};

bool is_azure(const Options& options) {
  return options.tee.starts_with("azure-");
}
bool has_tpm(const Options& options) {
  return options.tee == "tpm" || is_azure(options);
}

CollectTpmRequest tpm_request(const Options& options, const ByteVector& nonce) {
  CollectTpmRequest request;
  request.nonce = nonce;
  request.tcti = options.tcti;
  for (const unsigned pcr : options.pcrs) request.pcrs |= 1U << pcr;
  request.event_log = options.event_log;
  if (options.with_event_log) {
    request.event_log = options.source.empty()
                            ? std::filesystem::path(kKernelEventLog)
                            : std::filesystem::path(options.source) / "binary_bios_measurements";
  }
  return request;
}

Result<Evidence> collect_from_azure(const Options& options, const ByteVector& nonce) {
  constexpr std::uint64_t kMost = kMaxEvidenceSize;
  CollectAzureRequest request;
  request.quote = tpm_request(options, nonce);
  if (!options.user_data.empty()) {
    request.user_data = TRY(hex_argument(options.user_data, "--user-data"));
  }
  if (!options.td_quote.empty()) request.td_quote = TRY(load_file(options.td_quote, kMost));
  Evidence evidence = TRY(collect_azure(request));
  if (evidence.tee == options.tee) return evidence;
  return Error(ErrorCode::kUnsupported, "this machine gives evidence of " + evidence.tee);
}

Status check_options(const Options& options) {
  if (!has_tpm(options) &&
      (!options.tcti.empty() || !options.pcrs.empty() || !options.event_log.empty())) {
    return Error(ErrorCode::kUsage,
                 "--tcti, --pcrs and --event-log-file go with --tee tpm and azure-…");
  }
  if (!is_azure(options) && !(options.user_data + options.td_quote + options.td_report).empty()) {
    return Error(ErrorCode::kUsage, "--user-data, --td-quote and --td-report go with azure-…");
  }
  if (options.tee != kGpu && !options.gpu.is_default()) {
    return Error(ErrorCode::kUsage, "--nvml, --gpu, --beside and --transcript go with nvidia-gpu");
  }
  if (has_tpm(options) && !options.source.empty() && !options.with_event_log) {
    return Error(ErrorCode::kUsage, "of a TPM nothing but the event log is recorded: --event-log")
        .with_hint("--tcti swtpm:path=S reaches a TPM in software");
  }
  return done();
}

Status write_out(const std::string& path, Bytes bytes, const Options& options) {
  constexpr mode_t kMode = 0644;
  OutputFile file = TRY(
      OutputFile::create(path, options.force ? Overwrite::kReplace : Overwrite::kRefuse, kMode));
  TRY(file.write_at(0, bytes));
  return file.commit();
}

Status collect_evidence(const Options& options, cli::Terminal& terminal) {
  TRY(check_options(options));
  if (!options.td_report.empty()) {
    TRY(write_out(options.td_report, TRY(azure_td_report(options.tcti)), options));
    terminal.note("have Azure's service quote it, and give the quote with --td-quote");
    return done();
  }
  if ((options.report_data.empty() && options.gpu.beside.empty()) || options.out.empty()) {
    return Error(ErrorCode::kUsage, "--report-data and --out are needed");
  }
  const ByteVector bound = TRY(hex_argument(options.report_data, "--report-data"));
  Evidence evidence;
  if (options.tee == "tpm") {
    evidence = TRY(collect_tpm(tpm_request(options, bound)));
  } else if (options.tee == kGpu) {
    evidence = TRY(collect_gpu_evidence(options.gpu, bound, terminal));
  } else if (is_azure(options)) {
    evidence = TRY(collect_from_azure(options, bound));
  } else {
    evidence = TRY(collect({options.tee, bound, options.source, options.with_event_log}));
  }
  const ByteVector bytes = serialize_evidence(evidence);
  if (bytes.size() > kMaxEvidenceSize) {
    return Error(ErrorCode::kLimit, "evidence of " + format_size(bytes.size()) + ", at most " +
                                        format_size(kMaxEvidenceSize) + " are allowed");
  }
  TRY(write_out(options.out, bytes, options));
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
  verb->add_option(
          "--tee", options->tee,
          "azure-sev-snp, azure-tdx, cca, nitro, nvidia-gpu, sev-snp, sgx (Gramine), tdx or tpm")
      ->required();
  verb->add_option("--report-data,--nonce", options->report_data,
                   "HEX that the evidence is bound to: 64 bytes; of a GPU 32, of nitro, tpm and "
                   "azure-… 1 to 64");
  verb->add_option("--out", options->out, "The file to write");
  verb->add_option("--source", options->source,
                   "DIR: a recorded folder instead of this machine (docs/ATTESTATION.md)");
  CLI::Option* log =
      verb->add_flag("--event-log", options->with_event_log,
                     "tdx: the event log (CCEL) too; tpm, azure-…: that of the firmware");
  verb->add_option("--tcti", options->tcti,
                   "tpm, azure-…: how to reach the TPM: device:/dev/tpmrm0 (default), tabrmd, "
                   "swtpm:path=SOCKET");
  verb->add_option("--pcrs", options->pcrs, "tpm, azure-…: which PCRs, as 0,1,7")
      ->delimiter(',')
      ->check(CLI::Range(0U, 23U));
  verb->add_option("--event-log-file", options->event_log,
                   "tpm, azure-…: the firmware's log from this file")
      ->excludes(log);
  verb->add_option("--user-data", options->user_data,
                   "azure-…: HEX of 64 bytes for a new report of the firmware");
  verb->add_option("--td-quote", options->td_quote, "azure-tdx: FILE with the TD quote");
  verb->add_option("--td-report", options->td_report,
                   "azure-tdx: write the TDREPORT to FILE for Azure's service, and nothing else");
  add_gpu_options(*verb, options->gpu);
  verb->add_flag("--force", options->force, "Replace the file");
  verb->footer(cli::help_footer(
      "sealpack attest collect --tee sev-snp --report-data $(openssl rand -hex 64) --out evidence\n"
      "sealpack attest collect --tee tpm --nonce $(openssl rand -hex 32) --pcrs 0,1,7 --out "
      "evidence",
      "the platform's devices: configfs-tsm, /dev/attestation, /dev/nsm, a TPM",
      {{ErrorCode::kUsage, "wrong command line, or a TEE that is not collected"},
       {ErrorCode::kIo, "a device or file cannot be read or written"},
       {ErrorCode::kMalformed, "an answer or a file is not what it should be"},
       {ErrorCode::kUnsupported, "this machine has nothing to ask"},
       {ErrorCode::kNotAuthentic, "it is another TPM than the one that was named"},
       {ErrorCode::kRefused, "the recording is for something else"},
       {ErrorCode::kTryAgain, "the platform stayed busy"},
       {ErrorCode::kLimit, "a file or an answer is larger than it may be"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return collect_evidence(*options, terminal); };
  });
}

}  // namespace sealpack::attest
