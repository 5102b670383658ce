// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/server/metrics.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace sealpack::broker {
namespace {

const char* to_string(TurnedAway why) {
  switch (why) {
    case TurnedAway::kConnections:
      return "connections";
    case TurnedAway::kHandshakeRate:
      return "handshake-rate";
    case TurnedAway::kRequestRate:
      return "request-rate";
    case TurnedAway::kInFlight:
      return "in-flight";
    case TurnedAway::kMemory:
      return "memory";
    case TurnedAway::kDeadline:
      return "deadline";
  }
  return "unknown";
}

std::string number(double value) {
  std::array<char, 40> text{};
  (void)std::snprintf(text.data(), text.size(), "%.15g", value);
  return text.data();
}

void head(std::string& out, const char* name, const char* type, const char* help) {
  out += std::string("# HELP ") + name + ' ' + help + "\n# TYPE " + name + ' ' + type + '\n';
}

void line(std::string& out, const std::string& name, const std::string& labels, double value) {
  out += name + (labels.empty() ? "" : '{' + labels + '}') + ' ' + number(value) + '\n';
}

std::string label(const char* name, const std::string& value) {
  return std::string(name) + "=\"" + value + '"';
}

}  // namespace

void Metrics::count_answer(const std::string& route, unsigned status,
                           std::chrono::nanoseconds took) {
  const double seconds = std::chrono::duration<double>(took).count();
  const std::lock_guard lock(mutex_);
  ++answers_[{route, status}];
  Histogram& histogram = durations_[route];
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    if (seconds <= kBounds.at(i)) ++histogram.buckets.at(i);
  }
  ++histogram.count;
  histogram.sum += seconds;
}

void Metrics::count_turned_away(TurnedAway why) {
  const std::lock_guard lock(mutex_);
  ++turned_away_[why];
}

void Metrics::count_connection() {
  const std::lock_guard lock(mutex_);
  ++connections_;
}

void Metrics::count_reload(bool worked) {
  const std::lock_guard lock(mutex_);
  ++reloads_[worked];
}

std::string Metrics::text(const std::map<std::string, double>& gauges) const {
  std::string out;
  const std::lock_guard lock(mutex_);
  head(out, "sealpack_broker_answers_total", "counter", "Answers by route and HTTP status.");
  for (const auto& [key, count] : answers_) {
    line(out, "sealpack_broker_answers_total",
         label("route", key.first) + ',' + label("status", std::to_string(key.second)),
         static_cast<double>(count));
  }
  head(out, "sealpack_broker_answer_seconds", "histogram", "From a whole request to its answer.");
  for (const auto& [route, histogram] : durations_) {
    const std::string name = "sealpack_broker_answer_seconds";
    for (std::size_t i = 0; i < kBounds.size(); ++i) {
      line(out, name + "_bucket", label("route", route) + ',' + label("le", number(kBounds.at(i))),
           static_cast<double>(histogram.buckets.at(i)));
    }
    line(out, name + "_bucket", label("route", route) + ",le=\"+Inf\"",
         static_cast<double>(histogram.count));
    line(out, name + "_sum", label("route", route), histogram.sum);
    line(out, name + "_count", label("route", route), static_cast<double>(histogram.count));
  }
  head(out, "sealpack_broker_turned_away_total", "counter", "Turned away before verification.");
  for (const TurnedAway why :
       {TurnedAway::kConnections, TurnedAway::kHandshakeRate, TurnedAway::kRequestRate,
        TurnedAway::kInFlight, TurnedAway::kMemory, TurnedAway::kDeadline}) {
    const auto found = turned_away_.find(why);
    line(out, "sealpack_broker_turned_away_total", label("why", to_string(why)),
         found == turned_away_.end() ? 0 : static_cast<double>(found->second));
  }
  head(out, "sealpack_broker_connections_total", "counter", "Connections accepted.");
  line(out, "sealpack_broker_connections_total", "", static_cast<double>(connections_));
  head(out, "sealpack_broker_reloads_total", "counter",
       "Reloads of certificate and configuration.");
  for (const auto& [worked, count] : reloads_) {
    line(out, "sealpack_broker_reloads_total", label("result", worked ? "ok" : "failed"),
         static_cast<double>(count));
  }
  for (const auto& [name, value] : gauges) {
    out += "# TYPE " + name + (name.ends_with("_total") ? " counter\n" : " gauge\n");
    line(out, name, "", value);
  }
  return out;
}

std::uint64_t resident_memory() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (!(file >> size >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace sealpack::broker
