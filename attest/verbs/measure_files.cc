// SPDX-License-Identifier: Apache-2.0
// From files that somebody else made: an enclave's signature, a guest's firmware and kernel.
#include <memory>

#include "attest/measure/sigstruct.h"
#include "attest/measure/snp/launch_digest.h"
#include "attest/verbs/measured.h"
#include "formats/cli/help.h"
#include "formats/files/file_source.h"

namespace sealpack::attest {
namespace {

constexpr std::uint64_t kMaxFirmware = 16U << 20U;
constexpr std::uint64_t kMaxBootFile = std::uint64_t{2} << 30U;

Status measure_sgx(const std::string& path, cli::Terminal& terminal) {
  constexpr const char* kWanted = "the .sig file of the signing tool has one, of 1808 bytes";
  const ByteVector content = TRY(load_file(path, Sigstruct::kSize + 1).with_hint(kWanted));
  const Sigstruct sigstruct =
      TRY(parse_sigstruct(content).within(printable(path)).with_hint(kWanted));
  Claims claims;
  claims.tee = "sgx";
  claims.add_flag("debug", false);
  claims.add_number("isv_prod_id", sigstruct.isv_prod_id);
  claims.add_number("isv_svn", sigstruct.isv_svn);
  claims.add_bytes("mrenclave", sigstruct.mrenclave);
  claims.add_bytes("mrsigner", sigstruct.mrsigner);
  print_measured(claims, terminal);
  if (sigstruct.debug || sigstruct.debug_open) {
    terminal.warning(sigstruct.debug ? "the enclave is signed to be debugged"
                                     : "whoever launches the enclave may choose to debug it; keep "
                                       "debug = { accept = [false] }");
  }
  return done();
}

struct SnpOptions {
  std::string firmware;
  std::string kernel;
  std::string initrd;
  std::string append;
  std::uint32_t processors = 1;
  std::string model;
  std::vector<std::uint32_t> signature;
  std::uint64_t features = 1;
};

Result<std::uint32_t> signature_of(const SnpOptions& options) {
  if (options.signature.empty() == options.model.empty()) {
    return Error(ErrorCode::kUsage, "--cpu or --cpu-signature names the processor");
  }
  if (!options.model.empty()) return snp::processor_signature(options.model);
  constexpr std::uint32_t kMostFamily = 0xF + 0xFF;
  constexpr std::uint32_t kMostModel = 0xFF;
  constexpr std::uint32_t kMostStepping = 0xF;
  const auto& parts = options.signature;
  if (parts.size() != 3 || parts[0] > kMostFamily || parts[1] > kMostModel ||
      parts[2] > kMostStepping) {
    return Error(ErrorCode::kUsage,
                 "--cpu-signature takes family (at most 270), model (255) and stepping (15)")
        .with_hint("--cpu-signature 25,1,1 is EPYC-Milan");
  }
  return snp::processor_signature(parts[0], parts[1], parts[2]);
}

Status measure_snp(const SnpOptions& options, cli::Terminal& terminal) {
  if (options.kernel.empty() && (!options.initrd.empty() || !options.append.empty())) {
    return Error(ErrorCode::kUsage, "--initrd and --append go with --kernel");
  }
  const ByteVector firmware = TRY(load_file(options.firmware, kMaxFirmware));
  ByteVector kernel;
  ByteVector initrd;
  snp::Launch launch;
  launch.firmware = firmware;
  launch.processors = options.processors;
  launch.processor_signature = TRY(signature_of(options));
  launch.features = options.features;
  if (!options.kernel.empty()) {
    kernel = TRY(load_file(options.kernel, kMaxBootFile));
    if (!options.initrd.empty()) initrd = TRY(load_file(options.initrd, kMaxBootFile));
    launch.direct_boot = snp::DirectBoot{kernel, initrd, options.append};
  }
  const auto digest = TRY(snp::launch_digest(launch).within(printable(options.firmware)));
  Claims claims;
  claims.tee = "sev-snp";
  claims.add_bytes("measurement", digest);
  print_measured(claims, terminal);
  return done();
}

}  // namespace

void add_measure_sgx(CLI::App& group, cli::Job& job) {
  auto path = std::make_shared<std::string>();
  CLI::App* verb =
      group.add_subcommand("sgx", "MRENCLAVE and MRSIGNER of an enclave's signature (SIGSTRUCT)");
  verb->add_option("SIGSTRUCT", *path, "The .sig file of the signing tool")->required();
  verb->footer(cli::help_footer(
      "sealpack attest measure sgx enclave.sig", "",
      {{ErrorCode::kUsage, "wrong command line"},
       {ErrorCode::kIo, "the file cannot be read"},
       {ErrorCode::kMalformed, "no SIGSTRUCT"},
       {ErrorCode::kUnsupported, "a form, an algorithm or a version that is not known"},
       {ErrorCode::kNotAuthentic, "its signature does not hold"},
       {ErrorCode::kLimit, "a file is larger than it may be"}}));
  verb->callback([path, &job] {
    job = [path](cli::Terminal& terminal) { return measure_sgx(*path, terminal); };
  });
}

void add_measure_snp(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<SnpOptions>();
  CLI::App* verb = group.add_subcommand(
      "snp", "Launch measurement of a guest that QEMU starts: firmware, kernel, command line");
  verb->add_option("--firmware", options->firmware, "The image given to -bios")->required();
  verb->add_option("--kernel", options->kernel, "As -kernel, with kernel-hashes=on");
  verb->add_option("--initrd", options->initrd, "As -initrd");
  verb->add_option("--append", options->append, "As -append: the command line");
  verb->add_option("--vcpus", options->processors, "As -smp: all processors (1)");
  verb->add_option("--cpu", options->model, "As -cpu: EPYC-Milan-v2, EPYC-Genoa …");
  verb->add_option("--cpu-signature", options->signature,
                   "Of another -cpu: FAMILY,MODEL,STEPPING, as lscpu shows them in the guest")
      ->delimiter(',');
  verb->add_option("--features", options->features, "SEV_FEATURES of the host's kernel (1)");
  verb->footer(
      cli::help_footer("sealpack attest measure snp --firmware OVMF.fd --kernel vmlinuz --initrd "
                       "initrd.img --append 'console=ttyS0' --vcpus 4 --cpu EPYC-Milan-v2",
                       "",
                       {{ErrorCode::kUsage, "wrong command line, or no such processor"},
                        {ErrorCode::kIo, "a file cannot be read"},
                        {ErrorCode::kMalformed, "no firmware image"},
                        {ErrorCode::kUnsupported, "firmware that does not do this"},
                        {ErrorCode::kLimit, "a file is larger than it may be"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return measure_snp(*options, terminal); };
  });
}

}  // namespace sealpack::attest
