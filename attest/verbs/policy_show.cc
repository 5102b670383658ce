// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>

#include "attest/policy/policy_file.h"
#include "attest/policy/relaxations.h"
#include "attest/verbs/verbs.h"
#include "formats/cli/help.h"
#include "formats/cli/json_output.h"
#include "formats/files/file_source.h"
#include "unpacker/verbs/opening.h"

namespace sealpack::attest {
namespace {

struct Options {
  std::string path;
  unpacker::TrustOptions trust;
};

// A policy and how far it can be believed.
struct ShownPolicy {
  policy::PolicyFile file;
  std::string standing;  // "a policy file", "signed", "claimed"
};

Result<bool> is_bundle(const std::string& path) {
  const auto source = TRY(FileSource::open(path));
  constexpr std::uint64_t kMagicAt = 257;
  constexpr std::string_view kMagic = "ustar";
  std::array<std::uint8_t, kMagic.size()> magic{};
  if (source->size() < kMagicAt + magic.size()) return false;
  TRY(source->read_at(kMagicAt, magic));
  return as_text(magic) == kMagic;
}

Result<ShownPolicy> load(const Options& options) {
  if (!TRY(is_bundle(options.path))) {
    return ShownPolicy{TRY(policy::load_policy(options.path)), "a policy file"};
  }
  ShownPolicy shown;
  if (options.trust.given()) {
    const auto trust = TRY(unpacker::load_trust_options(options.trust));
    const auto bundle = TRY(unpacker::open_verified(options.path, trust));
    shown = {{bundle.release().policy, bundle.release().answer}, "signed by whom --trust names"};
  } else {
    const auto bundle = TRY(unpacker::open_unverified(options.path));
    const auto claimed = TRY(bundle.claimed_without_proof().within(printable(options.path)));
    shown = {{claimed.release.policy, claimed.release.answer},
             "CLAIMED by the bundle, unverified without --trust"};
  }
  TRY(policy::check_policy(shown.file.policy).within(printable(options.path)));
  return shown;
}

Status show(const Options& options, cli::Terminal& terminal) {
  const ShownPolicy shown = TRY(load(options));
  const std::vector<std::string> lines = policy::explain(shown.file.policy);
  const std::vector<std::string> relaxed = policy::relaxations(shown.file.policy);
  if (terminal.json()) {
    cli::Json json = {{"policy", lines}, {"standing", shown.standing}, {"relaxed", relaxed}};
    json["answer"] = shown.file.answer ? cli::Json(policy::explain(*shown.file.answer)) : nullptr;
    cli::print_json(terminal, json);
    return done();
  }
  std::ostream& out = terminal.out();
  out << "standing     " << shown.standing << '\n';
  for (const std::string& line : lines) out << "policy       " << line << '\n';
  if (shown.file.answer) out << "answer       " << policy::explain(*shown.file.answer) << '\n';
  for (const std::string& line : relaxed) out << "relaxed      " << line << '\n';
  if (relaxed.empty()) out << "relaxed      nothing\n";
  return done();
}

// Whether it can be used, and nothing more.
Status check(const std::string& path, cli::Terminal& terminal) {
  const policy::PolicyFile file = TRY(policy::load_policy(path));
  TRY(policy::check_policy(file.policy));
  const std::vector<std::string> relaxed = policy::relaxations(file.policy);
  if (terminal.json()) {
    cli::print_json(
        terminal,
        {{"valid", true}, {"environments", file.policy.environments.size()}, {"relaxed", relaxed}});
    return done();
  }
  terminal.out() << "OK " << printable(path) << ": " << file.policy.environments.size()
                 << " environment(s), " << relaxed.size() << " relaxed\n";
  for (const std::string& line : relaxed) terminal.out() << "relaxed      " << line << '\n';
  return done();
}

}  // namespace

void add_policy_show(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = group.add_subcommand(
      "show", "Say in lines for people whom a policy lets in, and what it relaxes");
  verb->add_option("POLICY", options->path, "P.toml, or a bundle")->required();
  unpacker::add_trust_options(*verb, options->trust, unpacker::TrustNeed::kOptional);
  verb->footer(cli::help_footer(
      "sealpack policy show policy.toml\nsealpack policy show model.seal", "",
      {{ErrorCode::kUsage, "wrong command line"},
       {ErrorCode::kIo, "a file cannot be read"},
       {ErrorCode::kMalformed, "neither a policy nor a bundle"},
       {ErrorCode::kUnsupported, "a form, an algorithm or a version that is not known"},
       {ErrorCode::kNotAuthentic, "the bundle is not what it should be"},
       {ErrorCode::kRefused, "the trust refuses the bundle"},
       {ErrorCode::kLimit, "a file is larger than it may be"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return show(*options, terminal); };
  });
}

void add_policy_check(CLI::App& group, cli::Job& job) {
  auto path = std::make_shared<std::string>();
  CLI::App* verb =
      group.add_subcommand("check", "Whether a policy file can be used; names what it relaxes");
  verb->add_option("POLICY", *path, "P.toml")->required();
  verb->footer(cli::help_footer(
      "sealpack policy check policy.toml", "",
      {{ErrorCode::kUsage, "it accepts nobody, or is silent on a claim"},
       {ErrorCode::kIo, "the file cannot be read"},
       {ErrorCode::kMalformed, "not of the schema"},
       {ErrorCode::kUnsupported, "a form, an algorithm or a version that is not known"},
       {ErrorCode::kLimit, "a file is larger than it may be"}}));
  verb->callback(
      [path, &job] { job = [path](cli::Terminal& terminal) { return check(*path, terminal); }; });
}

}  // namespace sealpack::attest
