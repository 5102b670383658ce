// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "keymgmt/broker/server/log_queries.h"
#include "keymgmt/broker/server/server.h"
#include "keymgmt/verbs/broker_folder.h"

namespace sealpack::broker {
namespace {

using Level = EventLog::Level;

struct Options {
  std::string folder;
  std::optional<std::string> listen;
  std::optional<std::string> admin;
  bool lab = false;
};

std::map<std::string, double> gauges(const Service& service) {
  const ServiceStatistics statistics = service.statistics();
  std::map<std::string, double> out = {
      {"sealpack_broker_challenges_total", static_cast<double>(statistics.challenges)},
      {"sealpack_broker_grants_total", static_cast<double>(statistics.grants)},
      {"sealpack_broker_commits_total", static_cast<double>(statistics.commits)},
      {"sealpack_broker_refusals_unlogged_total", static_cast<double>(statistics.unlogged)},
      {"sealpack_broker_waiting", static_cast<double>(statistics.waiting)}};
  double refusals = 0;
  for (const auto& [code, count] : statistics.refusals) refusals += static_cast<double>(count);
  out["sealpack_broker_refusals_total"] = refusals;
  return out;
}

// Anybody may ask, and all of the store is much to read: it is read again when it changed.
class KeysAnswer {
 public:
  KeysAnswer(const BrokerFolder& folder, bool lab) : folder_(folder), lab_(lab) {}

  Result<std::string> get() {
    const std::lock_guard lock(mutex_);
    const StateVersion now = TRY(folder_.store->version());
    if (!state_ || state_->version() != now) state_ = TRY(folder_.state());
    return keys_json(*state_, unix_time(), lab_);
  }

 private:
  const BrokerFolder& folder_;
  bool lab_;
  std::mutex mutex_;
  std::shared_ptr<const State> state_;
};

// A shell gives a process a thousand descriptors, and a thousand idle strangers would take them.
// How many connections there may be: fewer than configured where the system does not give as many.
std::uint32_t allow_connections(std::uint32_t wanted, cli::Terminal& terminal) {
  constexpr rlim_t kOthers = 256;  // the operator's connections, the store, files and tokens
  const rlim_t needed = wanted + kOthers;
  rlimit limit{};
  // Where there are enough it is not asked for more: a service's sandbox may forbid that.
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return wanted;
  const rlim_t before = std::exchange(limit.rlim_cur, std::min(needed, limit.rlim_max));
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  if (limit.rlim_cur >= needed) return wanted;
  const rlim_t fewer = std::max<rlim_t>(limit.rlim_cur, kOthers + 1) - kOthers;
  terminal.warning("the system allows " + std::to_string(limit.rlim_cur) +
                   " open files: no more than " + std::to_string(fewer) +
                   " connections at once, not the " + std::to_string(wanted) +
                   " of broker.toml (ulimit -Hn, LimitNOFILE)");
  return static_cast<std::uint32_t>(fewer);
}

Status serve(const Options& options, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(options.folder));
  if (options.lab)
    terminal.warning("--lab: SIMULATED evidence may be believed, which proves nothing");
  EventLog events(write_to_standard_error);
  ServiceOptions how = TRY(folder.service_options(options.lab));
  how.report = [&](const Error& error) {
    events.write(Level::kError, "store", {{"message", error.message()}});
  };
  const KeyReport report = [&](const std::string& message) {
    events.write(Level::kError, "key", {{"message", message}});
  };
  const auto service = TRY(Service::create(folder.store, TRY(folder.keys(report)), std::move(how)));

  const auto state = TRY(folder.state());
  if (const auto reason = check_clock(unix_time(), state->last_time)) {
    terminal.warning(reason->text +
                     ": nothing is released until the clock is right, or until `sealpack broker "
                     "reconcile --clock`");
  }
  if (!state->reconciled) {
    terminal.warning(
        "the store was restored: nothing is released until `sealpack broker reconcile`");
  }

  ServerContent content;
  content.log = log_queries(folder.store, TRY(folder.log_signer(report)));
  content.keys = [keys = std::make_shared<KeysAnswer>(folder, options.lab)] { return keys->get(); };
  ServerOptions server;
  server.listen = options.listen.value_or(folder.config.listen);
  server.admin = options.admin ? TRY(admin_address(*options.admin)) : folder.config.admin;
  server.certificate = folder.config.path(folder.config.certificate);
  server.key = folder.config.path(folder.config.key);
  server.public_log = folder.config.public_log;
  server.threads = folder.config.threads;
  server.limits = folder.config.limits;
  server.limits.connections = allow_connections(server.limits.connections, terminal);
  server.gauges = [&service] { return gauges(*service); };
  server.reload = [&]() -> Status {
    service->set_endorsements(TRY(folder.endorsements()));
    return done();
  };
  const auto running = TRY(Server::create(server, *service, std::move(content), events));
  running->run(Server::Signals::kHandled);
  service->stop();
  return done();
}

}  // namespace

void add_broker_serve(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = group.add_subcommand(
      "serve",
      "Answer over HTTPS; SIGHUP reads certificate and endorsements again, SIGTERM ends it");
  add_folder_option(*verb, options->folder);
  verb->add_option("--listen", options->listen, "ADDRESS:PORT instead of that of broker.toml");
  verb->add_option("--admin", options->admin,
                   "ADDRESS:PORT for /metrics instead of that of broker.toml, or none");
  verb->add_flag("--lab", options->lab,
                 "Believe SIMULATED evidence under roots that a release names: for laboratories");
  verb->footer(broker_help(
      "sealpack broker serve --dir D",
      "DIR/broker.toml, DIR/store.db or the database that broker.toml names; the keys; tls.crt, "
      "tls.key;\n"
      "endorsements and roots.toml where broker.toml names them",
      {{ErrorCode::kUsage,
        "wrong command line or address, or a key wants a passphrase that nobody gives"},
       {ErrorCode::kIo, "the port is taken, or a file, database or TPM cannot be reached"},
       {ErrorCode::kMalformed, "broker.toml, the certificate or a key breaks its format"},
       {ErrorCode::kUnsupported, "the store is of a newer version, or a key of another type"},
       {ErrorCode::kRefused,
        "others may read the folder or a key, or the store does not list a key"},
       {ErrorCode::kNotAuthentic, "a key is in another TPM than the one that answers"},
       {ErrorCode::kKeyUnavailable,
        "a passphrase or PIN is wrong, or a token or its key is not there"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return serve(*options, terminal); };
  });
}

}  // namespace sealpack::broker
