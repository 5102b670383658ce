// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>

#include "formats/cli/interruption.h"
#include "formats/cli/json_output.h"
#include "unpacker/verbs/file_writer.h"
#include "unpacker/verbs/opening.h"
#include "unpacker/verbs/verbs.h"

namespace sealpack::unpacker {
namespace {

struct Options {
  std::string bundle;
  TrustOptions trust;
  std::string out;
  unsigned threads = 0;
};

Status extract(const Options& options, cli::Terminal& terminal) {
  const LoadedTrust trust = TRY(load_trust_options(options.trust));
  const VerifiedBundle bundle = TRY(open_verified(options.bundle, trust));
  std::vector<FileToWrite> files;
  std::uint64_t bytes = 0;
  for (const bundle::PublicFile& file : bundle.content().public_files) {
    const auto number = static_cast<std::uint32_t>(files.size());
    files.push_back({file.path, {{number, 0, file.size}}});
    bytes += file.size;
  }
  const cli::Interruption interruption;  // the folder is removed before it ends
  OutputFolder folder = TRY(OutputFolder::create(options.out, 0755));
  cli::Progress progress(terminal, "extract", bytes);
  WriteOptions write;
  write.mode = 0644;
  write.threads = thread_count(options.threads);
  write.progress = [&](std::uint64_t amount) { progress.add(amount); };
  TRY(write_files(
          bundle, files, [&] { return FileReader(bundle); }, folder, write)
          .within(printable(options.bundle)));
  TRY(folder.commit());
  progress.finish();
  if (terminal.json()) {
    cli::print_json(terminal, {{"out", options.out}, {"files", files.size()}, {"bytes", bytes}});
    return done();
  }
  terminal.report() << files.size() << " public file(s), " << format_size(bytes) << ", in "
                    << printable(options.out) << '\n';
  if (files.empty()) terminal.note("the bundle has no public part: everything is sealed");
  return done();
}

}  // namespace

void add_extract(CLI::App& app, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("extract", "Write the public files, verified, to a folder");
  add_bundle_argument(*verb, options->bundle);
  add_trust_options(*verb, options->trust, TrustNeed::kRequired);
  verb->add_option("--out", options->out, "Folder to make")->required();
  add_threads_option(*verb, options->threads);
  verb->footer(cli::exit_codes(
      {{ErrorCode::kUsage, "wrong command line or trust file"},
       {ErrorCode::kIo, "a file cannot be read or written, or the folder exists"},
       {ErrorCode::kMalformed, "the bundle breaks the rules of its format"},
       {ErrorCode::kUnsupported, "it needs a newer sealpack"},
       {ErrorCode::kNotAuthentic, "a signature or a byte is not what it should be"},
       {ErrorCode::kRefused, "authentic, but expired, revoked, rolled back or not trusted"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return extract(*options, terminal); };
  });
}

}  // namespace sealpack::unpacker
