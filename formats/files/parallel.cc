// SPDX-License-Identifier: Apache-2.0
#include "formats/files/parallel.h"

#include <algorithm>

namespace sealpack {

unsigned default_thread_count() {
  return std::clamp(std::thread::hardware_concurrency(), 1U, 16U);
}

}  // namespace sealpack
