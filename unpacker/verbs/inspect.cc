// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>
#include <ostream>

#include "formats/files/file_source.h"
#include "unpacker/verbs/bundle_report.h"
#include "unpacker/verbs/model_report.h"
#include "unpacker/verbs/opening.h"
#include "unpacker/verbs/verbs.h"

namespace sealpack::unpacker {
namespace {

struct Options {
  std::string path;
  TrustOptions trust;
  bool tensors = false;
};

// By its name, so that a damaged bundle is reported as one, or by its magic.
bool is_bundle(const std::string& path) {
  if (path.ends_with(".seal")) return true;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  const auto source = FileSource::open(path);
  constexpr std::string_view kMagic = "sealpack bundle";
  std::array<std::uint8_t, kMagic.size()> start{};
  return source.ok() && (*source)->size() > bundle::kHeadOffset + start.size() &&
         (*source)->read_at(bundle::kHeadOffset, start).ok() && as_text(start) == kMagic;
}

Status inspect(const Options& options, cli::Terminal& terminal) {
  if (!is_bundle(options.path)) {
    if (options.trust.given()) {
      return Error(ErrorCode::kUsage,
                   printable(options.path) + " is not a bundle, so --trust says nothing about it");
    }
    return inspect_model(options.path, terminal);
  }
  const InspectedBundle inspected = TRY(load_inspected(options.path, options.trust));
  if (terminal.json()) {
    print_bundle_json(inspected, options.tensors, terminal);
  } else {
    print_bundle(inspected, options.tensors, terminal.out());
  }
  return done();
}

}  // namespace

void add_inspect(CLI::App& app, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand(
      "inspect", "Show what a bundle claims (with --trust: proves), or what a model holds");
  verb->add_option("BUNDLE|MODEL", options->path, "A bundle, or a model: file, folder or archive")
      ->required();
  add_trust_options(*verb, options->trust, TrustNeed::kOptional);
  verb->add_flag("--tensors", options->tensors, "List the tensors of a bundle too");
  verb->footer(cli::exit_codes(
      {{ErrorCode::kUsage, "wrong command line or trust file"},
       {ErrorCode::kIo, "a file cannot be read"},
       {ErrorCode::kMalformed, "bundle or model breaks the rules of its format"},
       {ErrorCode::kUnsupported, "it needs a newer sealpack, or the model is a pickle"},
       {ErrorCode::kNotAuthentic, "with --trust: a signature does not hold"},
       {ErrorCode::kRefused, "with --trust: expired, revoked, rolled back or not trusted"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return inspect(*options, terminal); };
  });
}

}  // namespace sealpack::unpacker
