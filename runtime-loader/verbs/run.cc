// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <memory>
#include <ostream>

#include "formats/files/file_source.h"
#include "runtime-loader/host/clear_model.h"
#include "runtime-loader/tee/threads.h"
#include "runtime-loader/verbs/run_files.h"
#include "runtime-loader/verbs/run_rows.h"
#include "runtime-loader/verbs/run_session.h"
#include "runtime-loader/verbs/verbs.h"

namespace sealpack::loader {
namespace {

Result<std::vector<InputArray>> open_inputs(const RunOptions& options) {
  std::vector<InputArray> inputs;
  for (const std::string& text : options.inputs) {
    inputs.push_back(TRY(InputArray::open(parse_named_path(text))));
    if (!TRY(inputs.back().next())) {
      return Error(ErrorCode::kMalformed, printable(inputs.back().path()) + ": there is no array");
    }
  }
  return inputs;
}

Result<std::vector<OutputArray>> create_outputs(const RunOptions& options,
                                                cli::Terminal& terminal) {
  std::vector<OutputArray> outputs;
  for (const std::string& text : options.outputs) {
    outputs.push_back(TRY(OutputArray::create(
        parse_named_path(text), options.force ? Overwrite::kReplace : Overwrite::kRefuse,
        terminal.out())));
  }
  return outputs;
}

bool takes_stdout(const std::vector<OutputArray>& outputs) {
  return std::any_of(outputs.begin(), outputs.end(),
                     [](const OutputArray& output) { return output.path() == "-"; });
}

// A model that is not sealed, here, with the same executor: what a sealed run is compared with.
Status run_clear(const RunOptions& options, cli::Terminal& terminal) {
  const Instant start = std::chrono::steady_clock::now();
  std::vector<InputArray> inputs = TRY(open_inputs(options));
  std::vector<OutputArray> outputs = TRY(create_outputs(options, terminal));
  tee::WorkerThreads workers(std::min(unpacker::thread_count(options.threads), tee::kMaxThreads));
  host::ClearModel model(options.bundle, workers);
  std::uint64_t total = 0;
  for (const InputArray& input : inputs) total += input.is_stream() ? 0 : input.header().data_size;
  cli::Progress progress(terminal, "run", total);
  RowRunner::Options how;
  how.load = [&](const host::InputShapes& shapes) { return model.load(shapes); };
  how.batch = options.batch;
  how.progress = [&](std::uint64_t amount) { progress.add(amount); };
  how.answered = [] {};
  RowRunner runner(model, inputs, outputs, how);
  TRY(runner.run_all());
  for (OutputArray& output : outputs) TRY(output.commit());
  const double seconds = static_cast<double>(nanoseconds_since(start)) / 1e9;
  if (terminal.json()) {
    cli::print_json(
        terminal,
        {{"tee", "none"}, {"rows", runner.rows()}, {"runs", runner.runs()}, {"seconds", seconds}});
    return done();
  }
  (takes_stdout(outputs) ? terminal.report_aside() : terminal.report())
      << runner.rows() << " row(s) in " << runner.runs()
      << " run(s), in the clear, without a TEE\n";
  return done();
}

Status write_counters(const std::string& path, const cli::Json& json, Overwrite overwrite) {
  OutputFile file = TRY(OutputFile::create(path, overwrite, 0644));
  TRY(file.write_at(0, as_bytes(json.dump(2) + "\n")));
  return file.commit();
}

// For the policy of a release that does not exist yet.
Status measure(const RunOptions& options, const unpacker::LoadedTrust& trust,
               cli::Terminal& terminal) {
  std::optional<HostBundle> bundle;
  if (!options.bundle.empty()) bundle = TRY(open_bundle(options.bundle, trust));
  const LaunchConfig config =
      TRY(launch_config(options, trust, bundle ? &bundle->verified : nullptr));
  const auto backend = TRY(launch_process(options, {}));
  host::TeeClient client(*backend);
  const LaunchedMessage launched = TRY(client.launch(config));
  if (terminal.json()) {
    cli::print_json(terminal, {{"tee", launched.tee},
                               {"measurement", to_hex(launched.measurement.bytes)},
                               {"launch", to_hex(launched.launch.bytes)}});
  } else {
    terminal.out() << to_hex(launched.measurement.bytes) << '\n';
  }
  return done();
}

Status run(RunOptions options, cli::Terminal& terminal) {
  const Instant start = std::chrono::steady_clock::now();
  // Says more of a model that is not sealed than options that are missing for a bundle.
  if (options.vm.key.empty()) TRY(check_model_file(options));
  TRY(check_options(options, terminal.json()));
  // Before anything that the host has a hand in, files and their names too, can fail.
  auto supervisor = TRY(supervise(options));
  TRY(check_files(options));
  if (options.tee == "none") return run_clear(options, terminal);
  const unpacker::LoadedTrust trust = TRY(unpacker::load_trust_options(options.trust));
  if (options.measure) return measure(options, trust, terminal);
  HostBundle bundle = TRY(open_bundle(options.bundle, trust));
  std::vector<InputArray> inputs = TRY(open_inputs(options));
  std::vector<OutputArray> outputs = TRY(create_outputs(options, terminal));
  if (options.tee == "process") {
    terminal.warning(options.broker.given()
                         ? "SIMULATED TEE: whoever is root here can read the model"
                         : "SIMULATED TEE: this host holds the key, and whoever is root here can "
                           "read the model");
  }
  RunSession session(options, trust, std::move(bundle), start, terminal,
                     supervisor ? &*supervisor : nullptr);
  TRY(session.open().within(printable(options.bundle)));
  TRY(session.run(inputs, outputs, terminal).within(printable(options.bundle)));
  const RunFigures figures = TRY(session.figures());
  for (OutputArray& output : outputs) TRY(output.commit());

  const cli::Json json = figures_json(figures);
  if (!options.counters.empty()) {
    TRY(write_counters(options.counters, json,
                       options.force ? Overwrite::kReplace : Overwrite::kRefuse));
  }
  if (terminal.json()) {
    cli::print_json(terminal, json);
    return done();
  }
  std::ostream& out = takes_stdout(outputs) ? terminal.report_aside() : terminal.report();
  out << figures.rows << " row(s) in " << figures.runs << " run(s)\n";
  print_figures(figures, out);
  return done();
}

}  // namespace

void add_run(CLI::App& app, cli::Job& job) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* verb = app.add_subcommand("run", "Run a sealed model in a TEE on NumPy arrays");
  add_run_options(*verb, *options);
  verb->footer(cli::exit_codes(
      {{ErrorCode::kUsage, "wrong command line, or inputs and outputs the model does not have"},
       {ErrorCode::kIo, "a file cannot be read or written, or the TEE is gone"},
       {ErrorCode::kMalformed, "the bundle, or an array, breaks the rules of its format or shape"},
       {ErrorCode::kUnsupported,
        "it needs a newer sealpack, an operator that is not there, or evidence that this machine "
        "does not give"},
       {ErrorCode::kNotAuthentic, "a signature or a byte is not what it should be"},
       {ErrorCode::kRefused,
        "not trusted, rolled back, more answers than the release allows, or "
        "it opens only in an attested environment"},
       {ErrorCode::kKeyUnavailable, "no key given opens it"},
       {ErrorCode::kTryAgain, "the broker or its store does not answer now"},
       {ErrorCode::kLimit,
        "the cap is too small, with how much is needed; an answer is too large"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return run(*options, terminal); };
  });
}

}  // namespace sealpack::loader
