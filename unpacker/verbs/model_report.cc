// SPDX-License-Identifier: Apache-2.0
#include "unpacker/verbs/model_report.h"

#include <map>
#include <ostream>

#include "formats/files/input_tree.h"
#include "formats/models/detect.h"
#include "unpacker/verbs/bundle_report.h"
#include "unpacker/verbs/text_cells.h"

namespace sealpack::unpacker {
namespace {

using cli::Json;

struct ListedModel {
  InputTree inputs;
  std::vector<std::unique_ptr<models::Model>> models;  // one an input
};

struct Totals {
  std::uint64_t bytes = 0;
  std::uint64_t tensors = 0;
  std::uint64_t parameters = 0;
  std::map<std::string, DtypeCount> dtypes;
};

Result<ListedModel> load(const std::string& path) {
  ListedModel listed;
  listed.inputs = TRY(open_inputs(path, {}));
  for (std::uint32_t i = 0; i < listed.inputs.files.size(); ++i) {
    listed.models.push_back(TRY(models::open_model(i, listed.inputs.files, {})
                                    .within(printable(listed.inputs.files[i].path))));
  }
  return listed;
}

Totals totals_of(const ListedModel& listed) {
  Totals totals;
  for (std::size_t i = 0; i < listed.models.size(); ++i) {
    totals.bytes += listed.inputs.files[i].source->size();
    for (const models::Tensor& tensor : listed.models[i]->tensors()) {
      const std::uint64_t elements = element_count(tensor.shape);
      ++totals.tensors;
      totals.parameters += elements;
      DtypeCount& dtype = totals.dtypes[tensor.dtype];
      ++dtype.tensors;
      dtype.elements += elements;
    }
  }
  return totals;
}

Json to_json(const std::string& path, const ListedModel& listed) {
  const Totals totals = totals_of(listed);
  Json json = {{"model", path},
               {"bytes", totals.bytes},
               {"parameters", totals.parameters},
               {"dtypes", Json::object()},
               {"files", Json::array()},
               {"tensors", Json::array()},
               {"skipped", Json::array()}};
  for (const auto& [dtype, count] : totals.dtypes) {
    json["dtypes"][dtype] = {{"tensors", count.tensors}, {"elements", count.elements}};
  }
  for (std::size_t i = 0; i < listed.models.size(); ++i) {
    const models::InputFile& input = listed.inputs.files[i];
    const models::Model& model = *listed.models[i];
    Json facts = Json::object();
    for (const auto& [key, value] : model.facts()) facts[key] = value;
    json["files"].push_back({{"path", input.path},
                             {"format", models::to_string(model.format())},
                             {"bytes", input.source->size()},
                             {"tensors", model.tensors().size()},
                             {"facts", std::move(facts)}});
    for (const models::Tensor& tensor : model.tensors()) {
      json["tensors"].push_back({{"file", input.path},
                                 {"name", tensor.name},
                                 {"dtype", tensor.dtype},
                                 {"shape", tensor.shape},
                                 {"bytes", tensor.size}});
    }
  }
  for (const SkippedInput& skipped : listed.inputs.skipped) {
    json["skipped"].push_back({{"path", skipped.path}, {"because", skipped.reason}});
  }
  return json;
}

void print(const ListedModel& listed, std::ostream& out) {
  cli::Table table({"file", "tensor", "dtype", "shape", "bytes"});
  for (std::size_t i = 0; i < listed.models.size(); ++i) {
    const models::InputFile& input = listed.inputs.files[i];
    const models::Model& model = *listed.models[i];
    for (const auto& [key, value] : model.facts()) {
      out << cell(input.path) << ": " << cell(key) << ": " << cell(value) << '\n';
    }
    if (model.tensors().empty()) {
      table.add({cell(input.path), "", models::to_string(model.format()), "",
                 std::to_string(input.source->size())});
    }
    for (const models::Tensor& tensor : model.tensors()) {
      table.add({cell(input.path), cell(tensor.name), cell(tensor.dtype), shape_text(tensor.shape),
                 std::to_string(tensor.size)});
    }
  }
  table.print(out);
  const Totals totals = totals_of(listed);
  out << '\n'
      << totals.tensors << " tensor(s), " << totals.parameters << " parameters, "
      << listed.models.size() << " file(s), " << format_size(totals.bytes) << '\n';
  for (const auto& [dtype, count] : totals.dtypes) {
    out << cell(dtype) << ": " << count.tensors << " tensor(s), " << count.elements
        << " elements\n";
  }
  for (const SkippedInput& skipped : listed.inputs.skipped) {
    out << "skipped " << printable(skipped.path) << ": " << skipped.reason << '\n';
  }
}

}  // namespace

Status inspect_model(const std::string& path, cli::Terminal& terminal) {
  const ListedModel listed = TRY(load(path));
  if (terminal.json()) {
    cli::print_json(terminal, to_json(path, listed));
  } else {
    print(listed, terminal.out());
  }
  return done();
}

}  // namespace sealpack::unpacker
