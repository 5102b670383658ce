// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <memory>
#include <ostream>

#include "formats/files/file_source.h"
#include "runtime-loader/host/clear_model.h"
#include "runtime-loader/host/divided_model.h"
#include "runtime-loader/tee/boot_clock.h"
#include "runtime-loader/tee/process/process_backend.h"
#include "runtime-loader/tee/threads.h"
#include "runtime-loader/verbs/run_files.h"
#include "runtime-loader/verbs/run_gpus.h"
#include "runtime-loader/verbs/run_keys.h"
#include "runtime-loader/verbs/run_report.h"
#include "runtime-loader/verbs/run_rows.h"
#include "runtime-loader/verbs/run_vm.h"
#include "runtime-loader/verbs/verbs.h"

namespace sealpack::loader {
namespace {

constexpr BundleId kBundle = 0;
constexpr const char* kOwner = "vendor";
constexpr std::uint64_t kLongestLease = std::uint64_t{1} << 40U;  // seconds: sums stay in range

using Instant = std::chrono::steady_clock::time_point;

std::uint64_t nanoseconds_since(Instant start) {
  const auto passed = std::chrono::steady_clock::now() - start;
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count());
}

// The bundle as the host sees it: it verifies by itself, so that it can say more than a TEE does.
struct HostBundle {
  std::shared_ptr<FileSource> file;
  unpacker::VerifiedBundle verified;
};

Result<HostBundle> open_bundle(const std::string& path, const unpacker::LoadedTrust& trust) {
  std::shared_ptr<FileSource> file = TRY(FileSource::open(path));
  auto unverified = TRY(unpacker::UnverifiedBundle::open(file).within(printable(path)));
  auto verified =
      TRY(std::move(unverified).verify(trust.trust, trust.clock).within(printable(path)));
  return HostBundle{std::move(file), std::move(verified)};
}

// What the TEE is launched with; `bundle` says which outputs are which, and is needed only where
// outputs are named.
Result<LaunchConfig> launch_config(const RunOptions& options, const unpacker::LoadedTrust& trust,
                                   const unpacker::VerifiedBundle* bundle) {
  std::vector<std::string> wanted;
  for (const std::string& text : options.outputs) {
    const std::string name = parse_named_path(text).name;
    if (!name.empty()) wanted.push_back(name);
  }
  if (bundle != nullptr) {
    wanted = TRY(host::DividedModel::leaving_outputs(bundle->content(), wanted));
  }
  LaunchConfig config;
  config.owners.push_back({kOwner, trust.trust, TRY(pinned_broker(options.broker)), false});
  config.answer = narrowing_of(options, std::move(wanted));
  return config;
}

// One a core where nobody says how many, and fewer under a cap that so many stacks would fill.
unsigned tee_threads(const RunOptions& options) {
  const unsigned threads = std::min(unpacker::thread_count(options.threads), tee::kMaxThreads);
  return options.threads != 0 ? threads : tee::threads_under(options.tee_memory, threads);
}

Result<std::unique_ptr<tee::ProcessBackend>> launch_process(const RunOptions& options,
                                                            const std::vector<int>& bundles) {
  const std::optional<crypto::PrivateKey> evidence_key = TRY(load_evidence_key(options));
  tee::ProcessOptions process;
  process.cap = options.tee_memory;
  process.threads = tee_threads(options);
  process.bundles = bundles;
  process.user = options.tee_user;
  process.evidence_key = evidence_key ? &*evidence_key : nullptr;
  return tee::ProcessBackend::launch(process);
}

class RunSession {
 public:
  // `supervisor`: of a device's key, else null.
  RunSession(const RunOptions& options, const unpacker::LoadedTrust& trust, HostBundle bundle,
             Instant start, cli::Terminal& terminal, tee::Supervisor* supervisor)
      : options_(options),
        trust_(trust),
        bundle_(std::move(bundle)),
        start_(start),
        terminal_(terminal),
        supervisor_(supervisor) {}

