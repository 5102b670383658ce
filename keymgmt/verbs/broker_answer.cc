// SPDX-License-Identifier: Apache-2.0
#include <future>
#include <memory>
#include <ostream>

#include "formats/cli/json_output.h"
#include "keymgmt/broker/client/client.h"
#include "keymgmt/broker/client/files.h"
#include "keymgmt/verbs/broker_folder.h"

namespace sealpack::broker {
namespace {

struct Options {
  std::string folder;
  std::string request;
  std::string out;
  bool lab = false;
  bool force = false;
};

FileKind kind_of(const Answer& answer) {
  switch (answer.kind) {
    case Answer::Kind::kChallenge:
      return FileKind::kChallenge;
    case Answer::Kind::kGrant:
      return FileKind::kGrant;
    case Answer::Kind::kRefusal:
      return FileKind::kRefusal;
  }
  die("unknown kind of answer");
}

Result<Answer> ask(Service& service, MessageFile request) {
  if (request.kind == FileKind::kChallengeRequest) {
    return service.challenge(request.message, Transport::kFiles);
  }
  if (request.kind != FileKind::kReleaseRequest) {
    return Error(ErrorCode::kUsage, std::string("a ") + to_string(request.kind) +
                                        " is what a broker answers, not what it is asked");
  }
  std::promise<Answer> answered;
  service.release(std::move(request.message), Transport::kFiles,
                  [&](Answer answer) { answered.set_value(std::move(answer)); });
  return answered.get_future().get();
}

Status answer(const Options& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  MessageFile request = TRY(load_message_file(options.request));
  const Overwrite overwrite = options.force ? Overwrite::kReplace : Overwrite::kRefuse;
  std::error_code ignored;
  if (!options.force && std::filesystem::exists(options.out, ignored)) {
    return Error(ErrorCode::kUsage, printable(options.out) + " exists and is not overwritten");
  }
  if (options.lab)
    terminal.warning("--lab: SIMULATED evidence may be believed, which proves nothing");
  const auto service = TRY(
      Service::create(folder.store, TRY(folder.keys()), TRY(folder.service_options(options.lab))));
  const Answer given = TRY(ask(*service, std::move(request)));
  service->stop();
  TRY(store_message_file(options.out, kind_of(given), given.body, overwrite));
  if (given.kind == Answer::Kind::kRefusal) {
    // The site gets the refusal too; here it is the exit status.
    return to_error(TRY(parse_refusal(given.body)));
  }
  if (terminal.json()) {
    cli::print_json(terminal, {{"answer", to_string(kind_of(given))}, {"file", options.out}});
  } else {
    terminal.out() << printable(options.out) << ": a " << to_string(kind_of(given)) << '\n';
  }
  return done();
}

}  // namespace

void add_broker_answer(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = group.add_subcommand(
      "answer", "Answer a file of a site without a network: a challenge, a grant or a refusal");
  verb->add_option("REQUEST", options->request,
                   "exchange-N.challenge-request or exchange-N.release-request")
      ->required();
  add_folder_option(*verb, options->folder);
  verb->add_option("-o,--out", options->out,
                   "exchange-N.challenge or exchange-N.grant, to carry back")
      ->type_name("FILE")
      ->required();
  verb->add_flag("--lab", options->lab, "As for serve");
  verb->add_flag("--force", options->force, "Replace an existing file");
  verb->footer(broker_help(
      "sealpack broker answer exchange-1.challenge-request --out exchange-1.challenge --dir D",
      "DIR/broker.toml, DIR/store.db or the database that broker.toml names; the keys; "
      "endorsements",
      {{ErrorCode::kUsage, "wrong command line, a file of another kind, or FILE is there"},
       {ErrorCode::kMalformed, "this is no file of an exchange, or the message in it is broken"},
       {ErrorCode::kUnsupported, "the message, the store or a key is of another version or type"},
       {ErrorCode::kRefused, "no key; the file that was written says why"},
       {ErrorCode::kTryAgain, "the database is busy, or the store was restored and not reconciled"},
       {ErrorCode::kNotAuthentic, "a key is in another TPM than the one that answers"},
       {ErrorCode::kKeyUnavailable,
        "a passphrase or PIN is wrong, or a token or its key is not there"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return answer(*options, terminal); };
  });
}

}  // namespace sealpack::broker
