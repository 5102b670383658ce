// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <ostream>

#include "attest/policy/policy_file.h"
#include "unpacker/verbs/bundle_report.h"
#include "unpacker/verbs/content_key.h"
#include "unpacker/verbs/text_cells.h"
#include "unpacker/verbs/verbs.h"

namespace sealpack::unpacker {
namespace {

using cli::Json;

struct Options {
  std::string a;
  std::string b;
  TrustOptions trust;
};

// One thing that is not the same. `a` or `b` is empty where it exists on one side alone.
struct Difference {
  std::string what;    // "counter", "sealed file", "tensor"
  std::string name;    // of the file or tensor
  std::string change;  // "added", "removed", "changed", "re-encrypted"
  std::string a;
  std::string b;
};
using Differences = std::vector<Difference>;

// Fields that are one text each.
class FieldDiff {
 public:
  explicit FieldDiff(Differences& out) : out_(out) {}
  void compare(const std::string& what, const std::string& a, const std::string& b) {
    if (a != b) out_.push_back({what, "", "changed", a, b});
  }

 private:
  Differences& out_;
};

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "; ") + line;
  return text;
}

std::string licence_text(const std::string& licence) {
  return licence.empty() ? "none" : "sha256:" + to_hex(crypto::sha256(as_bytes(licence)).bytes);
}

std::string escrow_text(const std::optional<bundle::Escrow>& escrow) {
  return escrow ? cli::json_digest(escrow->key) + " " + printable(escrow->because) : "none";
}

void compare_releases(const InspectedBundle& a, const InspectedBundle& b, Differences& out) {
  FieldDiff fields(out);
  const bundle::Release& x = a.release;
  const bundle::Release& y = b.release;
  fields.compare("product", printable(x.product), printable(y.product));
  fields.compare("version", printable(x.version), printable(y.version));
  fields.compare("counter", std::to_string(x.counter), std::to_string(y.counter));
  fields.compare("validity", validity_text(x), validity_text(y));
  fields.compare("loader level", std::to_string(x.min_loader), std::to_string(y.min_loader));
  fields.compare("policy", joined(policy::explain(x.policy)), joined(policy::explain(y.policy)));
  fields.compare("answer", policy::explain(x.answer), policy::explain(y.answer));
  fields.compare("licence", licence_text(x.licence), licence_text(y.licence));
  fields.compare("escrow", escrow_text(x.escrow), escrow_text(y.escrow));
  fields.compare("content digest", cli::json_digest(x.content_digest),
                 cli::json_digest(y.content_digest));
  fields.compare("content key", to_hex(x.key_commitment.bytes), to_hex(y.key_commitment.bytes));
  fields.compare("authority", cli::json_digest(a.content.authority),
                 cli::json_digest(b.content.authority));
  fields.compare("scheme", cell(a.content.plan.scheme), cell(b.content.plan.scheme));
  fields.compare("recipients", describe_slots(a.head.head.slots),
                 describe_slots(b.head.head.slots));
  const auto& s = a.head.head;
  const auto& t = b.head.head;
  if (s.slots != t.slots && describe_slots(s.slots) == describe_slots(t.slots)) {
    out.push_back({"recipients", "", "changed", "slots", "other slots of the same kinds"});
  }
  if (s.release.signatures != t.release.signatures && x == y) {
    out.push_back({"signatures", "", "changed", std::to_string(s.release.signatures.size()),
                   std::to_string(t.release.signatures.size())});
  }
}

// Merges two lists by key and reports what is on one side alone, or differs as `describe` says:
// the pair of texts and the kind of change, nullopt when the same.
template <typename Map, typename Describe>
void compare_maps(const std::string& what, const Map& a, const Map& b, Differences& out,
                  Describe describe) {
  for (const auto& [name, value] : a) {
    const auto other = b.find(name);
    if (other == b.end()) {
      out.push_back({what, name, "removed", "", ""});
    } else if (std::optional<Difference> difference = describe(*value, *other->second)) {
      difference->what = what;
      difference->name = name;
      out.push_back(std::move(*difference));
    }
  }
  for (const auto& [name, value] : b) {
    if (!a.contains(name)) out.push_back({what, name, "added", "", ""});
  }
}

template <typename List>
auto by_path(const List& list) {
  std::map<std::string, const typename List::value_type*> map;
  for (const auto& item : list) map[item.path] = &item;
  return map;
}

void compare_public_files(const bundle::Content& a, const bundle::Content& b, Differences& out) {
  compare_maps(
      "public file", by_path(a.public_files), by_path(b.public_files), out,
      [](const bundle::PublicFile& x, const bundle::PublicFile& y) {
        std::optional<Difference> difference;
        if (x == y) return difference;
        difference = Difference{"", "", "changed", format_size(x.size), format_size(y.size)};
        return difference;
      });
}

