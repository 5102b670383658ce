// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/run_report.h"

#include <cstdio>
#include <ostream>

namespace sealpack::loader {
namespace {

constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

double seconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e9;
}

std::string seconds_text(std::uint64_t nanoseconds) {
  char text[32];
  (void)std::snprintf(text, sizeof text, "%.4f", seconds(nanoseconds));
  return text;
}

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& one : list) text += (text.empty() ? "" : ", ") + one;
  return text.empty() ? "nothing" : text;
}

// What the machine proves itself by, as policies name it.
std::string platform_of(const tee::Capabilities& tee) {
  return tee.simulated ? "SIMULATED" : tee.tee;
}

std::uint64_t normal_time(const RunFigures& figures) {
  const std::uint64_t secure = figures.traffic.secure_nanoseconds;
  return figures.total_nanoseconds > secure ? figures.total_nanoseconds - secure : 0;
}

}  // namespace

cli::Json figures_json(const RunFigures& figures) {
  cli::Json json;
  json["rows"] = figures.rows;
  json["runs"] = figures.runs;
  json["answers_left"] = figures.counters.answers_left == kUnlimited
                             ? cli::Json(nullptr)
                             : cli::Json(figures.counters.answers_left);
  json["tee"] = {{"backend", figures.tee.name},
                 {"platform", platform_of(figures.tee)},
                 {"simulated", figures.tee.simulated},
                 {"measurement", cli::json_digest(figures.measurement)},
                 {"confinement", figures.tee.confinement},
                 {"missing", figures.tee.missing},
                 {"threads", figures.tee.threads}};
  json["switches"] = figures.traffic.switches;
  json["switch_nanoseconds"] = figures.tee.switch_nanoseconds;
  json["host_calls"] = figures.traffic.host_calls;
  json["bytes_in"] = figures.traffic.bytes_in + figures.shared_in;
  json["bytes_out"] = figures.traffic.bytes_out + figures.shared_out;
  json["secure_memory"] = {
      {"cap",
       figures.tee.secure_bytes == 0 ? cli::Json(nullptr) : cli::Json(figures.tee.secure_bytes)},
      {"peak", figures.use.peak},
      {"base", figures.use.base},
      {"least_cap", figures.least_cap},
      {"program_text", figures.use.text}};
  json["model"] = {{"peak", figures.model.peak},
                   {"unlimited_peak", figures.model.unlimited_peak},
                   {"least_limit", figures.model.least_limit},
                   {"resident_weights", figures.model.resident_weights},
                   {"streamed_per_run", figures.model.streamed},
                   {"spilled", figures.counters.spill_stored},
                   {"decrypted", figures.counters.weights_read}};
  json["seconds"] = {{"total", seconds(figures.total_nanoseconds)},
                     {"secure", seconds(figures.traffic.secure_nanoseconds)},
                     {"normal", seconds(normal_time(figures))},
                     {"first_answer", seconds(figures.first_answer_nanoseconds)}};
  return json;
}

void print_figures(const RunFigures& figures, std::ostream& out) {
  const std::uint64_t cap = figures.tee.secure_bytes;
  out << "tee            " << figures.tee.name << ", " << platform_of(figures.tee) << ", "
      << figures.tee.threads << " thread(s); held by " << joined(figures.tee.confinement) << '\n';
  if (!figures.tee.missing.empty()) {
    out << "not there      " << joined(figures.tee.missing) << '\n';
  }
  out << "secure memory  peak " << format_size(figures.use.peak) << " of "
      << (cap == 0 ? std::string("no cap") : format_size(cap)) << ", "
      << format_size(figures.use.base) << " before the model; least cap "
      << format_size(figures.least_cap) << "; program text " << format_size(figures.use.text)
      << " apart\n"
      << "switches       " << figures.traffic.switches << ", " << figures.traffic.host_calls
      << " host call(s); in " << format_size(figures.traffic.bytes_in + figures.shared_in)
      << ", out " << format_size(figures.traffic.bytes_out + figures.shared_out) << '\n'
      << "seconds        " << seconds_text(figures.total_nanoseconds) << ": secure "
      << seconds_text(figures.traffic.secure_nanoseconds) << ", normal "
      << seconds_text(normal_time(figures)) << "; first answer after "
      << seconds_text(figures.first_answer_nanoseconds) << '\n';
}

}  // namespace sealpack::loader
