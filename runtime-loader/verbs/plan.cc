// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>

#include "formats/cli/verb.h"
#include "formats/files/glob.h"
#include "formats/files/output_file.h"
#include "runtime-loader/verbs/plan_report.h"
#include "runtime-loader/verbs/verbs.h"

namespace sealpack::plan {
namespace {

constexpr std::size_t kMostCandidates = 96;
constexpr std::size_t kMostShown = 16;

Status check_arguments(const PlanArguments& arguments) {
  if (arguments.model.empty() && !arguments.calibrate) {
    return Error(ErrorCode::kUsage, "no model given").with_hint("sealpack plan MODEL.onnx");
  }
  if (arguments.out.empty() != arguments.choose.empty()) {
    return Error(ErrorCode::kUsage, "--choose ID and --out P.plan belong together");
  }
  return done();
}

Result<PlanOptions> options_of(const PlanArguments& arguments, const nn::Graph& graph,
                               const Calibration& calibration) {
  PlanOptions options;
  options.target = TRY(find_target(arguments.target));
  options.memory = options.target->secure_memory;
  if (!arguments.memory.empty()) {
    options.memory = TRY(cli::parse_cap(arguments.memory, "--tee-memory"));
  }
  options.switch_cost = options.target->switch_cost;
  if (options.switch_cost == 0) options.switch_cost = calibration.process_switch;
  if (!arguments.switch_cost.empty()) {
    const std::string& text = arguments.switch_cost;
    if (text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos) {
      return Error(ErrorCode::kUsage, "--switch-cost takes whole microseconds");
    }
    options.switch_cost = 1e-6 * static_cast<double>(std::stoull(text));
  }
  options.calibration = calibration;
  options.sizes = TRY(parse_sizes(arguments.sizes, graph));
  return options;
}

// All of the model, and what --protect asks for or everything that can be done.
Result<std::vector<Candidate>> candidates_of(const PlanArguments& arguments, const Planner& planner,
                                             std::uint64_t memory) {
  if (arguments.protect.empty()) return enumerate(planner.flow(), kMostCandidates);
  const Protect protect = TRY(parse_protect(arguments.protect));
  std::vector<Candidate> list = {
      TRY(candidate_for(planner.flow(), parse_protect("all").value(), nullptr))};
  if (protect.kind == Protect::Kind::kAll) return list;
  const bool is_glob = protect.kind == Protect::Kind::kMatching;
  const Glob glob = TRY(Glob::parse(is_glob ? protect.text : "*"));
  Candidate wanted = TRY(candidate_for(
      planner.flow(), protect, [&](const std::string& name) { return glob.matches(name); }));
  if (wanted.whole) return list;
  // What was asked for fails loudly.
  TRY(planner.evaluate(wanted, memory).within("--protect " + printable(protect.text)));
  wanted.asked = true;
  list.push_back(std::move(wanted));
  return list;
}

// Also one that is not listed: what is listed depends on measurements, what an id names does not.
Result<const Choice*> chosen(const std::string& id, const PlanResult& result) {
  for (const auto* list : {&result.choices, &result.left_out}) {
    for (const Choice& choice : *list) {
      if (choice.id == id) return &choice;
    }
  }
  return Error(ErrorCode::kUsage, "--choose " + printable(id) + ": no such choice")
      .with_hint("by its id, the first column of the table");
}

Status write_text(const std::string& path, const std::string& text, bool force) {
  OutputFile out =
      TRY(OutputFile::create(path, force ? Overwrite::kReplace : Overwrite::kRefuse, 0644));
  TRY(out.write_at(0, as_bytes(text)));
  return out.commit();
}

Status run_plan(const PlanArguments& arguments, cli::Terminal& terminal) {
  TRY(check_arguments(arguments));
  if (arguments.model.empty()) {
    TRY(load_calibration(arguments, terminal));
    return done();
  }
  const LoadedModel model = TRY(load_model(arguments.model));
  const std::optional<Scores> scores =
      arguments.score.empty() ? std::nullopt : std::optional(TRY(load_scores(arguments.score)));
  const LoadedCalibration calibration = TRY(load_calibration(arguments, terminal));
  const PlanOptions options =
      TRY(options_of(arguments, *model.model.graph, calibration.calibration));
  const Planner planner = TRY(Planner::create(model.model, options));
  const auto candidates = TRY(candidates_of(arguments, planner, options.memory));
  const PlanResult result = TRY(planner.search(candidates, kMostShown));
  if (result.choices.empty()) {
    return Error(ErrorCode::kLimit,
                 "no division runs in " + format_size(options.memory) + ": " + result.all_refused)
        .with_hint("--tee-memory says how much there is");
  }
  const PlanReport report = {
      &model, &options, &calibration, &result, scores ? &*scores : nullptr, planner.layer_count()};
  if (!arguments.svg.empty()) {
    TRY(write_text(arguments.svg, plan_svg(report), arguments.force));
  }
  if (!arguments.choose.empty()) {
    const Choice& choice = *TRY(chosen(arguments.choose, result));
    TRY(write_text(arguments.out, serialize_plan(planner.file_of(choice, model.name, model.digest)),
                   arguments.force));
    terminal.note(printable(arguments.out) + ": " + choice.candidate.label);
    if (choice.is_oracle || choice.goes_back) {
      terminal.warning("this choice is an extraction oracle; building it needs --accept-oracle");
    }
  }
  if (terminal.json()) {
    cli::print_json(terminal, plan_json(report));
  } else {
    print_plan(report, terminal.out());
  }
  return done();
}

void add_options(CLI::App& verb, PlanArguments& arguments) {
  verb.add_option("model", arguments.model, "ONNX file, or a folder or archive with one");
  verb.add_option("--target", arguments.target, "process (default), op-tee, sgx or cvm")
      ->type_name("TEE");
  verb.add_option("--tee-memory", arguments.memory,
                  "Secure memory, such as 16MiB, or none for no limit (default: the target's)")
      ->type_name("SIZE");
  verb.add_option("--protect", arguments.protect,
                  "What must be inside: all, last:N, first:N (layers with weights), or a glob over "
                  "nodes and weights (default: show the choices)")
      ->type_name("WHAT");
  verb.add_option("--size", arguments.sizes, "Size of an open dimension of the inputs (default 1)")
      ->type_name("NAME=N")
      ->allow_extra_args(false)
      ->take_all();
  verb.add_option("--switch-cost", arguments.switch_cost, "Into the TEE and back, in microseconds")
      ->type_name("N");
  verb.add_flag("--calibrate", arguments.calibrate, "Measure this machine and keep the result");
  verb.add_option("--calibration", arguments.calibration,
                  "File of measurements (default: sealpack/calibration.toml in the user's cache)")
      ->type_name("FILE");
  verb.add_option("--score", arguments.score,
                  "CSV with more columns: choice,accuracy,stolen_accuracy")
      ->type_name("FILE");
  verb.add_option("--choose", arguments.choose, "Write down the choice of this id")
      ->type_name("ID");
  verb.add_option("--out", arguments.out, "File for the choice, for 'sealpack build --plan'")
      ->type_name("P.plan");
  verb.add_option("--svg", arguments.svg, "Draw the choices")->type_name("FILE");
  verb.add_flag("--force", arguments.force, "Replace files that exist");
}

}  // namespace

void add_plan(CLI::App& app, cli::Job& job) {
  auto arguments = std::make_shared<PlanArguments>();
  CLI::App* verb = app.add_subcommand(
      "plan", "Estimate what running some or all layers of a model in a TEE costs and is worth");
  add_options(*verb, *arguments);
  verb->footer(cli::exit_codes(
      {{ErrorCode::kUsage, "an unknown target, layer, choice or dimension"},
       {ErrorCode::kIo, "reading or writing failed, or the output exists"},
       {ErrorCode::kMalformed, "the model, a calibration or a score file breaks its rules"},
       {ErrorCode::kUnsupported, "the loader cannot run the model, or divide it there"},
       {ErrorCode::kLimit, "nothing runs in so little memory"}}));
  verb->callback([arguments, &job] {
    job = [arguments](cli::Terminal& terminal) { return run_plan(*arguments, terminal); };
  });
}

}  // namespace sealpack::plan
