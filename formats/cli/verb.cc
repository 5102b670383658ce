// SPDX-License-Identifier: Apache-2.0
#include "formats/cli/verb.h"

#include <algorithm>
#include <exception>
#include <iostream>
#include <sstream>

#include "formats/cli/interruption.h"

namespace sealpack::cli {
namespace {

int fail(Terminal& terminal, const Error& error) {
  terminal.error(error);
  return static_cast<int>(error.code());
}

struct Switches {
  bool quiet = false;
  bool json = false;
};

bool is_group(const CLI::App& verb) {
  return !verb.get_subcommands([](const CLI::App*) { return true; }).empty();
}

// What every verb takes. On the verbs themselves, so that their help lists it.
void add_switches(CLI::App& app, Switches& switches) {
  for (CLI::App* verb : app.get_subcommands([](CLI::App*) { return true; })) {
    add_switches(*verb, switches);
    if (is_group(*verb)) continue;
    if (verb->get_option_no_throw("--json") == nullptr) {
      verb->add_flag("--json", switches.json, "Result, or error, as JSON on stdout");
    }
    verb->add_flag(
        "-q,--quiet", switches.quiet,
        "Errors and warnings alone: no notes, no progress bar, no account of what was done");
  }
}

// A command line that does not parse may ask for JSON all the same.
bool mentions_json(int argc, const char* const* argv) {
  return std::any_of(argv + 1, argv + argc,
                     [](const char* argument) { return std::string_view(argument) == "--json"; });
}

// Whether an option that takes a value was given an empty one.
bool is_left_empty(const CLI::Option& option) {
  if (option.get_positional() || option.get_expected_max() == 0) return false;
  const std::vector<std::string>& values = option.results();
  return std::find(values.begin(), values.end(), "") != values.end();
}

// An option without its value is not one that was left out: of a script, whose variable is not set,
// `--report-data "$NONCE"` must not compare nothing.
Status check_values(const CLI::App& app) {
  for (const CLI::App* verb : app.get_subcommands()) TRY(check_values(*verb));
  for (const CLI::Option* option : app.get_options()) {
    if (!is_left_empty(*option)) continue;
    return Error(ErrorCode::kUsage, option->get_name() + " is given, and its value is empty");
  }
  return done();
}

// What is wrong with a command line that CLI11 does not take.
Error wrong_command_line(const CLI::App& app, const CLI::ParseError& error, int argc,
                         const char* const* argv) {
  const CLI::App* verb = &app;
  std::string words;  // the verb, as far as it is one
  int next = 1;
  while (!verb->get_subcommands().empty()) {
    verb = verb->get_subcommands().front();
    words += verb->get_name() + " ";
    ++next;
  }
  const std::string help = "sealpack " + words + "--help ";
  if (is_group(*verb) && next < argc && argv[next][0] != '-') {
    return Error(ErrorCode::kUsage, "there is no verb " + printable(words + argv[next]))
        .with_hint(help + "lists the verbs");
  }
  return Error(ErrorCode::kUsage, error.what()).with_hint(help + "says what it takes");
}

}  // namespace

std::string exit_codes(std::initializer_list<std::pair<ErrorCode, const char*>> codes) {
  std::ostringstream text;
  text << "Exit status:\n  0   done\n";
  for (const auto& [code, meaning] : codes) {
    const std::string number = std::to_string(static_cast<int>(code));
    text << "  " << number << std::string(4 - number.size(), ' ') << meaning << '\n';
  }
  return text.str();
}

int run(int argc, const char* const* argv, const std::string& description,
        std::span<const AddVerb> verbs, Terminal& terminal) {
  CLI::App app{description, "sealpack"};
  Job job;
  Switches switches;
  app.set_version_flag("--version", SEALPACK_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  for (const AddVerb add : verbs) add(app, job);
  add_switches(app, switches);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success, terminal.out(), terminal.err());
  } catch (const CLI::ParseError& error) {
    terminal.set_json(mentions_json(argc, argv));
    return fail(terminal, wrong_command_line(app, error, argc, argv));
  }
  terminal.set_quiet(switches.quiet);
  terminal.set_json(switches.json);
  if (const Status values = check_values(app); !values.ok()) return fail(terminal, values.error());
  try {
    const Status status = job(terminal);
    if (!status.ok()) {
      const int exit_status = fail(terminal, status.error());
      end_if_interrupted();
      return exit_status;
    }
  } catch (const std::exception& error) {  // what the standard library or CLI11 throws is our bug
    return fail(terminal, Error(ErrorCode::kInternal, error.what()));
  }
  terminal.out().flush();
  if (!terminal.out()) {
    end_if_nobody_reads();
    return fail(terminal, Error(ErrorCode::kIo, "cannot write the output"));
  }
  return 0;
}

}  // namespace sealpack::cli