  // Up to a TEE that holds the key.
  Status open() {
    keys_ = TRY(make_key_provider(options_, bundle_.verified, terminal_));
    TRY(make_backend());
    client_.emplace(*backend_);
    TRY(launch());
    AddBundleMessage add;
    add.bundle = kBundle;
    add.size = bundle_.file->size();
    add.owner = kOwner;
    add.role = "model";
    add.host_time = trust_.clock.unix_seconds.value_or(0);
    TRY(client_->add_bundle(add, *bundle_.file));
    TRY(unlock());
    workers_ = std::make_unique<tee::WorkerThreads>(backend_->capabilities().threads);
    model_.emplace(TRY(host::DividedModel::create(*client_, kBundle, bundle_.verified, *workers_)));
    return done();
  }

  Status run(std::vector<InputArray>& inputs, std::vector<OutputArray>& outputs,
             cli::Terminal& terminal) {
    std::uint64_t total = 0;
    for (const InputArray& input : inputs)
      total += input.is_stream() ? 0 : input.header().data_size;
    cli::Progress progress(terminal, "run", total);
    RowRunner::Options how;
    how.load = [this](const host::InputShapes& shapes) { return load(shapes); };
    how.batch = options_.batch;
    how.budget = rule_.query_budget;
    how.top1 = rule_.form == bundle::AnswerForm::kTop1;
    how.progress = [&](std::uint64_t amount) { progress.add(amount); };
    how.before_run = [this] { return prolong_lease(); };
    how.answered = [this] {
      if (first_answer_ == 0) first_answer_ = nanoseconds_since(start_);
    };
    RowRunner runner(*model_, inputs, outputs, how);
    TRY(runner.run_all());
    figures_.rows = runner.rows();
    figures_.runs = runner.runs();
    figures_.counters = runner.counters();
    return options_.vm.confirm ? client_->confirm(kBundle) : done();
  }

  Result<RunFigures> figures() {
    figures_.tee = backend_->capabilities();
    const tee::Backend::Use use = TRY(backend_->use());
    figures_.use = use.memory;
    figures_.traffic = use.traffic;
    figures_.shared_in = client_->shared_in();
    figures_.shared_out = client_->shared_out();
    figures_.model = model_->secure();
    figures_.least_cap = backend_->least_cap(figures_.model.least_limit);
    figures_.first_answer_nanoseconds = first_answer_;
    figures_.total_nanoseconds = nanoseconds_since(start_);
    return figures_;
  }

 private:
  Status launch() {
    const LaunchConfig config = TRY(launch_config(options_, trust_, &bundle_.verified));
    rule_ = TRY(narrow(bundle_.verified.release().answer, config.answer));
    const LaunchedMessage launched = TRY(client_->launch(config));
    figures_.measurement = launched.measurement;
    if (launched.measurement == expected_measurement_(launched.launch)) return done();
    return Error(ErrorCode::kNotAuthentic, "the TEE's measurement is not that of its program");
  }

  Status make_backend() {
    if (options_.tee == "vm") {
      vm_ = TRY(VmWorld::open(options_, bundle_.file));
      backend_ = &vm_->backend();
      expected_measurement_ = [this](const Digest&) { return vm_->measurement(); };
      return done();
    }
    process_ = TRY(launch_process(options_, {bundle_.file->descriptor()}));
    backend_ = process_.get();
    expected_measurement_ = [this](const Digest& launch) {
      return process_->expected_measurement(launch);
    };
    return done();
  }

  // The device's key has served when this returns, whatever came of it.
  Status unlock() {
    if (vm_ == nullptr || !vm_->has_device_key()) return get_key();
    const Status unlocked = client_->unlock_device(kBundle);
    TRY(vm_->cap());
    if (supervisor_ != nullptr) supervisor_->settled();
    return unlocked;
  }

