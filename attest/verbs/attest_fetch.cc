// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <ostream>

#include "attest/fetch/fetch.h"
#include "attest/files/evidence_file.h"
#include "attest/verbs/verbs.h"
#include "formats/cli/help.h"
#include "formats/cli/json_output.h"
#include "formats/files/output_folder.h"

namespace sealpack::attest {
namespace {

struct Options {
  std::string evidence;
  std::string out;
  std::vector<std::string> only;  // names; empty: everything
  FetchOptions fetch;
  HttpOptions http;
  unsigned timeout = 60;
  unsigned longest_wait = 300;
};

Status store(const std::vector<FetchedFile>& files, const std::string& out) {
  constexpr mode_t kFolderMode = 0755;
  constexpr mode_t kFileMode = 0644;
  OutputFolder folder = TRY(OutputFolder::create(out, kFolderMode));
  for (const FetchedFile& file : files) {
    OutputFile output = TRY(folder.create_file(file.name, kFileMode));
    TRY(output.write_at(0, file.content));
    TRY(output.commit());
  }
  return folder.commit();
}

Result<std::vector<FetchItem>> chosen(std::vector<FetchItem> items,
                                      const std::vector<std::string>& only) {
  if (only.empty()) return items;
  std::string names;
  for (const FetchItem& item : items) names += (names.empty() ? "" : ", ") + item.name;
  for (const std::string& name : only) {
    const auto is_it = [&](const FetchItem& item) { return item.name == name; };
    if (std::any_of(items.begin(), items.end(), is_it)) continue;
    return Error(ErrorCode::kUsage, "nothing named " + printable(name) + " is fetched for it")
        .with_hint("for this evidence there are " + names);
  }
  std::erase_if(items, [&](const FetchItem& item) {
    return std::find(only.begin(), only.end(), item.name) == only.end();
  });
  return items;
}

Status fetch_endorsements(const Options& options, cli::Terminal& terminal) {
  const Evidence evidence = TRY(load_evidence(options.evidence));
  const auto items = TRY(chosen(TRY(plan_fetch(evidence, options.fetch)), options.only));
  HttpOptions http = options.http;
  http.timeout = std::chrono::seconds(options.timeout);
  http.longest_wait = std::chrono::seconds(options.longest_wait);
  http.allow_plain =
      options.fetch.base_url.starts_with("http://") || options.fetch.pccs.starts_with("http://");
  HttpsClient client = TRY(HttpsClient::create(http));
  const std::vector<FetchedFile> files = TRY(fetch(items, client));
  TRY(store(files, options.out));
  if (terminal.json()) {
    cli::Json list = cli::Json::array();
    for (const FetchedFile& file : files) {
      list.push_back({{"name", file.name}, {"url", file.url}, {"size", file.content.size()}});
    }
    cli::print_json(terminal, {{"endorsements", options.out}, {"files", list}});
    return done();
  }
  for (const FetchedFile& file : files) {
    terminal.out() << file.name << "  " << format_size(file.content.size()) << "  " << file.url
                   << '\n';
  }
  terminal.note("nothing of this is proven yet: 'sealpack attest verify --endorsements' does that");
  return done();
}

}  // namespace

void add_attest_fetch(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = group.add_subcommand(
      "fetch",
      "Get what proves a report from AMD, Intel or NVIDIA; the one verb that uses the network");
  verb->add_option("EVIDENCE", options->evidence, "File or folder, in any form that is known")
      ->required();
  verb->add_option("--out", options->out, "DIR: the folder of endorsements to make")->required();
  verb->add_option("--only", options->only,
                   "NAME: this document alone, by its name in DIR, as revoked.crl; may be repeated")
      ->allow_extra_args(false);
  verb->add_option("--base-url", options->fetch.base_url,
                   "URL of a mirror instead of the manufacturers' hosts; may be http");
  verb->add_option("--pccs", options->fetch.pccs,
                   "URL of a PCCS for Intel's documents, as in sgx_default_qcnl.conf; may be http");
  verb->add_option("--product", options->fetch.product,
                   "Milan or Genoa, for reports that do not say it");
  verb->add_option("--ca", options->http.ca_file,
                   "Certificate authorities (PEM) for the connection; the system's otherwise");
  verb->add_option("--timeout", options->timeout, "Seconds for one request (60)")
      ->check(CLI::Range(1U, 3600U));
  verb->add_option("--longest-wait", options->longest_wait,
                   "Seconds to wait in all where the service asks to come later (300)")
      ->check(CLI::Range(0U, 86400U));
  verb->footer(cli::help_footer(
      "sealpack attest fetch evidence/ --out endorsements\n"
      "sealpack attest fetch evidence/ --only pck.crl --only root.crl --out lists-of-today",
      "makes DIR with certificates, revocation lists and TCB infos, a file each",
      {{ErrorCode::kUsage, "wrong command line, or nothing to fetch for this TEE"},
       {ErrorCode::kIo, "no answer, another answer than 200, or DIR is taken"},
       {ErrorCode::kMalformed, "evidence or an answer is not what it should be"},
       {ErrorCode::kUnsupported, "a form, an algorithm or a version that is not known"},
       {ErrorCode::kTryAgain, "the service asks to come later"},
       {ErrorCode::kLimit, "an answer is too large"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return fetch_endorsements(*options, terminal); };
  });
}

}  // namespace sealpack::attest
