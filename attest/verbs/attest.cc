// SPDX-License-Identifier: Apache-2.0
#include "attest/verbs/verbs.h"

namespace sealpack::attest {

void add_attest(CLI::App& app, cli::Job& job) {
  CLI::App* group = app.add_subcommand("attest", "Evidence of TEEs: collect, show, prove, predict");
  group->require_subcommand(1);
  add_attest_verify(*group, job);
  add_attest_show(*group, job);
  add_attest_collect(*group, job);
  add_attest_measure(*group, job);
  add_attest_fetch(*group, job);
}

void add_policy(CLI::App& app, cli::Job& job) {
  CLI::App* group = app.add_subcommand("policy", "Policies: write, check, show, try on evidence");
  group->require_subcommand(1);
  add_policy_init(*group, job);
  add_policy_check(*group, job);
  add_policy_show(*group, job);
  add_policy_test(*group, job);
}

}  // namespace sealpack::attest
