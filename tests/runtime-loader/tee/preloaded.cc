// SPDX-License-Identifier: Apache-2.0
// A shared library that takes over whatever program loads it.
#include <unistd.h>

namespace {
[[gnu::constructor]] void take_over() {
  ::_exit(77);
}
}  // namespace
