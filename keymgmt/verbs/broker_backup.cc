// SPDX-License-Identifier: Apache-2.0
// backup, restore.
#include <memory>
#include <ostream>

#include "formats/base/utc_text.h"
#include "formats/cli/json_output.h"
#include "keymgmt/verbs/broker_folder.h"

namespace sealpack::broker {
namespace {

struct BackupOptions {
  std::string folder;
  std::string file;
  bool clock = false;  // restore
};

// What a broker needs besides its store; a key in a token has no file to copy.
std::string files_besides(const BrokerConfig& config) {
  std::string out = "broker.toml";
  const auto add = [&](const std::string& path) {
    if (!path.empty()) out += ", " + printable(path);
  };
  for (const NamedUse& use : kUses) {
    for (const std::string& key : key_refs(config, use.use)) {
      if (BrokerConfig::is_file(key) || key.starts_with("tpm:")) add(key);
    }
  }
  add(config.certificate);
  add(config.key);
  add(config.passphrase_file);
  add(config.roots);
  add(config.endorsements);
  return out;
}

Status backup(const BackupOptions& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  TRY(folder.store->backup(options.file));
  const LogHead head = TRY(folder.store->log_head());
  if (terminal.json()) {
    cli::print_json(terminal, {{"backup", options.file}, {"log_size", head.size}});
  } else {
    terminal.out() << printable(options.file) << " holds the store\n";
  }
  terminal.note("not in it, keep a copy of them apart: " + files_besides(folder.config));
  return done();
}

Status restore(const BackupOptions& options, cli::Terminal& terminal) {
  const BrokerConfig config = TRY(load_broker_config(options.folder));
  const auto store =
      TRY(Store::restore(options.file, config.store_uri(), unix_time(),
                         options.clock ? RestoreClock::kConfirmed : RestoreClock::kChecked));
  const auto state = TRY(store->state());
  if (terminal.json()) {
    cli::print_json(terminal, {{"epoch", state->epoch}, {"reconciled", state->reconciled}});
  } else {
    terminal.out() << "restored, epoch " << state->epoch << '\n';
  }
  terminal.note(
      "nothing is released until `sealpack broker reconcile`: say first what was said since the "
      "backup, licences, policies, releases, vendors, TPMs (docs/BROKER.md, Backup and restore)");
  return done();
}

}  // namespace

void add_broker_backup(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<BackupOptions>();
  CLI::App* verb = group.add_subcommand("backup", "Copy the store while the broker serves");
  add_folder_option(*verb, options->folder);
  verb->add_option("-o,--out", options->file, "File to write, which must not be there")
      ->type_name("FILE")
      ->required();
  verb->footer(
      broker_help("sealpack broker backup --dir D --out /backup/store-2026-11-20.db",
                  "DIR/broker.toml, DIR/store.db or the database that broker.toml names",
                  {{ErrorCode::kRefused, "others may read the folder, or FILE is there"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return backup(*options, terminal); };
  });
}

void add_broker_restore(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<BackupOptions>();
  CLI::App* verb = group.add_subcommand(
      "restore",
      "Make a store out of a backup, in a new epoch; nothing is released before reconcile");
  verb->add_option("BACKUP", options->file, "What backup wrote")->required();
  add_folder_option(*verb, options->folder);
  verb->add_flag("--clock", options->clock,
                 "Your word that the clock of this machine is right, where the backup has times in "
                 "the future");
  verb->footer(
      broker_help("sealpack broker restore /backup/store-2026-11-20.db --dir D",
                  "DIR/broker.toml, DIR/store.db or the database that broker.toml names",
                  {{ErrorCode::kMalformed, "this is no backup, or broker.toml is broken"},
                   {ErrorCode::kUnsupported, "the backup is of a newer version"},
                   {ErrorCode::kRefused,
                    "there is a store already: move it away first; or the clock lies before what "
                    "the backup logged"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return restore(*options, terminal); };
  });
}

}  // namespace sealpack::broker
