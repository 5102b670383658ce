// SPDX-License-Identifier: Apache-2.0
#include "formats/base/utc_text.h"

#include <chrono>

namespace sealpack {
namespace {

std::string padded(std::uint64_t number, std::size_t width) {
  std::string text = std::to_string(number);
  return std::string(width - std::min(width, text.size()), '0') + text;
}

}  // namespace

std::string utc_text(std::uint64_t unix_seconds) {
  using namespace std::chrono;
  constexpr std::uint64_t kEndOfYear9999 = 253402300799U;
  constexpr std::uint64_t kDay = 86400;
  if (unix_seconds > kEndOfYear9999) return std::to_string(unix_seconds) + " (Unix seconds)";
  const year_month_day date(sys_days(days(unix_seconds / kDay)));
  const std::uint64_t second = unix_seconds % kDay;
  return padded(static_cast<std::uint64_t>(static_cast<int>(date.year())), 4) + '-' +
         padded(static_cast<unsigned>(date.month()), 2) + '-' +
         padded(static_cast<unsigned>(date.day()), 2) + ' ' + padded(second / 3600, 2) + ':' +
         padded(second / 60 % 60, 2) + ':' + padded(second % 60, 2) + " UTC";
}

}  // namespace sealpack
