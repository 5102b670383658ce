// SPDX-License-Identifier: Apache-2.0
// log show, log verify, checkpoint.
#include <algorithm>
#include <memory>
#include <ostream>

#include "formats/base/utc_text.h"
#include "formats/cli/json_output.h"
#include "formats/files/file_source.h"
#include "keymgmt/broker/log.h"
#include "keymgmt/keystore/key_file.h"
#include "keymgmt/keystore/private_file.h"
#include "keymgmt/verbs/broker_folder.h"

namespace sealpack::broker {
namespace {

constexpr std::uint64_t kMaxCheckpointSize = 65536;

struct ShowOptions {
  std::string folder;
  std::uint64_t from = 0;
  std::uint64_t count = 1000;
};

cli::Json json_of(const LogEntry& entry, std::uint64_t index) {
  cli::Json out = {{"index", index},
                   {"kind", to_string(entry.kind)},
                   {"time", entry.time},
                   {"epoch", entry.epoch}};
  if (!entry.what.empty()) out["what"] = entry.what;
  if (entry.kind != EntryKind::kGrant && entry.kind != EntryKind::kRefusal) return out;
  out["transport"] = entry.transport == 2 ? "files" : "network";
  out["content"] = cli::json_digest(entry.content);
  out["release"] = cli::json_digest(entry.release);
  out["tee"] = entry.tee;
  out["role"] = entry.role;
  out["evidence"] = cli::json_digest(entry.evidence);
  out["claims"] = cli::json_digest(entry.claims);
  out["device"] = to_hex(entry.device);
  out["codes"] = entry.codes;
  if (entry.kind == EntryKind::kGrant) out["floor"] = entry.floor;
  if (entry.lease_until != 0) out["lease_until"] = entry.lease_until;
  if (entry.instance) out["instance"] = to_hex(*entry.instance);
  return out;
}

std::string text_of(const LogEntry& entry) {
  if (!entry.what.empty()) return printable(entry.what);
  std::string text = entry.tee + ", release " + to_hex(entry.release.bytes).substr(0, 16);
  for (const std::string& code : entry.codes) text += ", " + code;
  if (entry.instance) text += ", instance " + to_hex(*entry.instance);
  return text;
}

Status show(const ShowOptions& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  const auto each = [&](const auto& visit) {
    return for_each_entry(
        *folder.store, options.from, options.count,
        [&](std::uint64_t index, Bytes bytes) -> Status {
          visit(index, TRY(parse_log_entry(bytes).within("log entry " + std::to_string(index))));
          return done();
        });
  };
  if (terminal.json()) {
    TRY(cli::print_json_list(terminal, [&](const cli::JsonSink& sink) {
      return each([&](std::uint64_t index, const LogEntry& entry) { sink(json_of(entry, index)); });
    }));
  } else {
    cli::Table table({"entry", "time", "kind", "what"});
    TRY(each([&](std::uint64_t index, const LogEntry& entry) {
      table.add(
          {std::to_string(index), utc_text(entry.time), to_string(entry.kind), text_of(entry)});
    }));
    table.print(terminal.out());
  }
  const std::uint64_t size = TRY(folder.store->log_head()).size;
  const std::uint64_t rest = size - std::min(size, options.from);
  if (rest > options.count) {
    terminal.note(std::to_string(rest - options.count) + " more follow: --from " +
                  std::to_string(options.from + options.count));
  }
  return done();
}

struct VerifyOptions {
  std::string folder;
  std::vector<std::string> checkpoints;
  std::vector<std::string> keys;
};

Status verify(const VerifyOptions& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  std::vector<std::string> texts;
  for (const std::string& path : options.checkpoints) {
    const ByteVector bytes = TRY(load_file(path, kMaxCheckpointSize));
    texts.emplace_back(as_text(bytes));
  }
  std::vector<crypto::VerifyingKey> keys;
  for (const std::string& path : options.keys) {
    const keystore::PublicKey key = TRY(keystore::load_public_key(path, std::nullopt));
    if (key.role != keystore::Role::kLog) {
      return Error(ErrorCode::kUsage, printable(path) + " is no key of role log");
    }
    keys.push_back(key.verifying_key());
  }
  const VerifiedLog log = TRY(verify_log(*folder.store, texts, keys));
  if (terminal.json()) {
    cli::print_json(terminal, {{"size", log.head.size},
                               {"root", cli::json_digest(log.head.root)},
                               {"epoch", log.epoch},
                               {"grants", log.grants},
                               {"refusals", log.refusals},
                               {"changes", log.changes},
                               {"checkpoints", texts.size()}});
    return done();
  }
  terminal.out() << "the log is whole: " << log.head.size << " entries, " << log.grants
                 << " grants, " << log.refusals << " refusals, " << log.changes
                 << " changes; epoch " << log.epoch << '\n';
  if (texts.empty()) {
    terminal.note(
        "it was compared with no checkpoint: whoever can write the store could have "
        "made it all anew");
  } else {
    terminal.out() << texts.size() << " checkpoint(s) are states that it was in\n";
  }
  return done();
}

struct CheckpointOptions {
  std::string folder;
  std::string out;
  bool force = false;
};

Status checkpoint(const CheckpointOptions& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  const auto signer = TRY(folder.log_signer());
  const Checkpoint made = TRY(make_checkpoint(*folder.store, *signer));
  if (!options.out.empty()) {
    TRY(keystore::store_file(options.out, as_bytes(made.text), 0644,
                             options.force ? Overwrite::kReplace : Overwrite::kRefuse));
  }
  if (terminal.json()) {
    cli::print_json(terminal, {{"origin", made.origin},
                               {"size", made.head.size},
                               {"root", cli::json_digest(made.head.root)},
                               {"text", made.text}});
  } else if (options.out.empty()) {
    terminal.out() << made.text;
  } else {
    terminal.out() << printable(options.out) << ": " << made.head.size << " entries\n";
  }
  return done();
}

}  // namespace

void add_broker_log(CLI::App& group, cli::Job& job) {
  CLI::App* log = group.add_subcommand("log", "The release log: every request and what came of it");
  log->require_subcommand(1);
  auto shown = std::make_shared<ShowOptions>();
  CLI::App* show_verb = log->add_subcommand("show", "Print entries");
  add_folder_option(*show_verb, shown->folder);
  show_verb->add_option("--from", shown->from, "The first entry (0)")->type_name("N");
  show_verb->add_option("--count", shown->count, "At most so many (1000)")
      ->type_name("N")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 20U));
  show_verb->footer(
      broker_help("sealpack broker log show --dir D --from 1000 --json",
                  "DIR/broker.toml, DIR/store.db or the database that broker.toml names",
                  {{ErrorCode::kMalformed, "an entry or broker.toml is broken"}}));
  show_verb->callback(
      [shown, &job] { job = [shown](cli::Terminal& terminal) { return show(*shown, terminal); }; });
  auto verified = std::make_shared<VerifyOptions>();
  CLI::App* verify_verb = log->add_subcommand(
      "verify", "Compute the whole tree again and compare it with checkpoints kept elsewhere");
  add_folder_option(*verify_verb, verified->folder);
  verify_verb
      ->add_option("--checkpoint", verified->checkpoints,
                   "A checkpoint as `broker checkpoint` or the server gave it; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->take_all();
  verify_verb
      ->add_option("--log-key", verified->keys,
                   "log.pub of the broker, kept elsewhere; may be repeated. Default: the keys that "
                   "the store lists")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->take_all();
  verify_verb->footer(broker_help(
      "sealpack broker log verify --dir D --checkpoint checkpoint-2026-11-20 --log-key log.pub",
      "DIR/broker.toml, DIR/store.db or the database that broker.toml names",
      {{ErrorCode::kUsage, "wrong command line, or no key of role log"},
       {ErrorCode::kMalformed, "a checkpoint, an entry or broker.toml is broken"},
       {ErrorCode::kNotAuthentic, "the log is not what a checkpoint says it was, or not whole"}}));
  verify_verb->callback([verified, &job] {
    job = [verified](cli::Terminal& terminal) { return verify(*verified, terminal); };
  });
}

void add_broker_checkpoint(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<CheckpointOptions>();
  CLI::App* verb = group.add_subcommand(
      "checkpoint", "Sign the state of the log; keep it where the broker cannot change it");
  add_folder_option(*verb, options->folder);
  verb->add_option("-o,--out", options->out, "File to write; default: standard output")
      ->type_name("FILE");
  verb->add_flag("--force", options->force, "Replace an existing file");
  verb->footer(broker_help(
      "sealpack broker checkpoint --dir D --out checkpoint-2026-11-20",
      "DIR/broker.toml, DIR/store.db or the database that broker.toml names; the log key",
      {{ErrorCode::kIo, "the store cannot be read, or FILE not be written or is there"},
       {ErrorCode::kNotAuthentic, "a key is in another TPM than the one that answers"},
       {ErrorCode::kKeyUnavailable,
        "a passphrase or PIN is wrong, or a token or its key is not there"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return checkpoint(*options, terminal); };
  });
}

}  // namespace sealpack::broker
