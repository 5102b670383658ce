// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "runtime-loader/core/messages.h"
#include "runtime-loader/core/pending_source.h"

namespace sealpack::loader {

// Where a TEE that can call out gets a bundle's bytes. kIo when there is no such bundle, or its
// size is another.
using OpenSource =
    std::function<Result<std::shared_ptr<const BlockSource>>(BundleId bundle, std::uint64_t size)>;

struct MachineOptions {
  Backend backend;
  // The measurement is known only with the launch configuration: called once, with its digest.
  std::function<Digest(const Digest& launch)> measurement;
  OpenSource open_source;  // empty: blocks are asked for by NeedBlocksMessage
};

// The core as a state machine: a message in, a message out, nothing in between. Whatever comes in,
// in whatever order, the answer is a message; a refused message changes nothing, but that a bundle
// or run that fails is gone.
class Machine {
 public:
  Machine(MachineOptions options, const Services& services);
  ~Machine();
  Machine(Machine&&) noexcept;
  Machine& operator=(Machine&&) noexcept;

  // `message` may lie in memory that the host changes: it is copied first. Answers of a run are
  // written to `shared`, nothing else is.
  ByteVector step(Bytes message, SharedBuffer shared);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealpack::loader
