// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "keymgmt/broker/service.h"

namespace sealpack::broker::testing {

// A broker in a process of its own (replica_main.cc), that can be killed and started again. `ask`
// is for several threads; start, kill and stop are for one.
class Replica {
 public:
  Replica(std::string uri, std::string keys) : uri_(std::move(uri)), keys_(std::move(keys)) {}
  ~Replica() { stop(); }

  // Waits until it serves.
  void start();
  // As a power failure would: no handler runs. Who waits for an answer gets none.
  void kill();
  void stop() { kill(); }

  // Nothing when the process is dead, or died before it answered.
  std::optional<Answer> ask_challenge(Bytes request) { return ask(0, request); }
  std::optional<Answer> ask_release(Bytes request) { return ask(1, request); }

 private:
  using Reply = std::optional<Answer>;
  Reply ask(std::uint8_t kind, Bytes body);
  void receive();

  std::string uri_;
  std::string keys_;
  pid_t process_ = -1;
  std::mutex mutex_;
  int to_ = -1;
  int from_ = -1;
  std::uint32_t number_ = 0;
  std::map<std::uint32_t, std::promise<Reply>> waiting_;
  std::thread reader_;
};

}  // namespace sealpack::broker::testing
