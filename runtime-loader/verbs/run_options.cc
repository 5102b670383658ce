// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/run_options.h"

#include <algorithm>

#include "runtime-loader/verbs/run_arrays.h"

namespace sealpack::loader {
namespace {

void add_answer_options(CLI::App& verb, RunOptions& options) {
  CLI::Option* top1 =
      verb.add_flag("--top1", options.top1, "Answer with the index of the largest score alone");
  verb.add_option("--rounded", options.rounded, "Answer with scores of this many decimals")
      ->type_name("DECIMALS")
      ->check(CLI::Range(0U, 9U))
      ->excludes(top1);
  verb.add_option("--query-budget", options.query_budget,
                  "Give at most this many answers; each row counts")
      ->check(CLI::PositiveNumber);
}

void add_tee_options(CLI::App& verb, RunOptions& options) {
  verb.add_option("--tee", options.tee,
                  "Where the secure part runs; process is SIMULATED; vm is this machine, which was "
                  "measured "
                  "as it booted; none runs an ONNX file that is not "
                  "sealed, to compare with")
      ->check(CLI::IsMember({"process", "vm", "none"}))
      ->capture_default_str();
  verb.add_option("--tee-memory", options.tee_memory_text,
                  "Cap on its secure memory, all of it, such as 16MiB; or none")
      ->type_name("SIZE")
      ->capture_default_str();
  verb.add_option("--tee-user", options.tee_user, "As root: the user it runs as; default: nobody")
      ->type_name("USER");
}

void add_broker_options(CLI::App& verb, RunOptions& options) {
  BrokerOptions& broker = options.broker;
  CLI::Option* url =
      verb.add_option("--broker", broker.url,
                      "Get the key from this broker, which wants proof of the environment")
          ->type_name("https://HOST:PORT");
  CLI::Option* files =
      verb.add_option("--broker-files", broker.files,
                      "Without a network: exchange files with a broker through this folder")
          ->type_name("DIR")
          ->excludes(url);
  verb.add_option("--broker-key", broker.key,
                  "The broker's key that signs grants: the TEE believes it alone")
      ->type_name("GRANTS.pub");
  verb.add_option("--broker-ca", broker.ca,
                  "The certificate of the broker, or of who vouches for it; default: those of the "
                  "system")
      ->type_name("FILE")
      ->needs(url)
      ->excludes(files);
  verb.add_option("--evidence-key", broker.evidence_key,
                  "Signs SIMULATED evidence, made by keygen simulated-root")
      ->type_name("SIM.key");
  verb.add_flag(
      "--measure", options.measure,
      "Print the measurement that the TEE would have with these options, and run nothing");
}

void add_vm_options(CLI::App& verb, RunOptions& options) {
  VmRunOptions& vm = options.vm;
  verb.add_option("--platform", vm.platform,
                  "With --tee vm: what proves this machine to a broker: its TPM, or the processor "
                  "(cca, sev-snp, tdx) or hypervisor (nitro) under it")
      ->check(CLI::IsMember({"cca", "nitro", "sev-snp", "tdx", "tpm"}))
      ->capture_default_str();
  verb.add_option("--source", vm.source,
                  "Of another platform than tpm: a recorded folder instead of this machine "
                  "(docs/ATTESTATION.md); no broker takes what was said to somebody else")
      ->type_name("DIR");
  verb.add_flag("--platform-event-log", vm.platform_event_log,
                "Of tdx: what the firmware measured (CCEL), for the broker too");
  CLI::Option* gpus =
      verb.add_flag("--gpus", vm.gpus,
                    "Of sev-snp and tdx: reports of all of NVIDIA's GPUs here, for the broker too");
  verb.add_option("--nvml", vm.nvml, "The GPUs' driver: its management library (libnvidia-ml.so.1)")
      ->type_name("FILE")
      ->needs(gpus);
  verb.add_option("--tpm-key", vm.key,
                  "With --tee vm: a key that a vendor sealed to this machine's TPM; no network is "
                  "needed")
      ->type_name("KEY.tpmkey");
  verb.add_option("--tpm", vm.tcti,
                  "The TPM: device:/dev/tpmrm0 (default), tabrmd, swtpm:path=SOCKET")
      ->type_name("TCTI");
  verb.add_option("--tpm-password-file", vm.endorsement_password,
                  "First line: the password of the TPM's endorsement hierarchy, where it has one "
                  "(mode 0600)")
      ->type_name("FILE");
  verb.add_option("--tpm-pcrs", vm.pcrs, "Which PCRs prove the machine to a broker; default: 0-14")
      ->delimiter(',')
      ->check(CLI::Range(0U, 23U));
  verb.add_option("--tpm-event-log", vm.event_log, "What the firmware measured, for the broker too")
      ->type_name("FILE");
  verb.add_flag("--confirm", vm.confirm,
                "After the run: this release is good, older ones do not open here any more");
}

bool names_tpm(const VmRunOptions& vm) {
  return !vm.key.empty() || !vm.tcti.empty() || !vm.pcrs.empty() || !vm.event_log.empty() ||
         !vm.endorsement_password.empty() || vm.confirm;
}

// What proves the machine has its own options, and no other's.
Status check_platform(const VmRunOptions& vm) {
  if (!vm.has_tpm() && names_tpm(vm)) {
    return Error(ErrorCode::kUsage,
                 "--tpm-key, --tpm, --tpm-password-file, --tpm-pcrs, --tpm-event-log and --confirm "
                 "are of a TPM, and --platform is " +
                     vm.platform);
  }
  if (vm.has_tpm() && !vm.source.empty()) {
    return Error(ErrorCode::kUsage, "--source goes with --platform cca, nitro, sev-snp or tdx")
        .with_hint("--tpm swtpm:path=SOCKET reaches a TPM in software");
  }
  if (vm.platform_event_log && vm.platform != "tdx") {
    return Error(ErrorCode::kUsage, "--platform-event-log goes with --platform tdx")
        .with_hint("of a TPM it is --tpm-event-log");
  }
  if (vm.gpus && vm.platform != "sev-snp" && vm.platform != "tdx") {
    return Error(ErrorCode::kUsage, "--gpus goes with --platform sev-snp or tdx");
  }
  return done();
}

Status check_vm(const RunOptions& options) {
  const VmRunOptions& vm = options.vm;
  if (options.tee != "vm") {
    if (!names_tpm(vm) && vm.has_tpm() && vm.source.empty() && !vm.platform_event_log && !vm.gpus) {
      return done();
    }
    return Error(ErrorCode::kUsage,
                 "--platform, --source, --platform-event-log, --gpus, --tpm-key, --tpm, "
                 "--tpm-password-file, --tpm-pcrs, --tpm-event-log and --confirm go with --tee vm");
  }
  TRY(check_platform(vm));
  const bool broker = options.broker.given();
  if (!options.keys.keys.empty()) {
    return Error(ErrorCode::kUsage, "--tee vm opens with --tpm-key or a broker, not with --key");
  }
  if (broker == !vm.key.empty()) {
    return Error(ErrorCode::kUsage,
                 "--tee vm takes exactly one of --tpm-key and --broker / --broker-files");
  }
  if (vm.confirm && vm.key.empty()) {
    return Error(ErrorCode::kUsage, "--confirm goes with --tpm-key: a broker keeps floors itself");
  }
  if (!options.broker.evidence_key.empty() || !options.tee_user.empty() || options.measure) {
    return Error(ErrorCode::kUsage,
                 "--evidence-key, --tee-user and --measure are for the process TEE");
  }
  return done();
}

Status check_key_source(const RunOptions& options) {
  if (!options.vm.key.empty()) {
    if (options.broker.key.empty()) return done();
    return Error(ErrorCode::kUsage, "--broker-key goes with --broker or --broker-files");
  }
  const BrokerOptions& broker = options.broker;
  if (options.keys.keys.empty() == !broker.given()) {
    return Error(ErrorCode::kUsage, options.keys.keys.empty()
                                        ? "--key, --broker or --broker-files is required"
                                        : "--key and a broker exclude each other");
  }
  if (broker.given() && broker.key.empty()) {
    return Error(ErrorCode::kUsage, "--broker-key is required: the TEE believes no other broker");
  }
  if (!broker.given() && (!broker.key.empty() || !broker.evidence_key.empty())) {
    return Error(ErrorCode::kUsage,
                 "--broker-key and --evidence-key go with --broker or --broker-files");
  }
  return done();
}

// A sealed model needs somebody to believe and a key; one that is not sealed has nothing to
// protect.
// The process TEE has no other evidence than that under such a key, and no broker answers without.
Status check_evidence(const RunOptions& options) {
  const bool missing =
      options.tee == "process" && options.broker.given() && options.broker.evidence_key.empty();
  if (!missing) return done();
  return Error(ErrorCode::kUsage, "the process TEE asks a broker with SIMULATED evidence")
      .with_hint("name its root with --evidence-key; `sealpack keygen simulated-root` makes one");
}

Status check_world(const RunOptions& options) {
  if (options.tee != "none") {
    if (!options.trust.given()) return Error(ErrorCode::kUsage, "--trust is required");
    return options.measure ? done() : check_key_source(options);
  }
  const BrokerOptions& broker = options.broker;
  if (broker.given() || !broker.key.empty() || !broker.evidence_key.empty() || options.measure) {
    return Error(ErrorCode::kUsage, "--tee none runs an ONNX file as it is: it has no key");
  }
  if (options.trust.given() || !options.keys.keys.empty() || options.tee_memory != 0 ||
      !options.tee_user.empty() || options.top1 || options.rounded || options.query_budget != 0 ||
      !options.model.empty() || !options.counters.empty()) {
    return Error(ErrorCode::kUsage,
                 "--tee none runs an ONNX file as it is: only inputs, outputs, "
                 "--batch and --threads go with it");
  }
  return done();
}

}  // namespace

void add_run_options(CLI::App& verb, RunOptions& options) {
  verb.add_option("BUNDLE", options.bundle, "The bundle (.seal)");
  unpacker::add_trust_options(verb, options.trust, unpacker::TrustNeed::kOptional);
  unpacker::add_key_options(verb, options.keys, false);
  const auto list = [&](const char* flag, std::vector<std::string>& values, const char* text) {
    verb.add_option(flag, values, text)
        ->type_name("[NAME=]X.npy")
        ->allow_extra_args(false)
        ->take_all();
  };
  list("--input", options.inputs,
       "An input of the model, - for arrays on standard input; may be repeated. More rows than the "
       "model takes are run one batch after the other");
  list("--output", options.outputs,
       "Where an output goes, - for standard output; may be repeated. With names, no other output "
       "leaves the TEE");
  verb.add_option("--model", options.model, "Which model, in a bundle with several")
      ->type_name("PATH");
  verb.add_option("--batch", options.batch, "Rows in one run; default: what the model says, or 1")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 20U));
  add_answer_options(verb, options);
  add_tee_options(verb, options);
  add_broker_options(verb, options);
  add_vm_options(verb, options);
  unpacker::add_threads_option(verb, options.threads);
  verb.get_option("--threads")
      ->description("Threads to use; default: one a core, fewer where --tee-memory is small");
  verb.add_option("--counters", options.counters, "Write the counters as JSON to this file too")
      ->type_name("FILE");
  verb.add_flag("--force", options.force, "Replace files that are there");
}