  // Also to prolong a lease. A broker that stopped answering in the middle may have decided, and
  // spent the challenge: then all of it once more.
  Status get_key() {
    Status got = exchange_key();
    const bool again = !got.ok() && got.error().code() == ErrorCode::kTryAgain && asked_for_grant_;
    if (!again) return got;
    got = exchange_key();
    if (got.ok() || got.error().code() != ErrorCode::kRefused) return got;
    return std::move(got).with_hint(
        "an answer before this one may be lost; where it was a lease, that runs until its end: "
        "`sealpack broker revoke lease` frees its place");
  }

  // One exchange.
  Status exchange_key() {
    asked_for_grant_ = false;
    const std::chrono::seconds asked = tee::boot_clock();
    const Challenge challenge = TRY(keys_->challenge());
    GrantFacts facts;
    TRY(client_->unlock(kBundle, challenge, [&](const KeyRequest& request) -> Result<KeyGrant> {
      asked_for_grant_ = true;
      KeyGrant grant =
          TRY(keys_->grant(options_.vm.gpus ? TRY(with_gpus(request, options_.vm.nvml)) : request));
      facts = TRY(claimed_facts(grant));
      return grant;
    }));
    lease_ = lease_.zero();
    if (facts.lease_until <= facts.unix_seconds) return done();
    // Long before its end, so that a broker that is away for a while is no harm.
    lease_ = std::chrono::seconds(std::min(facts.lease_until - facts.unix_seconds, kLongestLease));
    ask_again_ = asked + lease_ / 2;
    lease_end_ = asked + lease_;
    return done();
  }

  // A broker that cannot be reached is asked again until the lease is over; the TEE knows when.
  Status prolong_lease() {
    const std::chrono::seconds now = tee::boot_clock();
    if (lease_ == lease_.zero() || now < ask_again_) return done();
    const Status prolonged = get_key();
    if (prolonged.ok() || now >= lease_end_) return prolonged;
    if (prolonged.error().code() != ErrorCode::kTryAgain) return prolonged;
    ask_again_ = now + lease_ / 8;
    terminal_.warning("the lease could not be prolonged yet: " + prolonged.error().message());
    return done();
  }

  // How much the TEE's own bookkeeping takes of the cap is known once it has seen the model: what
  // did not fit at first may fit a plan for the room that is left then.
  Status load(const host::InputShapes& shapes) {
    const tee::SecureRoom room = TRY(backend_->secure_room());
    const Status loaded = try_load(shapes, room.available + room.used);
    if (loaded.ok() || !is_short_of_memory(loaded)) return loaded;
    const tee::SecureRoom now = TRY(backend_->secure_room());
    const std::uint64_t most = std::max(now.available, now.most) + now.used;
    const bool may_do = client_->last_refusal().number <= most;
    const Status again = may_do ? try_load(shapes, most) : loaded;
    if (again.ok() || !is_short_of_memory(again)) return again;
    const std::uint64_t needed = client_->last_refusal().number;
    std::string why = "the model does not run under a cap of " + format_size(options_.tee_memory);
    if (needed != 0) {
      const std::uint64_t least = std::max(backend_->least_cap(needed), needed + now.overhead);
      why += ": it needs " + format_size(least) + " (" + std::to_string(least) + " bytes), " +
             format_size(least - needed) + " of it for the TEE itself";
    }
    return Error(ErrorCode::kLimit, why)
        .with_hint(
            "give --tee-memory more, or --threads 1, or run `sealpack plan`, which lists "
            "other choices");
  }

  // `limit`: with what the model that is loaded gives back.
  Status try_load(const host::InputShapes& shapes, std::uint64_t limit) {
    LoadOptions load;
    load.model = options_.model;
    load.memory_limit = limit;
    return model_->load(shapes, load);
  }

  bool is_short_of_memory(const Status& loaded) const {
    return options_.tee_memory != 0 && loaded.error().code() == ErrorCode::kLimit &&
           client_->last_refusal().code == ErrorCode::kLimit &&
           client_->last_refusal().stage == Stage::kLoad;
  }

