// SPDX-License-Identifier: Apache-2.0
// `sealpack-tee`: the in-TEE half of the process backend (docs/BACKENDS.md). Started by the host
// with the descriptors of protocol.h, no arguments and no environment.
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <new>

#include "runtime-loader/core/machine.h"
#include "runtime-loader/tee/boot_clock.h"
#include "runtime-loader/tee/process/inside/channel.h"
#include "runtime-loader/tee/process/inside/outside.h"
#include "runtime-loader/tee/process/inside/simulated_evidence.h"
#include "runtime-loader/tee/process/inside/start.h"
#include "runtime-loader/tee/process/own_memory.h"
#include "runtime-loader/tee/threads.h"

namespace sealpack::tee {
namespace {

[[noreturn]] void out_of_memory() {
  leave(ErrorCode::kLimit, secure_bytes());
}

StartFrame receive_start() {
  ByteVector body;
  const auto header = receive_frame(body);
  if (!header.ok()) leave(header.error().code());
  if (!header->has_value()) ::_exit(0);
  if ((*header)->type != Frame::kStart) leave(ErrorCode::kMalformed);
  const Result<StartFrame> frame = parse_start(body);
  if (!frame.ok()) leave(frame.error().code());
  return *frame;
}

class Program {
 public:
  Program(const Start& start, const StartFrame& frame, std::uint64_t data_limit)
      : start_(start),
        frame_(frame),
        memory_(data_limit, kHeapReserve, start.lock_memory),
        workers_(frame.threads),
        spill_(start.shared.data() + frame.shared_size, frame.spill_size, traffic_),
        evidence_(start.evidence_key.get()) {}

  // Nothing but threads is made here: the filter for running comes next.
  void run() {
    base_ = secure_bytes();
    loader::Services services{memory_, counters_, frame_.spill_size == 0 ? nullptr : &spill_,
                              nullptr, workers_,  ahead_};
    if (start_.evidence_key) services.evidence = &evidence_;
    services.seconds = [] { return static_cast<std::uint64_t>(boot_clock().count()); };
    loader::MachineOptions options;
    options.backend = {"simulated", {}, true};
    const Digest policy = policy_digest(frame_.cap);
    options.measurement = [this, policy](const Digest& launch) {
      const Digest measurement = loader::simulated_measurement(start_.program, launch, policy);
      evidence_.set_measurement(measurement);
      return measurement;
    };
    options.open_source = bundle_opener(frame_.bundles, traffic_);
    loader::Machine machine(std::move(options), services);
    (void)send_frame(Frame::kStart,
                     serialize(ReadyFrame{start_.confinement, start_.program, policy}));
    ByteVector body;
    for (;;) {
      const auto header = receive_frame(body);
      if (!header.ok()) leave(header.error().code());
      if (!header->has_value()) return;
      if (!answer((*header)->type, body, machine)) return;
    }
  }

 private:
  bool answer(Frame type, Bytes body, loader::Machine& machine) {
    switch (type) {
      case Frame::kStep:
        return send_frame(Frame::kStep,
                          machine.step(body, {start_.shared.data(), frame_.shared_size}));
      case Frame::kUse:
        if (!body.empty()) break;
        return send_frame(Frame::kUse, serialize(use()));
      case Frame::kRoom:
        if (!body.empty()) break;
        return send_frame(Frame::kRoom, serialize(room()));
      default:
        break;
    }
    leave(ErrorCode::kMalformed);
  }

  // Under a cap what own_memory() says is kept, or what is taken where that is more: by the
  // bookkeeping of a very large graph.
  RoomFrame room() {
    const std::uint64_t free = memory_.available();
    const std::uint64_t used = memory_.used();
    const std::uint64_t taken = start_.cap.taken() + memory_.taken_around();
    if (frame_.cap == 0) return {free, free, used, taken};
    const std::uint64_t left = frame_.cap - std::min(frame_.cap, used);
    const std::uint64_t most =
        std::min({free, room_under(left, frame_.threads), left - std::min(left, taken)});
    return {most - std::min(most, heap_comfort(frame_.cap)), most, used, taken};
  }

  // Nothing is ever given back to the kernel, so what there is now is the most there was.
  UseFrame use() const {
    const std::uint64_t now = secure_bytes();
    return {base_,
            now,
            now,
            MemoryFigures::text(),
            traffic_.calls,
            traffic_.bytes_in,
            traffic_.bytes_out};
  }

  const Start& start_;
  const StartFrame& frame_;
  OutsideTraffic traffic_;
  SecureMemory memory_;
  WorkerThreads workers_;
  AheadThread ahead_;
  SpillArea spill_;
  SimulatedEvidence evidence_;
  loader::NoCounter counters_;
  std::uint64_t base_ = 0;
};

int serve() {
  Start start = give_up_rights();
  std::set_new_handler(out_of_memory);
  std::set_terminate([] { leave(ErrorCode::kInternal); });
  const StartFrame frame = receive_start();
  if (frame.shared_size > start.shared.size() ||
      frame.spill_size != start.shared.size() - frame.shared_size) {
    leave(ErrorCode::kMalformed);
  }
  set_thread_stack();
  const std::uint64_t data_limit = limit_memory(start, frame.cap, frame.threads);
  Program program(start, frame, data_limit);
  finish_start();
  program.run();
  return 0;
}

}  // namespace
}  // namespace sealpack::tee

int main() {
  // At once: what the program's end would do (flushing, destructors of libraries) needs rights it
  // no longer has.
  ::_exit(sealpack::tee::serve());
}
