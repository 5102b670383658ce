// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <ostream>

#include "formats/cli/interruption.h"
#include "formats/cli/json_output.h"
#include "formats/files/glob.h"
#include "unpacker/core/card_check.h"
#include "unpacker/verbs/file_writer.h"
#include "unpacker/verbs/opening.h"
#include "unpacker/verbs/verbs.h"

namespace sealpack::unpacker {
namespace {

struct Options {
  std::string bundle;
  TrustOptions trust;
  KeyOptions keys;
  std::vector<std::string> only;
  std::string out;
  unsigned threads = 0;
};

// The originals that --only names; each glob must name one.
Result<std::vector<FileToWrite>> choose_files(const std::vector<bundle::OriginalFile>& originals,
                                              const std::vector<std::string>& only) {
  std::vector<bool> wanted(originals.size(), only.empty());
  for (const std::string& text : only) {
    Result<Glob> glob = Glob::parse(text);
    if (!glob.ok()) return Error(ErrorCode::kUsage, "--only: " + glob.error().message());
    bool any = false;
    for (std::size_t i = 0; i < originals.size(); ++i) {
      if (!glob->matches(originals[i].path)) continue;
      any = wanted[i] = true;
    }
    if (any) continue;
    return Error(ErrorCode::kUsage, "--only " + printable(text) + " matches no file")
        .with_hint("it is compared with paths of the original model; sealpack inspect lists them");
  }
  std::vector<FileToWrite> files;
  for (std::size_t i = 0; i < originals.size(); ++i) {
    if (wanted[i]) files.push_back({originals[i].path, originals[i].extents});
  }
  return files;
}

Status write_originals(const Options& options, const OpenBundle& open,
                       const std::vector<FileToWrite>& files, std::uint64_t bytes,
                       cli::Terminal& terminal) {
  const cli::Interruption interruption;  // the folder is removed before it ends
  OutputFolder folder = TRY(OutputFolder::create(options.out, 0700));
  cli::Progress progress(terminal, "unseal", bytes);
  WriteOptions write;
  write.mode = 0600;
  write.threads = thread_count(options.threads);
  write.progress = [&](std::uint64_t amount) { progress.add(amount); };
  TRY(write_files(
      open.verified(), files, [&] { return FileReader(open); }, folder, write));
  return folder.commit();
}

Status unseal(const Options& options, cli::Terminal& terminal) {
  const LoadedTrust trust = TRY(load_trust_options(options.trust));
  VerifiedBundle bundle = TRY(open_verified(options.bundle, trust));
  const std::vector<FileToWrite> files =
      TRY(choose_files(bundle.content().originals, options.only));
  const OpenBundle open =
      TRY(open_with_keys(std::move(bundle), options.keys).within(printable(options.bundle)));
  {
    FileReader reader(open);
    TRY(check_card(open.verified().content(), reader).within(printable(options.bundle)));
  }
  std::uint64_t bytes = 0;
  for (const FileToWrite& file : files) bytes += file.size();
  TRY(write_originals(options, open, files, bytes, terminal).within(printable(options.bundle)));

  const std::size_t excluded = open.verified().content().excluded.size();
  if (terminal.json()) {
    cli::print_json(
        terminal,
        {{"out", options.out}, {"files", files.size()}, {"bytes", bytes}, {"excluded", excluded}});
  } else {
    terminal.report() << files.size() << " file(s), " << format_size(bytes) << ", in "
                      << printable(options.out) << '\n';
  }
  if (excluded != 0) {
    terminal.note(std::to_string(excluded) + " file(s) of the original were never packed");
  }
  terminal.warning("the plaintext of the sealed part now lies on disk in " +
                   printable(options.out) + "; nothing protects it but its permissions");
  return done();
}

}  // namespace

void add_unseal(CLI::App& app, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("unseal", "Write the original model files, byte for byte");
  add_bundle_argument(*verb, options->bundle);
  add_trust_options(*verb, options->trust, TrustNeed::kRequired);
  add_key_options(*verb, options->keys, true);
  verb->add_option("--only", options->only, "Only original files that match; may be repeated")
      ->type_name("GLOB")
      ->allow_extra_args(false)
      ->take_all();
  verb->add_option("--out", options->out, "Folder to make (mode 0700)")->required();
  add_threads_option(*verb, options->threads);
  verb->footer(cli::exit_codes(
      {{ErrorCode::kUsage, "wrong command line, trust file or glob"},
       {ErrorCode::kIo, "a file cannot be read or written, or the folder exists"},
       {ErrorCode::kMalformed, "the bundle breaks the rules of its format"},
       {ErrorCode::kUnsupported, "it needs a newer sealpack"},
       {ErrorCode::kNotAuthentic, "a signature or a byte is not what it should be"},
       {ErrorCode::kRefused, "not trusted, or opens only in an attested environment"},
       {ErrorCode::kKeyUnavailable, "no key given opens it"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return unseal(*options, terminal); };
  });
}

}  // namespace sealpack::unpacker
