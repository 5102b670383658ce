// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "attest/policy/policy_file.h"
#include "unpacker/verbs/bundle_report.h"
#include "unpacker/verbs/content_key.h"
#include "unpacker/verbs/plan_report.h"
#include "unpacker/verbs/text_cells.h"

namespace sealpack::unpacker {
namespace {

// "name     value"; further lines of the same name are indented.
class Lines {
 public:
  explicit Lines(std::ostream& out) : out_(out) {}
  void add(const std::string& name, const std::string& value) {
    const std::string shown = name == last_ ? "" : name;
    out_ << shown << std::string(shown.size() < kWidth ? kWidth - shown.size() : 1, ' ') << value
         << '\n';
    last_ = name;
  }

 private:
  static constexpr std::size_t kWidth = 15;
  std::ostream& out_;
  std::string last_;
};

void add_release(const InspectedBundle& inspected, Lines& lines) {
  const bundle::Release& release = inspected.release;
  lines.add("product", printable(release.product));
  lines.add("version", printable(release.version));
  lines.add("counter", std::to_string(release.counter));
  lines.add("valid", validity_text(release));
  for (const std::string& line : policy::explain(release.policy)) lines.add("policy", line);
  lines.add("opens without attestation:", opens_without_attestation(inspected));
  lines.add("answer", policy::explain(release.answer));
  if (!release.licence.empty())
    lines.add("licence", format_size(release.licence.size()) + " of text");
  lines.add("recipients", describe_slots(inspected.head.head.slots));
  for (const bundle::Signature& signature : inspected.head.head.release.signatures) {
    lines.add("signers",
              cli::json_digest(signature.key) + (inspected.verified ? "" : "  (CLAIMED)"));
  }
}

void add_model(const bundle::Content& content, Lines& lines) {
  const BundleSums sums = sums_of(content);
  for (const bundle::Fact& fact : content.card.facts) {
    lines.add("facts", cell(fact.key) + ": " + cell(fact.value));
  }
  lines.add("tensors", std::to_string(sums.sealed_tensors) + " sealed, " +
                           std::to_string(sums.public_tensors) + " public");
  lines.add("parameters", std::to_string(content.card.sealed_parameters) + " sealed, " +
                              std::to_string(sums.public_parameters) + " public");
  for (const auto& [dtype, count] : sums.dtypes) {
    lines.add("dtypes", cell(dtype) + ": " + std::to_string(count.tensors) + " tensor(s), " +
                            std::to_string(count.elements) + " elements");
  }
  if (content.card.redaction != bundle::Redaction::kNone) {
    lines.add("redaction", std::string(to_string(content.card.redaction)) + " of the sealed part");
  }
  lines.add("sealed", format_size(sums.sealed_bytes) + " in " +
                          std::to_string(content.sealed_files.size()) + " file(s)");
  lines.add("public", format_size(sums.public_bytes) + " in " +
                          std::to_string(content.public_files.size()) + " file(s)");
  lines.add("secure memory", format_size(sums.sealed_bytes) +
                                 " if all of it is held at once, besides what the model computes");
}

void add_content(const InspectedBundle& inspected, Lines& lines) {
  const bundle::Content& content = inspected.content;
  lines.add("scheme",
            cell(content.plan.scheme) + " (version " + std::to_string(content.plan.version) + ")");
  for (const auto& [name, value] : plan_lines(content.plan)) lines.add(name, value);
  lines.add("authority", cli::json_digest(content.authority));
  lines.add("content", cli::json_digest(inspected.release.content_digest));
  lines.add("uuid", to_hex(content.uuid));
  if (content.parent) lines.add("parent", cli::json_digest(*content.parent));
  lines.add("size", format_size(inspected.file_size));
  for (const bundle::ExcludedFile& file : content.excluded) {
    lines.add("excluded", printable(file.path) + ", " + printable(file.because));
  }
  if (inspected.head.updating()) {
    lines.add("update",
              "an update of the head was interrupted; 'sealpack reseal --in-place' ends it");
  }
}

void print_files(const bundle::Content& content, std::ostream& out) {
  cli::Table table({"place", "bytes", "file"});
  for (const bundle::PublicFile& file : content.public_files) {
    table.add({"public", std::to_string(file.size), cell(file.path)});
  }
  for (const bundle::SealedFile& file : content.sealed_files) {
    const bool residue = file.kind == bundle::SealedKind::kResidue;
    table.add(
        {"sealed", std::to_string(file.size()), cell(file.path) + (residue ? " (residue)" : "")});
  }
  out << '\n';
  table.print(out);
}

void print_tensors(const bundle::Content& content, std::ostream& out) {
  cli::Table table({"place", "tensor", "dtype", "shape", "file"});
  for (const bundle::CardTensor& tensor : content.card.tensors) {
    const bool sealed = tensor.file >= content.public_files.size();
    table.add({sealed ? "sealed" : "public", tensor.name.empty() ? "(redacted)" : cell(tensor.name),
               cell(tensor.dtype), shape_text(tensor.shape), cell(path_of(content, tensor.file))});
  }
  out << '\n';
  table.print(out);
}

}  // namespace

void print_bundle(const InspectedBundle& inspected, bool tensors, std::ostream& out) {
  out << (inspected.verified
              ? "VERIFIED: signatures, trust and manifest; 'sealpack verify' proves every byte\n"
              : "CLAIMED: nobody vouches for any of this yet; --trust verifies it\n");
  Lines lines(out);
  add_release(inspected, lines);
  add_model(inspected.content, lines);
  add_content(inspected, lines);
  print_files(inspected.content, out);
  if (tensors) print_tensors(inspected.content, out);
}

}  // namespace sealpack::unpacker