  const RunOptions& options_;
  const unpacker::LoadedTrust& trust_;
  HostBundle bundle_;
  Instant start_;
  cli::Terminal& terminal_;
  tee::Supervisor* supervisor_;
  std::unique_ptr<KeyProvider> keys_;
  bool asked_for_grant_ = false;  // in the last exchange: its challenge may be spent
  std::chrono::seconds lease_{};  // zero: the key has no end
  std::chrono::seconds ask_again_{};
  std::chrono::seconds lease_end_{};
  std::unique_ptr<tee::ProcessBackend> process_;  // either, behind backend_
  std::unique_ptr<VmWorld> vm_;
  tee::Backend* backend_ = nullptr;
  std::function<Digest(const Digest&)> expected_measurement_;
  std::optional<host::TeeClient> client_;
  std::unique_ptr<tee::WorkerThreads> workers_;
  std::optional<host::DividedModel> model_;
  bundle::AnswerRule rule_;
  std::uint64_t first_answer_ = 0;
  RunFigures figures_;
};

Result<std::vector<InputArray>> open_inputs(const RunOptions& options) {
  std::vector<InputArray> inputs;
  for (const std::string& text : options.inputs) {
    inputs.push_back(TRY(InputArray::open(parse_named_path(text))));
    if (!TRY(inputs.back().next())) {
      return Error(ErrorCode::kMalformed, printable(inputs.back().path()) + ": there is no array");
    }
  }
  return inputs;
}

Result<std::vector<OutputArray>> create_outputs(const RunOptions& options,
                                                cli::Terminal& terminal) {
  std::vector<OutputArray> outputs;
  for (const std::string& text : options.outputs) {
    outputs.push_back(TRY(OutputArray::create(
        parse_named_path(text), options.force ? Overwrite::kReplace : Overwrite::kRefuse,
        terminal.out())));
  }
  return outputs;
}

bool takes_stdout(const std::vector<OutputArray>& outputs) {
  return std::any_of(outputs.begin(), outputs.end(),
                     [](const OutputArray& output) { return output.path() == "-"; });
}

// A model that is not sealed, here, with the same executor: what a sealed run is compared with.
Status run_clear(const RunOptions& options, cli::Terminal& terminal) {
  const Instant start = std::chrono::steady_clock::now();
  std::vector<InputArray> inputs = TRY(open_inputs(options));
  std::vector<OutputArray> outputs = TRY(create_outputs(options, terminal));
  tee::WorkerThreads workers(std::min(unpacker::thread_count(options.threads), tee::kMaxThreads));
  host::ClearModel model(options.bundle, workers);
  std::uint64_t total = 0;
  for (const InputArray& input : inputs) total += input.is_stream() ? 0 : input.header().data_size;
  cli::Progress progress(terminal, "run", total);
  RowRunner::Options how;
  how.load = [&](const host::InputShapes& shapes) { return model.load(shapes); };
  how.batch = options.batch;
  how.progress = [&](std::uint64_t amount) { progress.add(amount); };
  how.answered = [] {};
  RowRunner runner(model, inputs, outputs, how);
  TRY(runner.run_all());
  for (OutputArray& output : outputs) TRY(output.commit());
  const double seconds = static_cast<double>(nanoseconds_since(start)) / 1e9;
  if (terminal.json()) {
    cli::print_json(
        terminal,
        {{"tee", "none"}, {"rows", runner.rows()}, {"runs", runner.runs()}, {"seconds", seconds}});
    return done();
  }
  (takes_stdout(outputs) ? terminal.report_aside() : terminal.report())
      << runner.rows() << " row(s) in " << runner.runs()
      << " run(s), in the clear, without a TEE\n";
  return done();
}

Status write_counters(const std::string& path, const cli::Json& json, Overwrite overwrite) {
  OutputFile file = TRY(OutputFile::create(path, overwrite, 0644));
  TRY(file.write_at(0, as_bytes(json.dump(2) + "\n")));
  return file.commit();
}

// For the policy of a release that does not exist yet.
Status measure(const RunOptions& options, const unpacker::LoadedTrust& trust,
               cli::Terminal& terminal) {
  std::optional<HostBundle> bundle;
  if (!options.bundle.empty()) bundle = TRY(open_bundle(options.bundle, trust));
  const LaunchConfig config =
      TRY(launch_config(options, trust, bundle ? &bundle->verified : nullptr));
  const auto backend = TRY(launch_process(options, {}));
  host::TeeClient client(*backend);
  const LaunchedMessage launched = TRY(client.launch(config));
  if (terminal.json()) {
    cli::print_json(terminal, {{"tee", launched.tee},
                               {"measurement", to_hex(launched.measurement.bytes)},
                               {"launch", to_hex(launched.launch.bytes)}});
  } else {
    terminal.out() << to_hex(launched.measurement.bytes) << '\n';
  }
  return done();
}

Status run(RunOptions options, cli::Terminal& terminal) {
  const Instant start = std::chrono::steady_clock::now();
  // Says more of a model that is not sealed than options that are missing for a bundle.
  if (options.vm.key.empty()) TRY(check_model_file(options));
  TRY(check_options(options, terminal.json()));
  // Before anything that the host has a hand in, files and their names too, can fail.
  auto supervisor = TRY(supervise(options));
  TRY(check_files(options));
  if (options.tee == "none") return run_clear(options, terminal);
  const unpacker::LoadedTrust trust = TRY(unpacker::load_trust_options(options.trust));
  if (options.measure) return measure(options, trust, terminal);
  HostBundle bundle = TRY(open_bundle(options.bundle, trust));
  std::vector<InputArray> inputs = TRY(open_inputs(options));
  std::vector<OutputArray> outputs = TRY(create_outputs(options, terminal));
  if (options.tee == "process") {
    terminal.warning(options.broker.given()
                         ? "SIMULATED TEE: whoever is root here can read the model"
                         : "SIMULATED TEE: this host holds the key, and whoever is root here can "
                           "read the model");
  }
  RunSession session(options, trust, std::move(bundle), start, terminal,
                     supervisor ? &*supervisor : nullptr);
  TRY(session.open().within(printable(options.bundle)));
  TRY(session.run(inputs, outputs, terminal).within(printable(options.bundle)));
  const RunFigures figures = TRY(session.figures());
  for (OutputArray& output : outputs) TRY(output.commit());

  const cli::Json json = figures_json(figures);
  if (!options.counters.empty()) {
    TRY(write_counters(options.counters, json,
                       options.force ? Overwrite::kReplace : Overwrite::kRefuse));
  }
  if (terminal.json()) {
    cli::print_json(terminal, json);
    return done();
  }
  std::ostream& out = takes_stdout(outputs) ? terminal.report_aside() : terminal.report();
  out << figures.rows << " row(s) in " << figures.runs << " run(s)\n";
  print_figures(figures, out);
  return done();
}

}  // namespace

void add_run(CLI::App& app, cli::Job& job) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* verb = app.add_subcommand("run", "Run a sealed model in a TEE on NumPy arrays");
  add_run_options(*verb, *options);
  verb->footer(cli::exit_codes(
      {{ErrorCode::kUsage, "wrong command line, or inputs and outputs the model does not have"},
       {ErrorCode::kIo, "a file cannot be read or written, or the TEE is gone"},
       {ErrorCode::kMalformed, "the bundle, or an array, breaks the rules of its format or shape"},
       {ErrorCode::kUnsupported,
        "it needs a newer sealpack, an operator that is not there, or evidence that this machine "
        "does not give"},
       {ErrorCode::kNotAuthentic, "a signature or a byte is not what it should be"},
       {ErrorCode::kRefused,
        "not trusted, rolled back, more answers than the release allows, or "
        "it opens only in an attested environment"},
       {ErrorCode::kKeyUnavailable, "no key given opens it"},
       {ErrorCode::kTryAgain, "the broker or its store does not answer now"},
       {ErrorCode::kLimit,
        "the cap is too small, with how much is needed; an answer is too large"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return run(*options, terminal); };
  });
}

}  // namespace sealpack::loader
