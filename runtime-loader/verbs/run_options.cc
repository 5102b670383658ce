// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/run_options.h"

#include <algorithm>

#include "runtime-loader/verbs/run_arrays.h"

namespace sealpack::loader {
namespace {

void add_answer_options(CLI::App& verb, RunOptions& options) {
  CLI::Option* top1 =
      verb.add_flag("--top1", options.top1, "Answer with the index of the largest score alone");
  verb.add_option("--rounded", options.rounded, "Answer with scores of this many decimals")
      ->type_name("DECIMALS")
      ->check(CLI::Range(0U, 9U))
      ->excludes(top1);
  verb.add_option("--query-budget", options.query_budget,
                  "Give at most this many answers; each row counts")
      ->check(CLI::PositiveNumber);
}

void add_tee_options(CLI::App& verb, RunOptions& options) {
  verb.add_option(
          "--tee", options.tee,
          "Where the secure part runs; process is SIMULATED; none runs an ONNX file that is not "
          "sealed, to compare with")
      ->check(CLI::IsMember({"process", "none"}))
      ->capture_default_str();
  verb.add_option("--tee-memory", options.tee_memory,
                  "Cap on its secure memory, all of it, such as 16MiB; default: none")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(false));
  verb.add_option("--tee-user", options.tee_user, "As root: the user it runs as; default: nobody")
      ->type_name("USER");
}

// A sealed model needs somebody to believe and a key; one that is not sealed has nothing to
// protect.
Status check_world(const RunOptions& options) {
  if (options.tee != "none") {
    if (!options.trust.given()) return Error(ErrorCode::kUsage, "--trust is required");
    if (options.keys.keys.empty()) return Error(ErrorCode::kUsage, "--key is required");
    return done();
  }
  if (options.trust.given() || !options.keys.keys.empty() || options.tee_memory != 0 ||
      !options.tee_user.empty() || options.top1 || options.rounded || options.query_budget != 0 ||
      !options.model.empty() || !options.counters.empty()) {
    return Error(ErrorCode::kUsage,
                 "--tee none runs an ONNX file as it is: only inputs, outputs, "
                 "--batch and --threads go with it");
  }
  return done();
}

}  // namespace

void add_run_options(CLI::App& verb, RunOptions& options) {
  unpacker::add_bundle_argument(verb, options.bundle);
  unpacker::add_trust_options(verb, options.trust, unpacker::TrustNeed::kOptional);
  unpacker::add_key_options(verb, options.keys, false);
  const auto list = [&](const char* flag, std::vector<std::string>& values, const char* text) {
    verb.add_option(flag, values, text)
        ->type_name("[NAME=]X.npy")
        ->allow_extra_args(false)
        ->take_all()
        ->required();
  };
  list("--input", options.inputs,
       "An input of the model, - for arrays on standard input; may be repeated. More rows than the "
       "model takes are run one batch after the other");
  list("--output", options.outputs,
       "Where an output goes, - for standard output; may be repeated. With names, no other output "
       "leaves the TEE");
  verb.add_option("--model", options.model, "Which model, in a bundle with several")
      ->type_name("PATH");
  verb.add_option("--batch", options.batch, "Rows in one run; default: what the model says, or 1")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 20U));
  add_answer_options(verb, options);
  add_tee_options(verb, options);
  unpacker::add_threads_option(verb, options.threads);
  verb.add_option("--counters", options.counters, "Write the counters as JSON to this file too")
      ->type_name("FILE");
  verb.add_flag("--force", options.force, "Replace files that are there");
}

Narrowing narrowing_of(const RunOptions& options, std::vector<std::string> outputs) {
  Narrowing narrowing;
  if (options.top1) narrowing.form = bundle::AnswerForm::kTop1;
  if (options.rounded) {
    narrowing.form = bundle::AnswerForm::kRounded;
    narrowing.decimals = *options.rounded;
  }
  narrowing.query_budget = options.query_budget;
  narrowing.outputs = std::move(outputs);
  return narrowing;
}

Status check_options(const RunOptions& options, bool json) {
  TRY(check_world(options));
  const auto streams = [](const std::vector<std::string>& list) {
    return std::count_if(list.begin(), list.end(), [](const std::string& text) {
      return parse_named_path(text).path == "-";
    });
  };
  if (streams(options.inputs) != 0 && options.inputs.size() != 1) {
    return Error(ErrorCode::kUsage, "standard input can only be the one input there is");
  }
  if (streams(options.outputs) > 1) {
    return Error(ErrorCode::kUsage, "only one output can go to standard output");
  }
  if (streams(options.outputs) != 0 && json) {
    return Error(ErrorCode::kUsage, "with --json, standard output is taken: no --output -");
  }
  if (options.outputs.size() > 1) {
    for (const std::string& text : options.outputs) {
      if (!parse_named_path(text).name.empty()) continue;
      return Error(ErrorCode::kUsage, "several outputs need names: --output NAME=Y.npy");
    }
  }
  return done();
}

}  // namespace sealpack::loader
