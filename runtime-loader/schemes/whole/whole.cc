// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/schemes/whole/whole.h"

namespace sealpack::loader {
namespace {

bool is_onnx(std::string_view path) {
  return path.ends_with(".onnx");
}

Error no_graph(const bundle::Content& content) {
  std::string found = content.originals.empty() ? "nothing" : "";
  for (std::size_t i = 0; i < content.originals.size() && i < 4; ++i) {
    found += (i == 0 ? "" : ", ") + printable(content.originals[i].path);
  }
  if (content.originals.size() > 4) found += ", …";
  return Error(ErrorCode::kUnsupported, "the bundle has no ONNX graph to run, it holds " + found)
      .with_hint("its weights can be read (unseal, or the C ABI), for a program that knows them");
}

Result<ModelFile> find_graph(const bundle::Content& content, std::string_view wanted) {
  if (!wanted.empty()) {
    const auto named = find_original(content, wanted);
    if (!named) {
      return Error(ErrorCode::kUsage, "the bundle has no model file " + printable(wanted));
    }
    if (!is_onnx(wanted)) {
      return Error(ErrorCode::kUnsupported, printable(wanted) + " is not an ONNX graph");
    }
    return *named;
  }
  std::optional<ModelFile> only;
  for (std::uint32_t i = 0; i < content.originals.size(); ++i) {
    if (!is_onnx(content.originals[i].path)) continue;
    if (only) {
      return Error(ErrorCode::kUsage, "the bundle has several ONNX graphs, " +
                                          printable(content.originals[only->number].path) +
                                          " and " + printable(content.originals[i].path) +
                                          " among them")
          .with_hint("name one");
    }
    only = ModelFile{true, i};
  }
  if (!only) return no_graph(content);
  return *only;
}

class Whole final : public Scheme {
 public:
  std::string_view name() const override { return "whole"; }
  std::uint32_t version() const override { return 1; }

  Result<SecureModel> secure_model(const bundle::Content& content,
                                   std::string_view wanted) const override {
    if (!content.plan.parameters.empty()) {
      return Error(ErrorCode::kMalformed, "scheme whole has no parameters");
    }
    SecureModel model;
    model.graph = TRY(find_graph(content, wanted));
    // External data are named from the folder of the graph.
    const std::string& path = content.originals[model.graph.number].path;
    const std::string folder = path.substr(0, path.rfind('/') + 1);
    for (std::uint32_t i = 0; i < content.originals.size(); ++i) {
      const std::string& other = content.originals[i].path;
      if (i == model.graph.number || !other.starts_with(folder)) continue;
      model.externals.push_back({other.substr(folder.size()), ModelFile{true, i}});
    }
    return model;
  }
};

}  // namespace

const Scheme& whole_scheme() {
  static const Whole scheme;
  return scheme;
}

}  // namespace sealpack::loader
