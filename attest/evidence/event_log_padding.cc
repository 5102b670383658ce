// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/event_log_padding.h"

#include <algorithm>

namespace sealpack::attest {

Bytes without_padding(Bytes log) {
  constexpr std::size_t kKept = 256;
  if (log.empty() || (log.back() != 0xff && log.back() != 0)) return log;
  std::size_t end = log.size();
  while (end > 0 && log[end - 1] == log.back()) --end;
  return log.first(std::min(log.size(), end + kKept));
}

}  // namespace sealpack::attest
