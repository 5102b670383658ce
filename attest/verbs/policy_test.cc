// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>

#include "attest/policy/policy_file.h"
#include "attest/verbs/next_step.h"
#include "attest/verbs/proving.h"
#include "attest/verbs/verbs.h"

namespace sealpack::attest {
namespace {

struct Options {
  ProvingOptions proving;
  std::string policy;
  std::string expect;
};

Status try_policy(const Options& options, cli::Terminal& terminal) {
  const policy::PolicyFile policy = TRY(load_policy_to_apply(options.policy));
  const Proof proof = TRY(prove(options.proving));
  if (!proof.verdict.accepted()) return not_genuine(proof, terminal);
  const policy::Judgement judged = judge_proof(proof, policy.policy, options.proving.lab);
  const bool accepted = judged.reasons.empty();
  const bool expected = options.expect != "refuse";
  if (accepted != expected) {
    terminal.give_reasons(judged.reasons, judged.others);
    if (accepted) return Error(ErrorCode::kRefused, "the policy accepts what it was to refuse");
    return Error(ErrorCode::kRefused, "the policy refuses the evidence")
        .with_hint(step_to_acceptance(*proof.verdict.claims, judged.reasons));
  }
  if (terminal.json()) {
    cli::Json json = {{"accepted", accepted}, {"tee", proof.evidence.tee}};
    json["reasons"] = cli::reasons_json(judged.reasons);
    if (!judged.others.empty()) json["other_reasons"] = cli::reasons_json(judged.others);
    cli::print_json(terminal, json);
    return done();
  }
  std::ostream& out = terminal.out();
  out << "OK " << printable(options.policy) << (accepted ? " accepts " : " refuses ")
      << printable(options.proving.evidence) << '\n';
  for (const Reason& one : judged.reasons) out << "  " << one.code << ": " << one.text << '\n';
  return done();
}

}  // namespace

void add_policy_test(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      group.add_subcommand("test", "Try a policy on sample evidence; for a release pipeline");
  verb->add_option("POLICY", options->policy, "P.toml")->required();
  verb->add_option("--evidence", options->proving.evidence, "File or folder, in any form known")
      ->required();
  verb->add_option("--expect", options->expect, "accept (as without it) or refuse")
      ->check(CLI::IsMember({"accept", "refuse"}));
  add_proving_options(*verb, options->proving);
  verb->footer(judging_footer(
      "sealpack policy test policy.toml --evidence evidence/debug --endorsements endorsements/ "
      "--expect refuse",
      "the policy does not do what is expected"));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return try_policy(*options, terminal); };
  });
}

}  // namespace sealpack::attest
