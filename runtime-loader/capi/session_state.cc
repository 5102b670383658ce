// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/capi/session_state.h"

#include <algorithm>
#include <chrono>

#include "runtime-loader/capi/counter_file.h"
#include "runtime-loader/capi/threads.h"
#include "runtime-loader/capi/trust.h"
#include "runtime-loader/tee/boot_clock.h"

namespace sealpack::capi {

std::uint64_t boot_seconds() {
  return static_cast<std::uint64_t>(tee::boot_clock().count());
}

namespace {

constexpr std::uint32_t kMaxThreads = 1024;
constexpr std::uint32_t kMaxReaders = 1024;
constexpr std::uint32_t kDefaultReaders = 16;

std::uint64_t time_of_this_machine() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

Result<loader::Owner> make_owner(const sealpack_owner& given) {
  TRY(require(given.trust, "trust of an owner"));
  loader::Owner owner;
  owner.name = TRY(text_of(given.name, "name of an owner"));
  owner.trust = given.trust->file.trust;
  owner.counter_required = given.counter_required != 0;
  if (given.broker != nullptr) {
    const auto key = TRY(take(given.broker, "broker"));
    // What a broker signs its grants with.
    owner.broker = TRY(load_key(key, keystore::Role::kGrantSigner)).verifying_key();
  }
  return owner;
}

Result<std::vector<sealpack_owner>> take_owners(const sealpack_session_options& options) {
  auto owners = TRY(take_array(options.owners, options.owner_count, loader::kMaxOwners, "owners"));
  if (owners.empty() == (options.trust == nullptr)) {
    return usage("a session has either trust or owners");
  }
  if (owners.empty()) {
    sealpack_owner vendor{};
    vendor.name = "vendor";
    vendor.trust = options.trust;
    owners.push_back(vendor);
  }
  return owners;
}

}  // namespace

Status SessionState::set_hooks(const sealpack_session_options& options) {
  hooks_ = Hooks(TRY(take_optional(options.hooks, "hooks")));
  clock_ = TRY(take_optional(options.clock, "clock"));
  if (options.clock != nullptr) TRY(require(reinterpret_cast<void*>(clock_.unix_seconds), "clock"));
  if (options.max_readers > kMaxReaders || options.threads > kMaxThreads) {
    return Error(ErrorCode::kLimit, "at most 1024 threads and 1024 readers");
  }
  max_readers_ = options.max_readers == 0 ? kDefaultReaders : options.max_readers;
  return done();
}

Status SessionState::set_counters(const sealpack_session_options& options) {
  if (options.counters != nullptr && options.counter_file != nullptr) {
    return usage("a session has either counters or counter_file");
  }
  if (options.counters != nullptr) {
    counters_ = TRY(CallbackCounters::make(options.counters));
  } else if (options.counter_file != nullptr) {
    counters_ = std::make_unique<CounterFile>(TRY(text_of(options.counter_file, "counter_file")));
    hooks_.log(SEALPACK_LOG_WARNING,
               "SIMULATED counter: whoever can write its file can turn it back");
  } else {
    counters_ = std::make_unique<loader::NoCounter>();
  }
  return done();
}

Status SessionState::set_services(const sealpack_session_options& options) {
  const auto allocator = TRY(take_optional(options.allocator, "allocator"));
  if ((allocator.allocate == nullptr) != (allocator.release == nullptr)) {
    return usage("allocator: one of allocate and release is NULL");
  }
  memory_ = std::make_unique<ModelMemory>(allocator, options.memory_limit);
  if (options.spill != nullptr) {
    const auto spill = TRY(take(options.spill, "spill"));
    if (spill.write == nullptr || spill.read == nullptr) {
      return usage("spill: write or read is NULL");
    }
    spill_ = std::make_unique<CallbackSpill>(spill);
  }
  backend_.host_holds_keys = options.environment == nullptr;
  if (options.environment != nullptr) {
    TRY(set_environment(TRY(take(options.environment, "environment"))));
  }
  workers_ = std::make_unique<ThreadWorkers>(std::max<std::uint32_t>(options.threads, 1));
  background_ = std::make_unique<BackgroundThread>();
  return done();
}

Status SessionState::set_environment(const sealpack_environment& environment) {
  if (environment.evidence == nullptr && environment.device_key == nullptr) {
    return usage("environment: neither evidence nor device_key is given");
  }
  if ((environment.device_key == nullptr) != (environment.device_open == nullptr)) {
    return usage("environment: one of device_key and device_open is NULL");
  }
  backend_.tee = TRY(text_of(environment.tee, "tee"));
  std::copy(std::begin(environment.measurement), std::end(environment.measurement),
            backend_.measurement.bytes.begin());
  if (environment.evidence != nullptr) {
    evidence_ = std::make_unique<CallbackEvidence>(environment);
  }
  if (environment.device_key != nullptr) {
    const auto given = TRY(take(environment.device_key, "device_key"));
    const auto key = TRY(load_key(given, keystore::Role::kDevice));
    device_key_ = std::make_unique<CallbackDeviceKey>(environment, key.encryption_key());
    backend_.device_keys = true;
  }
  return done();
}

Result<loader::LaunchConfig> SessionState::launch_config(const sealpack_session_options& options) {
  loader::LaunchConfig config;
  for (const sealpack_owner& given : TRY(take_owners(options))) {
    config.owners.push_back(TRY(make_owner(given)));
    owners_.emplace_back(config.owners.back().name, given.trust->file.use_host_time);
  }
  std::sort(config.owners.begin(), config.owners.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  if (options.answer_form != 0) {
    if (options.answer_form < SEALPACK_ANSWER_SCORES ||
        options.answer_form > SEALPACK_ANSWER_TOP1) {
      return usage("there is no answer form " + std::to_string(options.answer_form));
    }
    config.answer.form = static_cast<bundle::AnswerForm>(options.answer_form);
  }
  config.answer.decimals = options.answer_decimals;
  config.answer.query_budget = options.query_budget;
  config.memory_limit = options.memory_limit;
  if (options.answer_key != nullptr) {
    const auto key = TRY(take(options.answer_key, "answer_key"));
    config.answer_key = TRY(load_key(key, keystore::Role::kRecipient)).encryption_key();
  }
  return config;
}

Result<std::shared_ptr<SessionState>> SessionState::create(
    const sealpack_session_options& options) {
  std::shared_ptr<SessionState> state(new SessionState());
  TRY(state->set_hooks(options));
  TRY(state->set_counters(options));
  TRY(state->set_services(options));
  const loader::LaunchConfig config = TRY(state->launch_config(options));
  const loader::Services services{
      *state->memory_,  *state->counters_,   state->spill_.get(), state->evidence_.get(),
      *state->workers_, *state->background_, boot_seconds,        state->device_key_.get()};
  state->session_ =
      TRY(loader::Session::create(loader::serialize_launch(config), state->backend_, services));
  state->launch_digest_ = state->session_->launch_digest();
  return state;
}

Result<std::string> SessionState::owner_name(const char* owner) const {
  if (owner == nullptr) {
    if (owners_.size() == 1) return owners_.front().first;
    return usage("the session has " + std::to_string(owners_.size()) +
                 " owners: say which one the bundle is of");
  }
  const std::string name = TRY(text_of(owner, "owner"));
  for (const auto& [known, use_host_time] : owners_) {
    if (known == name) return name;
  }
  return usage("the session has no owner " + printable(name));
}

unpacker::Clock SessionState::clock(const std::string& owner) const {
  unpacker::Clock clock;
  std::uint64_t seconds = 0;
  if (clock_.unix_seconds != nullptr) {
    if (clock_.unix_seconds(clock_.context, &seconds) == 0) clock.unix_seconds = seconds;
    return clock;
  }
  for (const auto& [name, use_host_time] : owners_) {
    if (name == owner && use_host_time) clock.unix_seconds = time_of_this_machine();
  }
  return clock;
}

}  // namespace sealpack::capi

using namespace sealpack;

int sealpack_session_create(const sealpack_session_options* options, sealpack_session** session,
                            sealpack_error* error) {
  if (session != nullptr) *session = nullptr;
  return capi::guarded(error, [&]() -> Status {
    TRY(capi::require(session, "session"));
    auto state = TRY(capi::SessionState::create(TRY(capi::take(options, "options"))));
    *session = new sealpack_session{std::move(state)};
    return done();
  });
}

void sealpack_session_close(sealpack_session* session) {
  delete session;
}

int sealpack_session_launch_digest(sealpack_session* session, uint8_t digest[32],
                                   sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    TRY(capi::require(session, "session"));
    TRY(capi::require(digest, "digest"));
    const Digest launch = session->state->launch_digest();
    std::copy(launch.bytes.begin(), launch.bytes.end(), digest);
    return done();
  });
}

int sealpack_session_peak_memory(sealpack_session* session, uint64_t* bytes,
                                 sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    TRY(capi::require(session, "session"));
    TRY(capi::require(bytes, "bytes"));
    *bytes = session->state->peak_memory();
    return done();
  });
}
