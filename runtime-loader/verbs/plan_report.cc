// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/plan_report.h"

#include <cstdio>
#include <ostream>
#include <set>

#include "runtime-loader/plan/plan_svg.h"

namespace sealpack::plan {
namespace {

using cli::Json;

std::string percent(double share) {
  char text[16];
  (void)std::snprintf(text, sizeof text, share < 0.01 ? "%.2f %%" : "%.1f %%", 100 * share);
  return text;
}

std::string milliseconds(double seconds) {
  char text[32];
  const double ms = seconds * 1e3;
  (void)std::snprintf(text, sizeof text,
                      ms >= 100 ? "%.0f ms"
                      : ms >= 1 ? "%.2f ms"
                                : "%.3f ms",
                      ms);
  return text;
}

std::string memory_text(std::uint64_t memory) {
  return memory == 0 ? "not limited" : format_size(memory);
}

// Without the quotes of printable(): cells have an end of their own.
std::string cell(const std::string& text) {
  const std::string quoted = printable(text);
  return quoted.substr(1, quoted.size() - 2);
}

const char* oracle_text(const Choice& choice) {
  if (choice.goes_back) return "YES, goes back";
  return choice.is_oracle ? "YES, one layer" : "no";
}

bool is_the_default(const PlanReport& report, const Choice& choice) {
  return choice.candidate.whole && &choice == report.result->choices.data();
}

void print_table(const PlanReport& report, std::ostream& out) {
  std::vector<std::string> heading = {"id",       "inside", "parameters",  "multiply-adds",
                                      "time",     "least",  "secure peak", "crossing",
                                      "switches", "oracle", "worth"};
  if (report.scores != nullptr) {
    for (const std::string& column : report.scores->columns) heading.push_back(cell(column));
  }
  cli::Table table(heading);
  for (const Choice& choice : report.result->choices) {
    const Estimate& estimate = choice.estimate;
    const bool is_default = is_the_default(report, choice);
    std::vector<std::string> row = {choice.id,
                                    cell(choice.candidate.label) + (is_default ? " (default)" : ""),
                                    percent(estimate.parameter_share),
                                    percent(estimate.multiply_add_share),
                                    milliseconds(estimate.latency),
                                    format_size(choice.least_memory),
                                    format_size(estimate.secure_peak),
                                    format_size(estimate.crossing),
                                    std::to_string(estimate.switches),
                                    oracle_text(choice),
                                    to_string(choice.worth)};
    if (report.scores != nullptr) {
      const auto* scores = report.scores->find(choice);
      for (std::size_t i = 0; i < report.scores->columns.size(); ++i) {
        row.push_back(scores == nullptr ? "-" : cell((*scores)[i]));
      }
    }
    table.add(std::move(row));
  }
  table.print(out);
}

void print_notes(const PlanReport& report, std::ostream& out) {
  out << "\nWorth, if the weights come from a public model (docs/PLANNING.md):\n";
  std::set<Worth> worths;
  bool oracle = false;
  for (const Choice& choice : report.result->choices) {
    worths.insert(choice.worth);
    oracle = oracle || choice.is_oracle || choice.goes_back;
  }
  for (const Worth worth : worths)
    out << "  " << to_string(worth) << ": " << sentence(worth) << '\n';
  if (oracle) {
    out << "An oracle: about d queries recover a secure layer of d inputs; 'sealpack build' "
           "refuses "
           "it without --accept-oracle.\n";
  }
  if (report.scores == nullptr) {
    out << "Nothing here was measured on this model's accuracy: a stealing test is (--score "
           "FILE).\n";
  }
}

void print_counts(const PlanReport& report, std::ostream& out) {
  const PlanResult& result = *report.result;
  out << result.considered << " divisions considered";
  if (result.shares_weights != 0) {
    out << ", " << result.shares_weights << " cannot be made (shared weights, unknown types)";
  }
  if (result.too_large != 0) out << ", " << result.too_large << " do not fit";
  out << "; those that another beats in everything are left out.\n";
  if (!result.all_refused.empty()) {
    out << "All of the model does not run in " << memory_text(report.options->memory) << ": "
        << result.all_refused << '\n';
  }
}

Json choice_json(const PlanReport& report, const Choice& choice) {
  const Estimate& estimate = choice.estimate;
  const Scores* scores = report.scores;
  Json json = {{"id", choice.id},
               {"division", choice.candidate.id},
               {"label", choice.candidate.label},
               {"default", is_the_default(report, choice)},
               {"layers", choice.candidate.layers},
               {"parameter_share", estimate.parameter_share},
               {"multiply_add_share", estimate.multiply_add_share},
               {"seconds", estimate.latency},
               {"secure_peak", estimate.secure_peak},
               {"least_memory", choice.least_memory},
               {"streamed", choice.streamed},
               {"spilled", choice.spilled},
               {"crossing", estimate.crossing},
               {"switches", estimate.switches},
               {"taps", choice.taps},
               {"goes_back", choice.goes_back},
               {"oracle", choice.is_oracle || choice.goes_back},
               {"worth", to_string(choice.worth)},
               {"worth_because", sentence(choice.worth)}};
  json["memory"] = choice.memory == 0 ? Json(nullptr) : Json(choice.memory);
  if (scores != nullptr) {
    const auto* row = scores->find(choice);
    json["scores"] = Json::object();
    for (std::size_t i = 0; i < scores->columns.size() && row != nullptr; ++i) {
      json["scores"][scores->columns[i]] = (*row)[i];
    }
  }
  return json;
}

}  // namespace

void print_plan(const PlanReport& report, std::ostream& out) {
  const Target& target = *report.options->target;
  out << "model        " << printable(report.model->name) << ", " << report.layers
      << " layers with weights\n"
      << "target       " << target.name << ", secure memory " << memory_text(report.options->memory)
      << '\n'
      << "             memory: " << target.memory_source << '\n'
      << "             buffer: " << memory_text(target.shared_buffer) << " ("
      << target.buffer_source << ")\n"
      << "             switch: " << milliseconds(report.options->switch_cost) << " ("
      << target.switch_source << ")\n"
      << "times        " << cell(report.calibration->calibration.machine) << ", 1 thread; "
      << cell(report.calibration->source) << "\n\n";
  print_table(report, out);
  out << '\n';
  print_counts(report, out);
  print_notes(report, out);
}

Json plan_json(const PlanReport& report) {
  const Target& target = *report.options->target;
  Json json = {{"model", report.model->name},
               {"digest", cli::json_digest(report.model->digest)},
               {"layers", report.layers}};
  json["target"] = {{"name", target.name},
                    {"memory_source", target.memory_source},
                    {"shared_buffer", target.shared_buffer},
                    {"buffer_source", target.buffer_source},
                    {"switch_seconds", report.options->switch_cost},
                    {"switch_source", target.switch_source}};
  json["memory"] = report.options->memory == 0 ? Json(nullptr) : Json(report.options->memory);
  json["calibration"] = {{"machine", report.calibration->calibration.machine},
                         {"source", report.calibration->source}};
  json["considered"] = report.result->considered;
  json["shares_weights"] = report.result->shares_weights;
  json["too_large"] = report.result->too_large;
  json["all_refused"] = report.result->all_refused;
  json["choices"] = Json::array();
  for (const Choice& choice : report.result->choices) {
    json["choices"].push_back(choice_json(report, choice));
  }
  return json;
}

std::string plan_svg(const PlanReport& report) {
  return draw_choices(report.result->choices, "Divisions of " + cell(report.model->name),
                      std::string("target ") + report.options->target->name + ", secure memory " +
                          memory_text(report.options->memory) +
                          "; ids as in the table of sealpack plan");
}

}  // namespace sealpack::plan
