// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/schemes/layers/layers.h"

#include <algorithm>

#include "runtime-loader/schemes/layers/parameters.h"

namespace sealpack::loader {
namespace {

using layers::Crossing;
using layers::External;
using layers::Parameters;

// A sealed file, or kMalformed: what the parameters call secure must not be readable by all.
Result<ModelFile> sealed_file(const bundle::Content& content, const std::string& path) {
  const auto file = find_bundle_file(content, "sealed/" + path);
  if (file) return *file;
  return Error(ErrorCode::kMalformed,
               "the plan names a sealed file " + printable(path) + " that is not in the bundle");
}

class Layers final : public Scheme {
 public:
  std::string_view name() const override { return layers::kSchemeName; }
  std::uint32_t version() const override { return layers::kVersion; }

  Result<SecureModel> secure_model(const bundle::Content& content,
                                   std::string_view wanted) const override {
    const Parameters parameters = TRY(layers::parse_parameters(content.plan.parameters));
    if (!wanted.empty() && wanted != parameters.model && wanted != parameters.secure) {
      return Error(ErrorCode::kUsage,
                   "the bundle has no model " + printable(wanted) + ", only " +
                       printable(parameters.model.empty() ? parameters.secure : parameters.model));
    }
    SecureModel model;
    model.graph = TRY(sealed_file(content, parameters.secure));
    for (const External& file : parameters.externals) {
      auto external = TRY(sealed_file(content, file.path));
      model.externals.push_back({file.location, std::move(external)});
    }
    for (const Crossing& tap : parameters.taps) {
      if (!tap.source.empty()) model.taps.push_back(tap.name);
    }
    for (const auto* list : {&parameters.answers, &parameters.returned}) {
      for (const Crossing& output : *list) {
        if (std::find(model.outputs.begin(), model.outputs.end(), output.name) ==
            model.outputs.end()) {
          model.outputs.push_back(output.name);
        }
      }
    }
    for (const Crossing& output : parameters.returned) model.returned.push_back(output.name);
    return model;
  }
};

}  // namespace

const Scheme& layers_scheme() {
  static const Layers kLayers;
  return kLayers;
}

}  // namespace sealpack::loader
