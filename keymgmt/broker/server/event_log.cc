// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/server/event_log.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

namespace sealpack::broker {
namespace {

// RFC 3339 with milliseconds.
std::string time_now() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto since = now.time_since_epoch();
  const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(since).count() % 1000;
  std::tm parts{};
  (void)::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 8> fraction{};
  (void)std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(part));
  return std::string(text.data(), size) + fraction.data();
}

const char* to_string(EventLog::Level level) {
  switch (level) {
    case EventLog::Level::kInfo:
      return "info";
    case EventLog::Level::kWarning:
      return "warning";
    case EventLog::Level::kError:
      return "error";
  }
  return "error";
}

}  // namespace

void EventLog::write(Level level, const std::string& event, std::initializer_list<Field> fields) {
  nlohmann::ordered_json line = {
      {"time", time_now()}, {"level", to_string(level)}, {"event", event}};
  for (const Field& field : fields) {
    std::visit([&](const auto& value) { line[field.name] = value; }, field.value);
  }
  // ASCII alone, and no byte of a stranger's can end the line.
  const std::string text =
      line.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + '\n';
  const std::lock_guard lock(mutex_);
  write_(text);
}

void write_to_standard_error(const std::string& line) {
  std::size_t at = 0;
  while (at < line.size()) {
    const ssize_t wrote = ::write(STDERR_FILENO, line.data() + at, line.size() - at);
    if (wrote <= 0) return;  // a log that cannot be written stops nobody
    at += static_cast<std::size_t>(wrote);
  }
}

}  // namespace sealpack::broker
