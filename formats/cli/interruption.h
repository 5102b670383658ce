// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/result.h"

namespace sealpack::cli {

// While one lives, SIGINT, SIGTERM and SIGHUP do not end the program: whoever works asks check()
// now and then, from any thread, returns its error, and so takes back what is half done. A second
// signal ends the program at once. Signals that were ignored stay ignored. One at a time.
class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  // kIo once a signal came.
  static Status check();
};

// Ends the program by the signal that came meanwhile, which is how its caller learns of it; returns
// where none did.
void end_if_interrupted();

// Ends the program by SIGPIPE, as other programs before `| head` end; returns where stdout is no
// pipe, or has a reader.
void end_if_nobody_reads();

}  // namespace sealpack::cli
