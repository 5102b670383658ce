// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>

#include "attest/policy/policy_file.h"
#include "attest/verbs/next_step.h"
#include "attest/verbs/proving.h"
#include "attest/verbs/verbs.h"
#include "formats/base/utc_text.h"

namespace sealpack::attest {
namespace {

struct Options {
  ProvingOptions proving;
  std::string policy;
};

void report(const Proof& proof, cli::Terminal& terminal) {
  const Claims& claims = *proof.verdict.claims;
  const bool simulated = proof.evidence.tee == "simulated";
  if (terminal.json()) {
    cli::print_json(terminal, {{"accepted", true},
                               {"tee", claims.tee},
                               {"simulated", simulated},
                               {"time", proof.now},
                               {"report_data", to_hex(claims.report_data)},
                               {"report_data_compared", proof.compared_report_data},
                               {"claims", claims_json(claims)}});
    return;
  }
  std::ostream& out = terminal.out();
  out << "OK " << claims.tee << (simulated ? " (SIMULATED: protects nothing)" : "")
      << ": genuine at " << utc_text(proof.now) << ", and the policy accepts it\n";
  print_claims(claims, out);
  out << "  bound to " << to_hex(claims.report_data) << '\n';
}

Status verify_evidence(const Options& options, cli::Terminal& terminal) {
  const policy::PolicyFile policy = TRY(load_policy_to_apply(options.policy));
  const Proof proof = TRY(prove(options.proving));
  if (!proof.verdict.accepted()) return not_genuine(proof, terminal);
  policy::Judgement judged = judge_proof(proof, policy.policy, options.proving.lab);
  if (!judged.reasons.empty()) {
    const std::string hint = step_to_acceptance(*proof.verdict.claims, judged.reasons);
    terminal.give_reasons(std::move(judged.reasons), std::move(judged.others));
    return Error(ErrorCode::kRefused,
                 "the evidence of " + proof.evidence.tee + " is genuine, but the policy refuses it")
        .with_hint(hint);
  }
  report(proof, terminal);
  if (!proof.compared_report_data) {
    terminal.note("without --report-data nothing says when the evidence was made, or for whom");
  }
  return done();
}

}  // namespace

void add_attest_verify(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      group.add_subcommand("verify", "Prove evidence, and judge it by a policy; offline");
  add_evidence_argument(*verb, options->proving);
  add_proving_options(*verb, options->proving);
  verb->add_option("--policy", options->policy, "P.toml: what is accepted")->required();
  verb->footer(
      judging_footer("sealpack attest verify evidence.bin --endorsements endorsements/ --policy "
                     "policy.toml --json",
                     "genuine, but the policy refuses it"));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return verify_evidence(*options, terminal); };
  });
}

}  // namespace sealpack::attest
