// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <ostream>

#include "attest/policy/claim_text.h"
#include "attest/verbs/measured.h"
#include "attest/verbs/proving.h"
#include "attest/verbs/verbs.h"

namespace sealpack::attest {

void print_measured(const Claims& claims, cli::Terminal& terminal) {
  if (terminal.json()) {
    cli::print_json(terminal, {{"tee", claims.tee}, {"claims", claims_json(claims)}});
    return;
  }
  const policy::TeeClaims* tee = policy::find_tee(claims.tee);
  terminal.out() << "# " << claims.tee << '\n';
  for (const Claim& claim : claims.claims) {
    const policy::ClaimName* name = tee == nullptr ? nullptr : policy::find_claim(*tee, claim.name);
    if (name == nullptr) die("print_measured: a claim that no policy knows");
    terminal.out() << claim.name << " = { accept = [" << policy::value_in_toml(*name, claim.value)
                   << "] }\n";
  }
}

void add_attest_measure(CLI::App& group, cli::Job& job) {
  CLI::App* verb = group.add_subcommand(
      "measure", "Predict what evidence will claim, as lines for a policy; no TEE needed");
  verb->require_subcommand(1);
  add_measure_launch(*verb, job);
  add_measure_process(*verb, job);
  add_measure_sgx(*verb, job);
  add_measure_snp(*verb, job);
  add_measure_pcr(*verb, job);
  add_measure_rim(*verb, job);
}

}  // namespace sealpack::attest
