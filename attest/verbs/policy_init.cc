// SPDX-License-Identifier: Apache-2.0
#include <iterator>
#include <memory>
#include <ostream>

#include "attest/policy/policy_file.h"
#include "attest/policy/relaxations.h"
#include "attest/verbs/policy_template.h"
#include "attest/verbs/proving.h"
#include "attest/verbs/verbs.h"
#include "formats/base/utc_text.h"
#include "formats/cli/help.h"
#include "formats/files/output_file.h"

namespace sealpack::attest {
namespace {

struct Options {
  ProvingOptions proving;
  std::vector<std::string> from;
  std::vector<std::string> tees;
  std::string out;
  bool force = false;
};

Status write_text(const Options& options, const std::string& text) {
  constexpr mode_t kMode = 0644;
  OutputFile file = TRY(OutputFile::create(
      options.out, options.force ? Overwrite::kReplace : Overwrite::kRefuse, kMode));
  TRY(file.write_at(0, as_bytes(text)));
  return file.commit();
}

// Of all samples, and forms to fill in.
Result<PolicyDraft> environments_of(const Options& options, cli::Terminal& terminal) {
  PolicyDraft all;
  for (const std::string& path : options.from) {
    ProvingOptions proving = options.proving;
    proving.evidence = path;
    const Proof proof = TRY(prove(proving));
    if (!proof.verdict.accepted()) {
      return not_genuine(proof, terminal)
          .within(printable(path))
          .with_hint("a policy is made of what is proven");
    }
    PolicyDraft draft = environment_of(
        *proof.verdict.claims, "As proven by " + printable(path) + " at " + utc_text(proof.now));
    all.text += draft.text;
    std::move(draft.undecided.begin(), draft.undecided.end(), std::back_inserter(all.undecided));
  }
  for (const std::string& tee : options.tees) all.text += TRY(empty_environment(tee));
  return all;
}

// What it relaxes, where it is a policy already and not one to be completed.
Result<std::vector<std::string>> relaxed_in(const std::string& text, const Options& options) {
  if (!options.tees.empty()) return std::vector<std::string>();
  const auto policy = policy::parse_policy(text, options.out);
  if (policy.ok()) return policy::relaxations(policy->policy);
  if (policy.error().code() == ErrorCode::kUsage) return std::vector<std::string>();
  return Error(ErrorCode::kInternal, policy.error().message());
}

Status init(const Options& options, cli::Terminal& terminal) {
  if (options.from.empty() && options.tees.empty()) {
    return Error(ErrorCode::kUsage, "policy init takes --from EVIDENCE or --tee T");
  }
  const PolicyDraft draft = TRY(environments_of(options, terminal));
  const std::string text = policy_heading() + draft.text;
  const std::vector<std::string> relaxed = TRY(relaxed_in(text, options));
  TRY(write_text(options, text));
  if (terminal.json()) {
    cli::print_json(
        terminal, {{"policy", options.out}, {"relaxed", relaxed}, {"undecided", draft.undecided}});
  } else {
    terminal.out() << "policy       " << printable(options.out) << '\n';
    for (const std::string& line : relaxed) terminal.out() << "relaxed      " << line << '\n';
    for (const std::string& name : draft.undecided) {
      terminal.out() << "undecided    " << name << '\n';
    }
  }
  if (!draft.undecided.empty()) {
    terminal.note("it refuses the sample until you decide where it says CAUTION");
  }
  if (!options.tees.empty()) terminal.note("fill in what is empty: it accepts nobody as it is");
  return done();
}

}  // namespace

void add_policy_init(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = group.add_subcommand(
      "init", "Write a policy that accepts what sample evidence proves, or one to fill in");
  verb->add_option("--from", options->from, "EVIDENCE: file or folder; one environment each")
      ->allow_extra_args(false);
  verb->add_option("--tee", options->tees, "T: an environment of this TEE to fill in")
      ->allow_extra_args(false);
  verb->add_option("--out", options->out, "P.toml: the file to write")->required();
  verb->add_flag("--force", options->force, "Replace the file");
  add_proving_options(*verb, options->proving);
  verb->footer(cli::help_footer(
      "sealpack policy init --from evidence/ --endorsements endorsements/ --out "
      "policy.toml\nsealpack policy init --tee sev-snp --out policy.toml",
      "",
      {{ErrorCode::kUsage, "wrong command line"},
       {ErrorCode::kIo, "a file cannot be read or written"},
       {ErrorCode::kMalformed, "evidence or an endorsement breaks its format"},
       {ErrorCode::kUnsupported, "a form, an algorithm or a version that is not known"},
       {ErrorCode::kNotAuthentic, "the evidence is not proven to be genuine"},
       {ErrorCode::kLimit, "a file is larger than it may be"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return init(*options, terminal); };
  });
}

}  // namespace sealpack::attest
