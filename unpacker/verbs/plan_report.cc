// SPDX-License-Identifier: Apache-2.0
#include "unpacker/verbs/plan_report.h"

#include "formats/models/onnx_tensor.h"
#include "runtime-loader/schemes/layers/parameters.h"
#include "unpacker/verbs/text_cells.h"

namespace sealpack::unpacker {
namespace {

using layers::Crossing;
using layers::Dimension;

const char* dtype_of(const Crossing& value) {
  const char* name = models::onnx::dtype_name(value.dtype);
  return name == nullptr ? "?" : name;
}

std::string crossing_text(const Crossing& value) {
  std::string text = cell(value.name) + ' ' + dtype_of(value) + '[';
  for (std::size_t i = 0; i < value.shape.size(); ++i) {
    const Dimension& dim = value.shape[i];
    text += (i == 0 ? "" : ",") + (dim.size == 0 ? cell(dim.symbol) : std::to_string(dim.size));
  }
  return text + ']';
}

cli::Json crossings_json(const std::vector<Crossing>& list) {
  cli::Json json = cli::Json::array();
  for (const Crossing& value : list) {
    cli::Json shape = cli::Json::array();
    for (const Dimension& dim : value.shape) {
      shape.push_back(dim.size == 0 ? cli::Json(dim.symbol) : cli::Json(dim.size));
    }
    json.push_back({{"name", value.name},
                    {"source", value.source},
                    {"dtype", dtype_of(value)},
                    {"shape", std::move(shape)}});
  }
  return json;
}

bool is_layers(const bundle::Plan& plan) {
  return plan.scheme == layers::kSchemeName && plan.version <= layers::kVersion;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> plan_lines(const bundle::Plan& plan) {
  if (!is_layers(plan)) return {};
  const auto parameters = layers::parse_parameters(plan.parameters);
  if (!parameters.ok()) return {{"plan", "cannot be read: " + parameters.error().message()}};
  std::vector<std::pair<std::string, std::string>> lines;
  if (!parameters->before.empty()) lines.emplace_back("runs outside", cell(parameters->before));
  lines.emplace_back("runs inside", cell(parameters->secure));
  if (!parameters->after.empty()) {
    lines.emplace_back("runs outside", cell(parameters->after) + ", behind it");
  }
  for (const Crossing& tap : parameters->taps) {
    lines.emplace_back(tap.source.empty() ? "input inside" : "tap", crossing_text(tap));
  }
  for (const Crossing& answer : parameters->answers) {
    lines.emplace_back("answer of the secure part", crossing_text(answer));
  }
  for (const Crossing& value : parameters->returned) {
    lines.emplace_back("goes back outside", crossing_text(value) + ", an extraction oracle");
  }
  return lines;
}

cli::Json plan_json(const bundle::Plan& plan) {
  if (!is_layers(plan)) return nullptr;
  const auto parameters = layers::parse_parameters(plan.parameters);
  if (!parameters.ok()) return {{"error", parameters.error().message()}};
  return {{"before", parameters->before},
          {"secure", parameters->secure},
          {"after", parameters->after},
          {"taps", crossings_json(parameters->taps)},
          {"answers", crossings_json(parameters->answers)},
          {"returned", crossings_json(parameters->returned)},
          {"results", parameters->results}};
}

}  // namespace sealpack::unpacker
