// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/verbs/broker_folder.h"
#include "keymgmt/verbs/verbs.h"

namespace sealpack::broker {

void add_broker(CLI::App& app, cli::Job& job) {
  CLI::App* group =
      app.add_subcommand("broker", "Releases keys to environments that prove what they are");
  group->require_subcommand(1);
  add_broker_init(*group, job);
  add_broker_serve(*group, job);
  add_broker_add(*group, job);
  add_broker_list(*group, job);
  add_broker_revoke(*group, job);
  add_broker_licence(*group, job);
  add_broker_policy(*group, job);
  add_broker_enrol(*group, job);
  add_broker_rotate(*group, job);
  add_broker_end_key(*group, job);
  add_broker_log(*group, job);
  add_broker_checkpoint(*group, job);
  add_broker_backup(*group, job);
  add_broker_restore(*group, job);
  add_broker_reconcile(*group, job);
  add_broker_answer(*group, job);
}

}  // namespace sealpack::broker
