// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/run_session.h"

#include <algorithm>

#include "runtime-loader/tee/boot_clock.h"
#include "runtime-loader/verbs/run_gpus.h"
#include "runtime-loader/verbs/run_rows.h"

namespace sealpack::loader {
namespace {

constexpr BundleId kBundle = 0;
constexpr std::uint64_t kLongestLease = std::uint64_t{1} << 40U;  // seconds: sums stay in range

}  // namespace

std::uint64_t nanoseconds_since(Instant start) {
  const auto passed = std::chrono::steady_clock::now() - start;
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count());
}

Status RunSession::open() {
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

Status RunSession::run(std::vector<InputArray>& inputs, std::vector<OutputArray>& outputs,
                       cli::Terminal& terminal) {
  std::uint64_t total = 0;
  for (const InputArray& input : inputs) total += input.is_stream() ? 0 : input.header().data_size;
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

Result<RunFigures> RunSession::figures() {
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

Status RunSession::launch() {
  const LaunchConfig config = TRY(launch_config(options_, trust_, &bundle_.verified));
  rule_ = TRY(narrow(bundle_.verified.release().answer, config.answer));
  const LaunchedMessage launched = TRY(client_->launch(config));
  figures_.measurement = launched.measurement;
  if (launched.measurement == expected_measurement_(launched.launch)) return done();
  return Error(ErrorCode::kNotAuthentic, "the TEE's measurement is not that of its program");
}

Status RunSession::make_backend() {
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

Status RunSession::unlock() {
  if (vm_ == nullptr || !vm_->has_device_key()) return get_key();
  const Status unlocked = client_->unlock_device(kBundle);
  TRY(vm_->cap());
  if (supervisor_ != nullptr) supervisor_->settled();
  return unlocked;
}

Status RunSession::get_key() {
  Status got = exchange_key();
  const bool again = !got.ok() && got.error().code() == ErrorCode::kTryAgain && asked_for_grant_;
  if (!again) return got;
  got = exchange_key();
  if (got.ok() || got.error().code() != ErrorCode::kRefused) return got;
  return std::move(got).with_hint(
      "an answer before this one may be lost; where it was a lease, that runs until its end: "
      "`sealpack broker revoke lease` frees its place");
}

Status RunSession::exchange_key() {
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

Status RunSession::prolong_lease() {
  const std::chrono::seconds now = tee::boot_clock();
  if (lease_ == lease_.zero() || now < ask_again_) return done();
  const Status prolonged = get_key();
  if (prolonged.ok() || now >= lease_end_) return prolonged;
  if (prolonged.error().code() != ErrorCode::kTryAgain) return prolonged;
  ask_again_ = now + lease_ / 8;
  terminal_.warning("the lease could not be prolonged yet: " + prolonged.error().message());
  return done();
}

Status RunSession::load(const host::InputShapes& shapes) {
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

Status RunSession::try_load(const host::InputShapes& shapes, std::uint64_t limit) {
  LoadOptions load;
  load.model = options_.model;
  load.memory_limit = limit;
  return model_->load(shapes, load);
}

bool RunSession::is_short_of_memory(const Status& loaded) const {
  return options_.tee_memory != 0 && loaded.error().code() == ErrorCode::kLimit &&
         client_->last_refusal().code == ErrorCode::kLimit &&
         client_->last_refusal().stage == Stage::kLoad;
}

}  // namespace sealpack::loader
