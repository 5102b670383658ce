// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <ostream>

#include "attest/verbs/measured.h"
#include "formats/cli/help.h"
#include "formats/cli/json_output.h"
#include "keymgmt/keystore/key_file.h"
#include "runtime-loader/tee/process/process_backend.h"

namespace sealpack::attest {
namespace {

struct ProcessOptions {
  LaunchOptions launch;
  std::string cap = "none";
};

Result<keystore::PublicKey> load_key(const std::string& path, keystore::Role role) {
  keystore::PublicKey key = TRY(keystore::load_public_key(path, std::nullopt));
  if (key.role != role) {
    return Error(ErrorCode::kUsage, printable(path) + " is a key of role " +
                                        keystore::to_string(key.role) + ", not " +
                                        keystore::to_string(role));
  }
  return key;
}

Result<std::uint64_t> size_of(const std::string& text, const std::string& option) {
  return text.empty() ? Result<std::uint64_t>(std::uint64_t{0}) : cli::parse_size(text, option);
}

// HOST_DATA holds the digest; the 48 bytes of MRCONFIGID are filled up with zeros.
Status measure_launch(const LaunchOptions& options, cli::Terminal& terminal) {
  const loader::LaunchConfig config = TRY(launch_config(options));
  const Digest digest = loader::launch_digest(loader::serialize_launch(config));
  ByteVector config_id = to_vector(digest.bytes);
  config_id.resize(48);
  if (terminal.json()) {
    cli::print_json(terminal, {{"launch", to_hex(digest.bytes)},
                               {"host_data", to_hex(digest.bytes)},
                               {"mrconfigid", to_hex(config_id)}});
    return done();
  }
  terminal.out() << "# digest of the launch configuration: " << to_hex(digest.bytes)
                 << "\n# sev-snp\nhost_data = { accept = [\"" << to_hex(digest.bytes)
                 << "\"] }\n# tdx\nmrconfigid = { accept = [\"" << to_hex(config_id) << "\"] }\n";
  return done();
}

Status measure_process(const ProcessOptions& options, cli::Terminal& terminal) {
  const loader::LaunchConfig config = TRY(launch_config(options.launch));
  const Digest launch = loader::launch_digest(loader::serialize_launch(config));
  tee::ProcessOptions process;
  process.cap = TRY(cli::parse_cap(options.cap, "--tee-memory"));
  const auto backend = TRY(tee::ProcessBackend::launch(process));
  Claims claims;
  claims.tee = "simulated";
  claims.add_bytes("measurement", backend->expected_measurement(launch).bytes);
  print_measured(claims, terminal);
  terminal.note("SIMULATED: a policy for it names its root besides, and protects nothing");
  return done();
}

}  // namespace

void add_launch_options(CLI::App& verb, LaunchOptions& options) {
  unpacker::add_trust_options(verb, options.trust, unpacker::TrustNeed::kRequired);
  verb.add_option("--owner", options.owner, "Name of whose bundles these are (vendor)");
  verb.add_option("--broker-key", options.broker_key,
                  "B.pub: the grant signer that the loader believes");
  verb.add_option("--answer-key", options.answer_key, "R.pub: answers leave sealed to it alone");
  verb.add_option("--memory-limit", options.memory_limit, "Secure memory for models, as 512MiB");
  verb.add_flag("--counter-required", options.counter_required,
                "Open only against a counter floor that the host cannot turn back");
  verb.add_flag("--top-1", options.top1, "Answers: the best class alone");
  verb.add_option("--rounded", options.rounded, "Answers: scores with N decimals");
  verb.add_option("--query-budget", options.query_budget, "At most N answers an opening");
}

Result<loader::LaunchConfig> launch_config(const LaunchOptions& options) {
  if (options.top1 && options.rounded) {
    return Error(ErrorCode::kUsage, "--top-1 and --rounded contradict each other");
  }
  const auto trust = TRY(unpacker::load_trust_options(options.trust));
  loader::LaunchConfig config;
  loader::Owner owner{options.owner, trust.trust, std::nullopt, options.counter_required};
  if (!options.broker_key.empty()) {
    owner.broker = TRY(load_key(options.broker_key, keystore::Role::kGrantSigner)).verifying_key();
  }
  config.owners.push_back(std::move(owner));
  if (!options.answer_key.empty()) {
    config.answer_key =
        TRY(load_key(options.answer_key, keystore::Role::kRecipient)).encryption_key();
  }
  config.memory_limit = TRY(size_of(options.memory_limit, "--memory-limit"));
  if (options.top1) config.answer.form = bundle::AnswerForm::kTop1;
  if (options.rounded) {
    config.answer.form = bundle::AnswerForm::kRounded;
    config.answer.decimals = *options.rounded;
  }
  config.answer.query_budget = options.query_budget;
  // What the loader itself will say of it.
  TRY(loader::parse_launch(loader::serialize_launch(config)));
  return config;
}

void add_measure_launch(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<LaunchOptions>();
  CLI::App* verb = group.add_subcommand(
      "launch", "Digest of a launch configuration: what HOST_DATA or MRCONFIGID must hold");
  add_launch_options(*verb, *options);
  verb->footer(cli::help_footer(
      "sealpack attest measure launch --trust vendor.pub --broker-key grants.pub", "",
      {{ErrorCode::kUsage, "wrong command line, trust or key"},
       {ErrorCode::kIo, "a file cannot be read"},
       {ErrorCode::kMalformed, "a key or trust file breaks its format"},
       {ErrorCode::kUnsupported, "a key or trust file of another type or version"},
       {ErrorCode::kLimit, "a file is larger than it may be"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return measure_launch(*options, terminal); };
  });
}

void add_measure_process(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<ProcessOptions>();
  CLI::App* verb = group.add_subcommand(
      "process", "Measurement of the SIMULATED TEE: its program, confinement and launch");
  add_launch_options(*verb, options->launch);
  verb->add_option("--tee-memory", options->cap,
                   "Secure bytes it is confined to, as 512MiB, or none");
  verb->footer(cli::help_footer(
      "sealpack attest measure process --trust vendor.pub --broker-key grants.pub --tee-memory "
      "16MiB",
      "",
      {{ErrorCode::kUsage, "wrong command line, trust or key"},
       {ErrorCode::kIo, "a file cannot be read, or the program cannot be started"},
       {ErrorCode::kMalformed, "a key or trust file breaks its format"},
       {ErrorCode::kUnsupported, "a key or trust file of another type or version"},
       {ErrorCode::kLimit, "the memory does not hold the program itself"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return measure_process(*options, terminal); };
  });
}

}  // namespace sealpack::attest
