// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <thread>

#include "keymgmt/broker/decide.h"

namespace sealpack::broker {

// A request on its way.
struct Job {
  ByteVector bytes;
  Transport transport = Transport::kNetwork;
  std::function<void(Answer)> done;
  ByteVector nonce;  // that was entered for it; empty: none yet
};
// What was decided about it, under a state.
struct Pending {
  Job job;
  StateVersion version;
  Decided decided;
};

// Makes decisions durable: one thread, all that is waiting in one transaction
// (docs/decisions/0011).
class Committer {
 public:
  // What becomes of each; called in the committer's thread.
  struct Handlers {
    std::function<void(Pending&, const Outcome&)> settle;  // it is on the disk
    // The state changed since it was decided. The next is decided under that of now, if there is
    // one.
    std::function<void(std::vector<Pending>)> decide_again;
    std::function<Status()> refresh;
    std::function<void(std::vector<Pending>, const Error&)> fail;  // the store does not answer
  };
  Committer(std::shared_ptr<Store> store, Handlers handlers)
      : store_(std::move(store)), handlers_(std::move(handlers)) {}
  ~Committer() { stop(); }
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  void start();
  void add(Pending pending);
  // Commits what waits, and ends.
  void stop();
  std::uint64_t transactions() const { return transactions_; }

 private:
  void run();
  bool take_batch(std::vector<Pending>& batch);
  void commit(std::vector<Pending> batch);
  void forget(std::uint64_t now);

  std::shared_ptr<Store> store_;
  Handlers handlers_;
  std::atomic<std::uint64_t> transactions_{0};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Pending> pending_;
  bool ends_ = false;

  std::uint64_t forgot_at_ = 0;  // the thread's
  bool more_to_forget_ = false;
  std::thread thread_;
};

}  // namespace sealpack::broker
