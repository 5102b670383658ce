// SPDX-License-Identifier: Apache-2.0
#include "formats/base/utc_text.h"

#include <algorithm>

namespace sealpack {
namespace {

struct Date {
  std::uint64_t year, month, day;
};

// Days since 1970 to the Gregorian calendar. Years are counted from March here, so that the leap
// day is the last of its year; 400 of them have 146,097 days.
Date date_of(std::uint64_t days_since_1970) {
  const std::uint64_t days = days_since_1970 + 719468;  // since 1 March of the year 0
  const std::uint64_t era = days / 146097;
  const std::uint64_t in_era = days % 146097;
  const std::uint64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
  const std::uint64_t in_year = in_era - (365 * year + year / 4 - year / 100);
  const std::uint64_t month = (5 * in_year + 2) / 153;  // 0 is March
  const std::uint64_t day = in_year - (153 * month + 2) / 5 + 1;
  const bool next_year = month >= 10;
  return {era * 400 + year + (next_year ? 1 : 0), next_year ? month - 9 : month + 3, day};
}

std::string padded(std::uint64_t number, std::size_t width) {
  const std::string text = std::to_string(number);
  return std::string(width - std::min(width, text.size()), '0') + text;
}

}  // namespace

std::string utc_text(std::uint64_t unix_seconds) {
  constexpr std::uint64_t kEndOfYear9999 = 253402300799U;
  constexpr std::uint64_t kDay = 86400;
  if (unix_seconds > kEndOfYear9999) return std::to_string(unix_seconds) + " (Unix seconds)";
  const Date date = date_of(unix_seconds / kDay);
  const std::uint64_t second = unix_seconds % kDay;
  return padded(date.year, 4) + '-' + padded(date.month, 2) + '-' + padded(date.day, 2) + ' ' +
         padded(second / 3600, 2) + ':' + padded(second / 60 % 60, 2) + ':' +
         padded(second % 60, 2) + " UTC";
}

}  // namespace sealpack