Narrowing narrowing_of(const RunOptions& options, std::vector<std::string> outputs) {
  Narrowing narrowing;
  if (options.top1) narrowing.form = bundle::AnswerForm::kTop1;
  if (options.rounded) {
    narrowing.form = bundle::AnswerForm::kRounded;
    narrowing.decimals = *options.rounded;
  }
  narrowing.query_budget = options.query_budget;
  narrowing.outputs = std::move(outputs);
  return narrowing;
}

Status check_options(RunOptions& options, bool json) {
  options.tee_memory = TRY(cli::parse_cap(options.tee_memory_text, "--tee-memory"));
  TRY(check_vm(options));
  TRY(check_world(options));
  if (options.measure) {
    const bool named =
        std::any_of(options.outputs.begin(), options.outputs.end(),
                    [](const std::string& text) { return !parse_named_path(text).name.empty(); });
    if (!named || !options.bundle.empty()) return done();
    return Error(ErrorCode::kUsage, "which outputs leave depends on the bundle: name it too");
  }
  if (options.bundle.empty()) return Error(ErrorCode::kUsage, "BUNDLE is required");
  TRY(check_evidence(options));
  if (options.inputs.empty()) return Error(ErrorCode::kUsage, "--input is required");
  if (options.outputs.empty()) return Error(ErrorCode::kUsage, "--output is required");
  const auto streams = [](const std::vector<std::string>& list) {
    return std::count_if(list.begin(), list.end(), [](const std::string& text) {
      return parse_named_path(text).path == "-";
    });
  };
  if (streams(options.inputs) != 0 && options.inputs.size() != 1) {
    return Error(ErrorCode::kUsage, "standard input can only be the one input there is");
  }
  if (streams(options.outputs) > 1) {
    return Error(ErrorCode::kUsage, "only one output can go to standard output");
  }
  if (streams(options.outputs) != 0 && json) {
    return Error(ErrorCode::kUsage, "with --json, standard output is taken: no --output -");
  }
  if (options.outputs.size() > 1) {
    for (const std::string& text : options.outputs) {
      if (!parse_named_path(text).name.empty()) continue;
      return Error(ErrorCode::kUsage, "several outputs need names: --output NAME=Y.npy");
    }
  }
  return done();
}

}  // namespace sealpack::loader
