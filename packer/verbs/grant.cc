// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>
#include <ostream>

#include "formats/bundle/encode.h"
#include "formats/cli/json_output.h"
#include "formats/files/file_source.h"
#include "packer/core/reseal.h"
#include "packer/verbs/unlock.h"
#include "packer/verbs/verbs.h"

namespace sealpack::packer {
namespace {

struct Options {
  std::string bundle;
  unpacker::TrustOptions trust;
  unpacker::KeyOptions keys;
  std::string to;
  std::string out;
  bool force = false;
};

// D.grant for D.pub, in the current folder.
std::string default_output(const std::string& to) {
  return std::filesystem::path(to).filename().replace_extension(".grant").string();
}

Status write_grant(const bundle::Grant& grant, const std::string& path, bool force) {
  OutputFile out =
      TRY(OutputFile::create(path, force ? Overwrite::kReplace : Overwrite::kRefuse, 0644));
  TRY(out.write_at(0, bundle::serialize_grant(grant)));
  return out.commit();
}

Status grant(const Options& options, cli::Terminal& terminal) {
  const auto passphrases = passphrases_of(options.keys);
  std::vector<Recipient> to;
  to.push_back(TRY(named_recipient(options.to, *passphrases)));
  const std::string out = options.out.empty() ? default_output(options.to) : options.out;
  const std::string name = printable(options.bundle);
  const BundleToChange bundle =
      TRY(load_for_change(TRY(FileSource::open(options.bundle)), options.trust, {}).within(name));
  if (bundle.proof == Proof::kNone) {
    terminal.warning("the release and its policy are not verified; --trust does that first");
  }
  TRY(check_recipients(bundle.release, to));
  const crypto::ContentKey key = TRY(unlock(bundle, options.keys).within(name));
  bundle::Grant grant;
  grant.uuid = bundle.content.uuid;
  grant.content_digest = bundle.release.content_digest;
  grant.slot = TRY(wrap_slot(to[0], bundle.binding(), key).within(to[0].label));
  TRY(write_grant(grant, out, options.force));
  if (has_slot_for(bundle.head.head.slots, to[0])) {
    terminal.note(to[0].label + " has a slot in the bundle itself already");
  }

  const char* slot_class = unpacker::to_string(grant.slot.slot_class);
  if (terminal.json()) {
    cli::print_json(terminal, {{"grant", out},
                               {"class", slot_class},
                               {"kind", bundle::to_string(grant.slot.kind)},
                               {"content_digest", cli::json_digest(grant.content_digest)},
                               {"verified", bundle.proof != Proof::kNone}});
    return done();
  }
  terminal.report() << "grant    " << printable(out) << "\nfor      " << to[0].label << ", "
                    << slot_class << ' ' << bundle::to_string(grant.slot.kind) << "\ncontent  "
                    << cli::json_digest(grant.content_digest) << '\n';
  return done();
}

}  // namespace

void add_grant(CLI::App& app, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand(
      "grant",
      "Let one more recipient open a bundle, by a file of its own; the bundle stays as it is");
  unpacker::add_bundle_argument(*verb, options->bundle);
  unpacker::add_key_options(*verb, options->keys, true);
  verb->add_option("--to", options->to, "Recipient: a .pub file, a symmetric .key, passphrase:FILE")
      ->type_name("D.pub")
      ->required();
  verb->add_option("-o,--out", options->out, "Grant to write (default: D.grant)")
      ->type_name("FILE");
  verb->add_flag("--force", options->force, "Replace an existing grant");
  unpacker::add_trust_options(*verb, options->trust, unpacker::TrustNeed::kOptional);
  verb->footer(cli::exit_codes(
      {{ErrorCode::kUsage, "wrong command line, or a key of the wrong role"},
       {ErrorCode::kIo, "a file cannot be read or written, or the grant exists"},
       {ErrorCode::kMalformed, "the bundle breaks the rules of its format"},
       {ErrorCode::kNotAuthentic, "with --trust: a signature does not hold"},
       {ErrorCode::kRefused, "the policy does not admit this recipient, or not this key here"},
       {ErrorCode::kKeyUnavailable, "no key given opens the bundle"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return grant(*options, terminal); };
  });
}

}  // namespace sealpack::packer
