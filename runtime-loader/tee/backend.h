// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "runtime-loader/core/counter_store.h"
#include "runtime-loader/core/machine.h"

// A TEE as the normal world sees it. One implementation a folder; docs/BACKENDS.md says what each
// must give and how to write another.
namespace sealpack::tee {

struct Capabilities {
  std::string name;        // "process"
  std::string tee;         // as in a release's policy: "simulated", "sev-snp" …
  bool simulated = false;  // proves nothing to anybody and says so
  bool evidence = false;   // key requests carry evidence
  bool sealing = false;    // keeps secrets across launches
  loader::CounterKind counter = loader::CounterKind::kNone;
  std::uint64_t secure_bytes = 0;        // the cap; 0: not limited
  std::uint64_t shared_bytes = 0;        // of the buffer for inputs and answers
  std::uint64_t spill_bytes = 0;         // of memory outside for sealed activations
  unsigned threads = 1;                  // that compute
  std::uint64_t switch_nanoseconds = 0;  // of an empty message there and back, measured at launch
  bool can_call_host = false;  // fetches a bundle's blocks itself instead of asking in messages
  // What holds the program in, beyond what the backend cannot do without: "landlock", "mdwe" …
  std::vector<std::string> confinement;
  // What of that this machine does not have.
  std::vector<std::string> missing;
};

// Secure bytes: every anonymous byte of the TEE, whatever it is for. Program text is apart: it is
// public.
struct SecureUse {
  std::uint64_t base = 0;  // before the first bundle
  std::uint64_t now = 0;
  std::uint64_t peak = 0;  // never above Capabilities::secure_bytes
  std::uint64_t text = 0;  // bytes of program and libraries, mapped read-only
};

// Room for a model, now.
struct SecureRoom {
  std::uint64_t available = 0;  // what LoadOptions::memory_limit may be
  std::uint64_t used = 0;       // by models that are loaded
  std::uint64_t overhead = 0;   // what the TEE itself takes now
  std::uint64_t most = 0;       // available if nothing is left for comfort; 0: as available
};

struct Traffic {
  std::uint64_t switches = 0;            // messages there and back
  std::uint64_t host_calls = 0;          // of a backend that can call the host
  std::uint64_t bytes_in = 0;            // messages, inputs, bundle bytes, spilled bytes read again
  std::uint64_t bytes_out = 0;           // messages, answers, spilled bytes
  std::uint64_t secure_nanoseconds = 0;  // spent in steps
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const Capabilities& capabilities() const = 0;
  // The buffer that both worlds write; valid as long as the backend.
  virtual loader::SharedBuffer shared() = 0;
  // A message of messages.h in, one out. kIo when the TEE is gone, kLimit when it ran out of secure
  // memory: the only errors, after which it can only be destroyed.
  virtual Result<ByteVector> step(Bytes message) = 0;
  virtual Result<SecureRoom> secure_room() = 0;
  // The smallest cap under which a model may have `model` bytes; more only where secure_room() says
  // that the TEE itself takes more than it keeps.
  virtual std::uint64_t least_cap(std::uint64_t model) const { return model; }
  // What the session took so far.
  struct Use {
    SecureUse memory;
    Traffic traffic;
  };
  virtual Result<Use> use() = 0;
};

}  // namespace sealpack::tee
