// SPDX-License-Identifier: Apache-2.0
// backup, restore, reconcile.
#include <memory>
#include <ostream>

#include "formats/cli/json_output.h"
#include "keymgmt/verbs/broker_folder.h"

namespace sealpack::broker {
namespace {

struct BackupOptions {
  std::string folder;
  std::string file;
};

Status backup(const BackupOptions& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  TRY(folder.store->backup(options.file));
  const LogHead head = TRY(folder.store->log_head());
  if (terminal.json()) {
    cli::print_json(terminal, {{"backup", options.file}, {"log_size", head.size}});
  } else {
    terminal.out() << printable(options.file) << " holds the store\n";
  }
  terminal.note("the keys are not in it: keep a copy of broker.key, grants.key and log.key apart");
  return done();
}

Status restore(const BackupOptions& options, cli::Terminal& terminal) {
  const BrokerConfig config = TRY(load_broker_config(options.folder));
  const auto store = TRY(Store::restore(options.file, config.store_uri(), unix_time()));
  const auto state = TRY(store->state());
  if (terminal.json()) {
    cli::print_json(terminal, {{"epoch", state->epoch}, {"reconciled", state->reconciled}});
  } else {
    terminal.out() << "restored, epoch " << state->epoch << '\n';
  }
  terminal.note(
      "nothing is released until `sealpack broker reconcile`: what was revoked since the "
      "backup is not in it");
  return done();
}

struct ReconcileOptions {
  std::string folder;
  std::vector<std::string> revoke;
  std::vector<std::string> floors;
  std::vector<std::string> ended;
  bool no_lease_is_missing = false;
};

// "device=HEX"
Result<std::pair<std::string, std::string>> parse_pair(const std::string& text,
                                                       const std::string& option) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return Error(ErrorCode::kUsage, option + ": " + printable(text) + " has no '='");
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<RevokedKind> parse_kind(const std::string& text) {
  for (const RevokedKind kind : {RevokedKind::kDevice, RevokedKind::kContent, RevokedKind::kRelease,
                                 RevokedKind::kMeasurement, RevokedKind::kSigner}) {
    const std::string name = kind == RevokedKind::kContent ? "bundle" : to_string(kind);
    if (text == name) return kind;
  }
  return Error(ErrorCode::kUsage, "--revoke: there is nothing called " + printable(text));
}

Result<std::uint64_t> parse_counter(const std::string& text) {
  if (!text.empty() && text.size() < 20 &&
      text.find_first_not_of("0123456789") == std::string::npos) {
    return std::stoull(text);
  }
  return Error(ErrorCode::kUsage, "--floor: " + printable(text) + " is no number");
}

Status reconcile(const ReconcileOptions& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  const auto state = TRY(folder.state());
  Reconcile change;
  for (const std::string& text : options.revoke) {
    const auto [kind, value] = TRY(parse_pair(text, "--revoke"));
    change.revocations.push_back({TRY(parse_kind(kind)), TRY(parse_value(value, "--revoke")),
                                  "revoked before the restore", unix_time()});
  }
  for (const std::string& text : options.floors) {
    const auto [product, counter] = TRY(parse_pair(text, "--floor"));
    const ProductName name = TRY(find_product(*state, product, ""));
    change.floors.push_back(
        {name.authority, name.product, {TRY(parse_counter(counter)), std::nullopt}});
  }
  for (const std::string& text : options.ended) {
    const ByteVector bytes = TRY(parse_value(text, "--ended"));
    loader::Instance instance{};
    if (bytes.size() != instance.size()) {
      return Error(ErrorCode::kUsage, "--ended: an instance has 16 bytes");
    }
    std::copy(bytes.begin(), bytes.end(), instance.begin());
    change.ended.push_back(instance);
  }
  change.no_lease_is_missing = options.no_lease_is_missing;
  TRY(folder.apply(change, "reconciled: keys are released again", terminal));
  if (!options.no_lease_is_missing) {
    terminal.note(
        "leases that the backup does not know may still run: new instances of products "
        "with limits wait until those have ended");
  }
  return done();
}

void add_list(CLI::App& verb, const char* flag, std::vector<std::string>& values, const char* text,
              const char* type) {
  verb.add_option(flag, values, text)->type_name(type)->allow_extra_args(false)->take_all();
}

}  // namespace

void add_broker_backup(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<BackupOptions>();
  CLI::App* verb = group.add_subcommand("backup", "Copy the store while the broker serves");
  add_folder_option(*verb, options->folder);
  verb->add_option("-o,--out", options->file, "File to write, which must not be there")
      ->type_name("FILE")
      ->required();
  verb->footer(cli::exit_codes({{ErrorCode::kIo, "the store cannot be read, or the file exists"},
                                {ErrorCode::kRefused, "others may read the folder"}}));
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
  verb->footer(
      cli::exit_codes({{ErrorCode::kIo, "a file or the database cannot be used"},
                       {ErrorCode::kMalformed, "this is no backup"},
                       {ErrorCode::kRefused, "there is a store already: move it away first"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return restore(*options, terminal); };
  });
}

void add_broker_reconcile(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<ReconcileOptions>();
  CLI::App* verb = group.add_subcommand(
      "reconcile", "After a restore: say what the backup does not know, and release again");
  add_folder_option(*verb, options->folder);
  add_list(*verb, "--revoke", options->revoke,
           "Revoked since the backup, as for revoke; may be repeated", "KIND=HEX");
  add_list(*verb, "--floor", options->floors, "Counters recalled since; may be repeated",
           "PRODUCT=N");
  add_list(*verb, "--ended", options->ended, "An instance that runs no longer; may be repeated",
           "HEX");
  verb->add_flag("--no-lease-is-missing", options->no_lease_is_missing,
                 "Your word that no lease was granted since the backup");
  verb->footer(cli::exit_codes({{ErrorCode::kUsage, "wrong command line"},
                                {ErrorCode::kIo, "the store cannot be used"},
                                {ErrorCode::kRefused, "there is nothing to reconcile"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return reconcile(*options, terminal); };
  });
}

}  // namespace sealpack::broker
