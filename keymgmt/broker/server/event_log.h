// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <initializer_list>
#include <mutex>
#include <string>
#include <variant>

namespace sealpack::broker {

// What happened, one JSON object a line. Fields are names, numbers and codes: never a key, a nonce,
// evidence or a body. For several threads; a line is written whole.
class EventLog {
 public:
  enum class Level { kInfo, kWarning, kError };
  struct Field {
    const char* name;
    std::variant<std::string, std::uint64_t, double> value;
  };
  using Write = std::function<void(const std::string& line)>;  // with its line end
  explicit EventLog(Write write) : write_(std::move(write)) {}

  void write(Level level, const std::string& event, std::initializer_list<Field> fields = {});

 private:
  std::mutex mutex_;
  Write write_;
};

// To descriptor 2.
void write_to_standard_error(const std::string& line);

}  // namespace sealpack::broker