// Whether the plaintext is the same cannot be known: equal models encrypt differently each time.
void compare_sealed_files(const bundle::Content& a, const bundle::Content& b, Differences& out) {
  compare_maps("sealed file", by_path(a.sealed_files), by_path(b.sealed_files), out,
               [](const bundle::SealedFile& x, const bundle::SealedFile& y) {
                 std::optional<Difference> difference;
                 if (x == y) return difference;
                 std::size_t same = 0;
                 const std::size_t shared = std::min(x.segments.size(), y.segments.size());
                 for (std::size_t i = 0; i < shared; ++i) {
                   if (x.segments[i] == y.segments[i]) ++same;
                 }
                 const std::string unit = " segments with identical ciphertext";
                 difference = Difference{"", "", x.size() == y.size() ? "re-encrypted" : "changed",
                                         format_size(x.size()),
                                         format_size(y.size()) + ", " + std::to_string(same) +
                                             " of " + std::to_string(y.segments.size()) + unit};
                 return difference;
               });
}

std::map<std::string, const bundle::CardTensor*> named_tensors(const bundle::Content& content) {
  std::map<std::string, const bundle::CardTensor*> map;
  for (const bundle::CardTensor& tensor : content.card.tensors) {
    if (!tensor.name.empty()) map[path_of(content, tensor.file) + ": " + tensor.name] = &tensor;
  }
  return map;
}

void compare_tensors(const bundle::Content& a, const bundle::Content& b, Differences& out) {
  FieldDiff(out).compare("redaction", to_string(a.card.redaction), to_string(b.card.redaction));
  compare_maps("tensor", named_tensors(a), named_tensors(b), out,
               [](const bundle::CardTensor& x, const bundle::CardTensor& y) {
                 std::optional<Difference> difference;
                 if (x.dtype == y.dtype && x.shape == y.shape) return difference;
                 difference =
                     Difference{"", "", "changed", cell(x.dtype) + " " + shape_text(x.shape),
                                cell(y.dtype) + " " + shape_text(y.shape)};
                 return difference;
               });
}

Json to_json(const InspectedBundle& a, const InspectedBundle& b, const Differences& differences) {
  Json list = Json::array();
  for (const Difference& one : differences) {
    list.push_back({{"what", one.what},
                    {"name", one.name},
                    {"change", one.change},
                    {"a", one.a},
                    {"b", one.b}});
  }
  return {{"a", a.path},
          {"b", b.path},
          {"verified", a.verified},
          {"identical", differences.empty()},
          {"same_content", a.release.content_digest == b.release.content_digest},
          {"differences", std::move(list)}};
}

void print(const InspectedBundle& a, const Differences& differences, std::ostream& out) {
  out << (a.verified ? "VERIFIED: both\n" : "CLAIMED: nobody vouches for either yet\n");
  if (differences.empty()) {
    out << "identical\n";
    return;
  }
  for (const Difference& one : differences) {
    out << one.what << (one.name.empty() ? "" : " " + printable(one.name)) << ' ' << one.change;
    if (!one.a.empty() || !one.b.empty()) out << ": " << one.a << " -> " << one.b;
    out << '\n';
  }
}

Status diff(const Options& options, cli::Terminal& terminal) {
  const InspectedBundle a = TRY(load_inspected(options.a, options.trust));
  const InspectedBundle b = TRY(load_inspected(options.b, options.trust));
  Differences differences;
  compare_releases(a, b, differences);
  compare_public_files(a.content, b.content, differences);
  compare_sealed_files(a.content, b.content, differences);
  compare_tensors(a.content, b.content, differences);
  if (terminal.json()) {
    cli::print_json(terminal, to_json(a, b, differences));
  } else {
    print(a, differences, terminal.out());
  }
  return done();
}

}  // namespace

void add_diff(CLI::App& app, cli::Job& job) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand(
      "diff", "Show what differs between two bundles; prints 'identical' when nothing does");
  verb->add_option("A", options->a, "A bundle")->required();
  verb->add_option("B", options->b, "Another")->required();
  add_trust_options(*verb, options->trust, TrustNeed::kOptional);
  verb->footer(cli::exit_codes(
      {{ErrorCode::kUsage, "wrong command line or trust file"},
       {ErrorCode::kIo, "a file cannot be read"},
       {ErrorCode::kMalformed, "a bundle breaks the rules of its format"},
       {ErrorCode::kUnsupported, "one needs a newer sealpack"},
       {ErrorCode::kNotAuthentic, "with --trust: a signature does not hold"},
       {ErrorCode::kRefused, "with --trust: expired, revoked, rolled back or not trusted"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return diff(*options, terminal); };
  });
}

}  // namespace sealpack::unpacker
