// SPDX-License-Identifier: Apache-2.0
// Threads: workers judge requests side by side; what they decided goes to the committer.
#include "keymgmt/broker/service.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <thread>

#include "keymgmt/broker/clock_guard.h"
#include "keymgmt/broker/committer.h"
#include "keymgmt/broker/live_rules.h"
#include "keymgmt/broker/log_allowance.h"
#include "keymgmt/broker/nonce_guard.h"

namespace sealpack::broker {
namespace {

constexpr unsigned kMaxWorkers = 256;
constexpr std::uint32_t kMaxNetworkLifetime = 120;

using Done = std::function<void(Answer)>;

Answer answer_of(Refusal refusal) {
  return {Answer::Kind::kRefusal, refusal.code, serialize(refusal)};
}

Reason no_store() {
  return {"broker.store", "the broker's store does not answer"};
}

class BrokerService final : public Service {
 public:
  BrokerService(std::shared_ptr<Store> store, ServiceKeys keys, ServiceOptions options)
      : keys_(std::move(keys)),
        options_(std::move(options)),
        rules_(store, options_),
        committer_(std::move(store), handlers()) {
    endorsements_ = std::make_shared<attest::Endorsements>(std::move(options_.endorsements));
  }
  ~BrokerService() override { stop(); }

  Status start();
  Answer challenge(Bytes request, Transport transport) override;
  void release(ByteVector request, Transport transport, Done done) override;
  void set_endorsements(attest::Endorsements endorsements) override;
  ServiceStatistics statistics() const override;
  std::optional<Reason> why_unwell() override;
  void stop() override;

 private:
  Committer::Handlers handlers();
  std::optional<Reason> why_not_serving(const Rules& rules, std::uint64_t now);
  std::variant<ChallengeReply, Refusal> make_reply(const Rules& rules,
                                                   const ChallengeRequest& request,
                                                   Transport transport);
  void work();
  void judge(Job job);
  void settle(Pending& pending, const Outcome& outcome);
  void try_later(std::vector<Pending> batch, const Error& why);
  void decide_again(std::vector<Pending> batch);
  void refuse(Job& job, Refusal refusal);
  void turn_away(Job& job, Refusal refusal);
  void answer(Job& job, Answer answer);
  void count(const Refusal& refusal);

  ServiceKeys keys_;
  ServiceOptions options_;
  LiveRules rules_;
  attest::ChainCache cache_;
  NonceGuard nonces_;
  ClockGuard clock_;
  LogAllowance allowance_;

  std::mutex endorsements_mutex_;
  std::shared_ptr<const attest::Endorsements> endorsements_;

  mutable std::mutex statistics_mutex_;
  ServiceStatistics statistics_;

  mutable std::mutex queue_mutex_;
  std::condition_variable queue_changed_;
  std::condition_variable idle_;
  std::deque<Job> queue_;
  std::size_t unanswered_ = 0;
  bool stopping_ = false;     // takes no more requests
  bool workers_end_ = false;  // all are answered

