// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "runtime-loader/host/divided_model.h"
#include "runtime-loader/tee/process/process_backend.h"
#include "runtime-loader/verbs/run_arrays.h"
#include "runtime-loader/verbs/run_keys.h"
#include "runtime-loader/verbs/run_launch.h"
#include "runtime-loader/verbs/run_report.h"
#include "runtime-loader/verbs/run_vm.h"

namespace sealpack::loader {

using Instant = std::chrono::steady_clock::time_point;
std::uint64_t nanoseconds_since(Instant start);

// One run of a sealed model: a TEE, the key for it and its lease, the model, what it took.
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
  Status open();
  Status run(std::vector<InputArray>& inputs, std::vector<OutputArray>& outputs,
             cli::Terminal& terminal);
  Result<RunFigures> figures();

 private:
  Status launch();
  Status make_backend();
  // The device's key has served when this returns, whatever came of it.
  Status unlock();
  // Also to prolong a lease. A broker that stopped answering in the middle may have decided, and
  // spent the challenge: then all of it once more.
  Status get_key();
  // One exchange.
  Status exchange_key();
  // A broker that cannot be reached is asked again until the lease is over; the TEE knows when.
  Status prolong_lease();
  // How much the TEE's own bookkeeping takes of the cap is known once it has seen the model: what
  // did not fit at first may fit a plan for the room that is left then.
  Status load(const host::InputShapes& shapes);
  // `limit`: with what the model that is loaded gives back.
  Status try_load(const host::InputShapes& shapes, std::uint64_t limit);
  bool is_short_of_memory(const Status& loaded) const;

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

}  // namespace sealpack::loader
