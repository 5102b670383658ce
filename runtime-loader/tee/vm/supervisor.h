// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "formats/base/result.h"

namespace sealpack::tee {

// Somebody who is still there when this process is not: for what must be done however it ends, by
// an error, a crash or a signal. begin() splits the process before it has any thread or secret. The
// child returns and goes on as what was started. The parent stays in begin(): it passes signals on,
// waits, does what is to be done unless the child said settled(), and ends as the child did.
class Supervisor {
 public:
  // `otherwise`: for the parent, where the child ended without settled(). kIo.
  static Result<Supervisor> begin(const std::function<Status()>& otherwise);
  // Nothing is left to be done.
  void settled();

  Supervisor(Supervisor&& other) noexcept;
  Supervisor& operator=(Supervisor&&) = delete;
  ~Supervisor();

 private:
  explicit Supervisor(int line) : line_(line) {}
  int line_ = -1;  // to the parent; one byte says settled
};

}  // namespace sealpack::tee