  std::vector<std::thread> workers_;
  Committer committer_;
};

// Keys whose time is over are as good as not there: they stay in a configuration after a rotation.
template <typename Key>
Status check_keys(std::vector<std::unique_ptr<Key>>& keys, const Rules& rules, KeyUse use,
                  const std::string& name, std::uint64_t now) {
  std::erase_if(
      keys, [&](const auto& key) { return rules.has_ended(use, key->public_key().digest(), now); });
  if (keys.empty()) return Error(ErrorCode::kRefused, "every " + name + " key has ended");
  for (const auto& key : keys) {
    const Digest& digest = key->public_key().digest();
    if (rules.is_listed(use, digest, now)) continue;
    return Error(ErrorCode::kRefused,
                 "the store does not list the " + name + " key " + to_hex(digest.bytes))
        .with_hint(rules.state().reconciled
                       ? "keys come in by `sealpack broker rotate`, not by editing broker.toml"
                       : "the backup is older than the key: `sealpack broker reconcile "
                         "--keys-as-configured` lists it");
  }
  return done();
}

Status BrokerService::start() {
  TRY(rules_.refresh());
  const std::uint64_t now = options_.clock();
  const auto current = rules_.get();
  TRY(check_keys(keys_.recipients, *current, KeyUse::kRecipient, "recipient", now));
  TRY(check_keys(keys_.grants, *current, KeyUse::kGrants, "grant", now));
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned wanted = options_.workers == 0 ? cores : options_.workers;
  for (unsigned i = 0; i < std::min(wanted, kMaxWorkers); ++i) {
    workers_.emplace_back([this] { work(); });
  }
  committer_.start();
  return done();
}

void BrokerService::set_endorsements(attest::Endorsements endorsements) {
  auto fresh = std::make_shared<const attest::Endorsements>(std::move(endorsements));
  const std::lock_guard lock(endorsements_mutex_);
  endorsements_ = std::move(fresh);
}

Committer::Handlers BrokerService::handlers() {
  return {
      [this](Pending& pending, const Outcome& outcome) { settle(pending, outcome); },
      [this](std::vector<Pending> batch) { decide_again(std::move(batch)); },
      [this] { return rules_.refresh(); },
      [this](std::vector<Pending> batch, const Error& why) { try_later(std::move(batch), why); }};
}

std::optional<Reason> BrokerService::why_not_serving(const Rules& rules, std::uint64_t now) {
  if (!rules.state().reconciled) {
    return Reason{"broker.unreconciled",
                  "the broker was restored and its operator has not reconciled it"};
  }
  return clock_.check(rules.state(), now, options_.uptime());
}

std::optional<Reason> BrokerService::why_unwell() {
  if (!rules_.refresh().ok()) return no_store();
  return why_not_serving(*rules_.get(), options_.clock());
}

std::variant<ChallengeReply, Refusal> BrokerService::make_reply(const Rules& rules,
                                                                const ChallengeRequest& request,
                                                                Transport transport) {
  const std::uint64_t now = options_.clock();
  if (auto reason = why_not_serving(rules, now)) {
    return passing(*std::move(reason), kOperatorSeconds);
  }
  Rules::Found found = rules.find(request, now);
  if (found.release == nullptr) {
    return refusal_of(ErrorCode::kRefused, std::move(found.reasons));
  }
  const bool signs = std::any_of(keys_.grants.begin(), keys_.grants.end(), [&](const auto& key) {
    return rules.is_listed(KeyUse::kGrants, key->public_key().digest(), now);
  });
  if (!signs) {
    return refusal_of(ErrorCode::kRefused, {{"broker.key", "the broker's key for grants ended"}});
  }
  const std::uint32_t lifetime = transport == Transport::kNetwork
                                     ? std::min(options_.network_lifetime, kMaxNetworkLifetime)
                                     : options_.file_lifetime;
  ChallengeReply reply;
  reply.expires = now + lifetime;
  reply.challenge = make_challenge(rules.state().challenge_key->reveal(), request,
                                   {transport, rules.state().epoch, reply.expires});
  return reply;
}

Answer BrokerService::challenge(Bytes bytes, Transport transport) {
  const auto request = parse_challenge_request(bytes);
  if (!request.ok()) {
    Refusal refusal =
        refusal_of(request.error().code(), {{"broker.request", request.error().message()}});
    count(refusal);
    return answer_of(std::move(refusal));
  }
  auto made = make_reply(*rules_.get(), *request, transport);
  // What is refused may have been registered a moment ago.
  if (std::holds_alternative<Refusal>(made)) {
    const Status fresh = rules_.refresh();
    made = fresh.ok() ? make_reply(*rules_.get(), *request, transport)
                      : passing(no_store(), kBusySeconds);
  }
  if (auto* refusal = std::get_if<Refusal>(&made)) {
    count(*refusal);
    return answer_of(std::move(*refusal));
  }
  const std::lock_guard lock(statistics_mutex_);
  ++statistics_.challenges;
  return {Answer::Kind::kChallenge, ErrorCode::kRefused, serialize(std::get<ChallengeReply>(made))};
}

void BrokerService::release(ByteVector request, Transport transport, Done done) {
  {
    const std::lock_guard lock(queue_mutex_);
    if (!stopping_ && queue_.size() < options_.queue) {
      queue_.push_back({std::move(request), transport, std::move(done), {}});
      ++unanswered_;
      queue_changed_.notify_one();
      return;
    }
  }
  Refusal refusal =
      passing({"broker.busy", "the broker has more requests than it can judge"}, kBusySeconds);
  count(refusal);
  done(answer_of(std::move(refusal)));
}

void BrokerService::work() {
  for (;;) {
    std::unique_lock lock(queue_mutex_);
    queue_changed_.wait(lock, [&] { return workers_end_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    judge(std::move(job));
  }
}

namespace {

bool is_forged(const std::variant<OpenedRequest, Refusal>& opened) {
  const auto* refusal = std::get_if<Refusal>(&opened);
  return refusal != nullptr && refusal->reasons.front().code == "broker.nonce-forged";
}

Reason voided() {
  return {"broker.nonce-epoch", "the broker's operator voided all challenges a moment ago"};
}

}  // namespace

void BrokerService::judge(Job job) {
  auto current = rules_.get();
  const std::uint64_t now = options_.clock();
  auto not_now = why_not_serving(*current, now);
  // The operator may have done what it takes a moment ago.
  if (not_now && rules_.refresh().ok()) {
    current = rules_.get();
    not_now = why_not_serving(*current, now);
  }
  if (not_now) return turn_away(job, passing(*std::move(not_now), kOperatorSeconds));
  auto opened = open_request(*current, job.bytes, job.transport, now);
  // Another replica may have given the challenge after its operator voided those before it.
  if (is_forged(opened) && rules_.refresh().ok()) {
    current = rules_.get();
    opened = open_request(*current, job.bytes, job.transport, now);
  }
  if (auto* refusal = std::get_if<Refusal>(&opened)) {
    // A job that comes a second time was genuine a moment ago.
    if (!job.nonce.empty() && is_forged(opened)) refusal->reasons.front() = voided();
    return turn_away(job, std::move(*refusal));
  }
  const auto& request = std::get<OpenedRequest>(opened);
  if (job.nonce.empty()) {
    const ByteVector& nonce = request.request.terms.challenge.nonce;
    if (!nonces_.enter(nonce, request.challenge.expires)) {
      return refuse(job, refusal_of(ErrorCode::kRefused,
                                    {{"broker.nonce-used", "the challenge was answered before"}}));
    }
    job.nonce = nonce;
  }
  std::shared_ptr<const attest::Endorsements> endorsements;
  {
    const std::lock_guard lock(endorsements_mutex_);
    endorsements = endorsements_;
  }
  auto result = decide(*current, {keys_, options_, std::move(endorsements), cache_}, request, now);
  if (auto* refusal = std::get_if<Refusal>(&result)) return turn_away(job, std::move(*refusal));
  Pending pending{std::move(job), current->state().version(), std::move(std::get<Decided>(result))};
  Decision& decision = pending.decided.decision;
  if (decision.entry.kind == EntryKind::kRefusal && decision.claims.empty()) {
    decision.logged = allowance_.take(options_.uptime());
  }
  committer_.add(std::move(pending));
}

void BrokerService::settle(Pending& pending, const Outcome& outcome) {
  Decided& decided = pending.decided;
  if (outcome.kind != Outcome::Kind::kAccepted) {
    if (outcome.reason.code == kClockReason) {
      return turn_away(pending.job, passing(outcome.reason, kOperatorSeconds));
    }
    Refusal refusal = refusal_of(ErrorCode::kRefused, {outcome.reason});
    if (outcome.kind == Outcome::Kind::kRefused) refusal.log_index = outcome.index;
    return refuse(pending.job, std::move(refusal));
  }
  if (decided.grant.empty()) {
    if (!decided.decision.logged) {
      const std::lock_guard lock(statistics_mutex_);
      ++statistics_.unlogged;
    }
    decided.refusal.log_index = outcome.index;
    return refuse(pending.job, std::move(decided.refusal));
  }
  {
    const std::lock_guard lock(statistics_mutex_);
    ++statistics_.grants;
  }
  answer(pending.job, {Answer::Kind::kGrant, ErrorCode::kRefused, std::move(decided.grant)});
}

void BrokerService::try_later(std::vector<Pending> batch, const Error& why) {
  if (options_.report) options_.report(why);
  for (Pending& pending : batch) turn_away(pending.job, passing(no_store(), kBusySeconds));
}

void BrokerService::decide_again(std::vector<Pending> batch) {
  const std::lock_guard lock(queue_mutex_);
  for (Pending& pending : batch) queue_.push_front(std::move(pending.job));
  queue_changed_.notify_all();
}

void BrokerService::refuse(Job& job, Refusal refusal) {
  count(refusal);
  answer(job, answer_of(std::move(refusal)));
}

// Undecided: its challenge was not spent.
void BrokerService::turn_away(Job& job, Refusal refusal) {
  if (!job.nonce.empty()) nonces_.leave(job.nonce);
  refuse(job, std::move(refusal));
}

void BrokerService::answer(Job& job, Answer answer) {
  job.done(std::move(answer));
  const std::lock_guard lock(queue_mutex_);
  if (--unanswered_ == 0) idle_.notify_all();
}

void BrokerService::count(const Refusal& refusal) {
  const std::lock_guard lock(statistics_mutex_);
  ++statistics_.refusals[refusal.reasons.front().code];
}

ServiceStatistics BrokerService::statistics() const {
  ServiceStatistics out;
  {
    const std::lock_guard lock(statistics_mutex_);
    out = statistics_;
  }
  out.commits = committer_.transactions();
  const std::lock_guard lock(queue_mutex_);
  out.waiting = unanswered_;
  return out;
}

void BrokerService::stop() {
  {
    std::unique_lock lock(queue_mutex_);
    stopping_ = true;
    idle_.wait(lock, [&] { return unanswered_ == 0; });
    workers_end_ = true;
    queue_changed_.notify_all();
  }
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  committer_.stop();
}

}  // namespace

Result<std::unique_ptr<Service>> Service::create(std::shared_ptr<Store> store, ServiceKeys keys,
                                                 ServiceOptions options) {
  if (!options.clock) return Error(ErrorCode::kUsage, "a broker needs a clock");
  if (keys.recipients.empty() || keys.grants.empty()) {
    return Error(ErrorCode::kUsage, "a broker needs a recipient key and a key for grants");
  }
  auto service =
      std::make_unique<BrokerService>(std::move(store), std::move(keys), std::move(options));
  TRY(service->start());
  return std::unique_ptr<Service>(std::move(service));
}

}  // namespace sealpack::broker
