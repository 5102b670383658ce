// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <ostream>

#include "attest/verbs/evidence_fields.h"
#include "attest/verbs/next_step.h"
#include "attest/verbs/proving.h"
#include "attest/verbs/verbs.h"
#include "formats/cli/help.h"

namespace sealpack::attest {
namespace {

void show_items(const std::vector<DescribedItem>& items, std::ostream& out) {
  for (const DescribedItem& item : items) {
    out << item.kind << "  " << format_size(item.size) << "  sha256 " << to_hex(item.digest.bytes)
        << '\n';
    std::size_t width = 0;
    for (const EvidenceField& field : item.fields) width = std::max(width, field.name.size());
    width = std::min<std::size_t>(width, 40);
    for (const EvidenceField& field : item.fields) {
      const std::size_t gap = width > field.name.size() ? width - field.name.size() : 0;
      out << "  " << field.name << std::string(gap + 2, ' ') << field.value << '\n';
    }
    if (!item.unreadable.empty()) out << "  cannot be read further: " << item.unreadable << '\n';
  }
}

cli::Json items_json(const std::vector<DescribedItem>& items) {
  cli::Json json = cli::Json::array();
  for (const DescribedItem& item : items) {
    cli::Json fields = cli::Json::array();
    for (const EvidenceField& field : item.fields) {
      fields.push_back({{"name", field.name}, {"value", field.value}});
    }
    cli::Json one = {{"kind", item.kind},
                     {"size", item.size},
                     {"sha256", to_hex(item.digest.bytes)},
                     {"fields", fields}};
    if (!item.unreadable.empty()) one["unreadable"] = item.unreadable;
    json.push_back(one);
  }
  return json;
}

void show_verdict(const Proof& proof, std::ostream& out) {
  if (!proof.verdict.accepted()) {
    out << "NOT VERIFIED with these endorsements, because\n";
    for (const Reason& one : proof.verdict.reasons) {
      out << "  " << one.code << ": " << one.text << '\n';
    }
    return;
  }
  out << "VERIFIED: these claims are proven; no policy has judged them\n";
  print_claims(*proof.verdict.claims, out);
}

Status show(const ProvingOptions& options, cli::Terminal& terminal) {
  std::optional<Proof> proof;
  if (asks_for_proof(options)) proof = TRY(prove(options));
  Endorsements beside;
  const Evidence evidence = proof ? proof->evidence : TRY(load_evidence_of(options, beside));
  const std::vector<DescribedItem> items = describe(evidence);
  const bool simulated = evidence.tee == "simulated";
  if (terminal.json()) {
    cli::Json json = {{"tee", evidence.tee},
                      {"simulated", simulated},
                      {"verified", proof && proof->verdict.accepted()},
                      {"items", items_json(items)}};
    if (proof && proof->verdict.accepted()) json["claims"] = claims_json(*proof->verdict.claims);
    if (proof) json["reasons"] = cli::reasons_json(proof->verdict.reasons);
    cli::print_json(terminal, json);
    return done();
  }
  std::ostream& out = terminal.out();
  out << "evidence of " << printable(evidence.tee)
      << (simulated ? ", SIMULATED: protects nothing" : "") << '\n'
      << "UNVERIFIED: anybody can write what follows\n";
  show_items(items, out);
  if (!proof) return done();
  show_verdict(*proof, out);
  const std::string step = step_to_proof(evidence.tee, proof->verdict.reasons);
  if (!step.empty()) terminal.note(step);
  return done();
}

}  // namespace

void add_attest_show(CLI::App& group, cli::Job& job) {
  auto options = std::make_shared<ProvingOptions>();
  CLI::App* verb = group.add_subcommand("show",
                                        "Every field of evidence, unverified; with --endorsements, "
                                        "--roots or --now what is proven too");
  add_evidence_argument(*verb, *options);
  add_proving_options(*verb, *options);
  verb->footer(cli::help_footer(
      "sealpack attest show evidence.bin --json", "",
      {{ErrorCode::kUsage, "wrong command line"},
       {ErrorCode::kIo, "a file cannot be read"},
       {ErrorCode::kMalformed, "no evidence in any form that is known"},
       {ErrorCode::kUnsupported, "a form, an algorithm or a version that is not known"},
       {ErrorCode::kLimit, "a file is larger than it may be"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return show(*options, terminal); };
  });
}

}  // namespace sealpack::attest
