// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "formats/base/bytes.h"

namespace sealpack::loader {

enum class CounterKind : std::uint8_t {
  kNone = 0,    // the backend remembers nothing: floors come in grants
  kFile = 1,    // a file of the host, who can turn it back: SIMULATED, and in-process use
  kTpm = 2,     // an NV index
  kRpmb = 3,    // replay-protected flash
  kBroker = 4,  // the broker keeps it
};
const char* to_string(CounterKind kind);
// Whether the host cannot turn it back.
bool is_protected(CounterKind kind);

// The lowest release that is still accepted. counter 0: any.
struct Floor {
  std::uint64_t counter = 0;
  std::optional<Digest> release;  // with an equal counter only this one
  bool operator==(const Floor&) const = default;
};

// kRefused when a release with this counter and digest is below the floor.
Status check_floor(const Floor& floor, std::uint64_t counter, const Digest& release);

// Keeps a floor for each (authority, product). Opening never raises it: confirm does, after the
// caller's own health check, so that a device can fall back to the release before.
class CounterStore {
 public:
  virtual ~CounterStore() = default;
  virtual CounterKind kind() const = 0;
  virtual Result<Floor> floor(const Digest& authority, const std::string& product) = 0;
  // Never lowers it. kIo; kUnsupported for kNone.
  virtual Status raise(const Digest& authority, const std::string& product, const Floor& floor) = 0;
};

// The store of a backend that has none.
class NoCounter final : public CounterStore {
 public:
  CounterKind kind() const override { return CounterKind::kNone; }
  Result<Floor> floor(const Digest&, const std::string&) override { return Floor{}; }
  Status raise(const Digest&, const std::string&, const Floor&) override;
};

}  // namespace sealpack::loader
