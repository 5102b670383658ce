// SPDX-License-Identifier: Apache-2.0
#include "packer/core/card_builder.h"

#include <algorithm>

namespace sealpack::packer {
namespace {

constexpr std::size_t kMaxFacts = 1024;
constexpr std::size_t kMaxFactKey = 256;
constexpr std::size_t kShownFact = 1024;

// All that may be said of a model whose names are redacted (FORMAT.md F-5.3.3): the other facts are
// free text of whoever made the model, or lists of names. Where tensors are left out, counts are
// too.
constexpr std::string_view kFactsWithoutNames[] = {"architecture", "format", "ir_version", "opset",
                                                   "quantization"};
constexpr std::string_view kCounts[] = {"key count", "parameters", "tensor count"};

bool contains(std::span<const std::string_view> list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// The start of a text, not cut within a character.
std::string shortened(const std::string& text) {
  if (text.size() <= kShownFact) return text;
  std::size_t size = kShownFact;
  while ((static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U) --size;
  return text.substr(0, size);
}

Status check_tensor(const bundle::CardTensor& tensor) {
  if (tensor.name.size() > bundle::kMaxTextSize || tensor.shape.size() > bundle::kMaxDimensions) {
    return Error(ErrorCode::kLimit, "tensor " + printable(tensor.name.substr(0, 128)) +
                                        " has a name of " + std::to_string(tensor.name.size()) +
                                        " bytes and " + std::to_string(tensor.shape.size()) +
                                        " dimensions, a card holds " +
                                        std::to_string(bundle::kMaxTextSize) + " and " +
                                        std::to_string(bundle::kMaxDimensions))
        .with_hint("--redact all leaves sealed tensors out of the card");
  }
  return done();
}

}  // namespace

void CardBuilder::add(const models::Model& model, const std::vector<bool>& sealed,
                      const models::Split& split) {
  const auto& tensors = model.tensors();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (sealed[i]) {
      std::uint64_t elements = 1;
      for (const std::uint64_t size : tensors[i].shape) elements *= size;
      sealed_parameters_ += elements;
    }
    const auto& files = sealed[i] ? split.sealed_files : split.public_files;
    entries_.push_back({{tensors[i].name, tensors[i].dtype, tensors[i].shape, 0},
                        files.empty() ? std::string() : files[0].path,
                        sealed[i]});
  }
  for (const auto& [key, value] : model.facts()) facts_.try_emplace(key, value);
  facts_.try_emplace("format", models::to_string(model.format()));
}

Status CardBuilder::finish(Assembly& assembly) && {
  std::map<std::string, std::uint32_t> open_numbers;
  std::map<std::string, std::uint32_t> sealed_numbers;
  std::uint32_t next = 0;
  for (const models::OutputFile& file : assembly.public_files) open_numbers[file.path] = next++;
  for (const SealedOutput& file : assembly.sealed_files) sealed_numbers[file.file.path] = next++;
  bundle::Card& card = assembly.card;
  card.redaction = redaction_;
  if (redaction_ != bundle::Redaction::kAll) card.sealed_parameters = sealed_parameters_;
  for (Entry& entry : entries_) {
    entry.tensor.file = (entry.sealed ? sealed_numbers : open_numbers)[entry.output];
    if (entry.sealed && redaction_ == bundle::Redaction::kAll) continue;
    if (entry.sealed && redaction_ == bundle::Redaction::kNames) entry.tensor.name.clear();
    TRY(check_tensor(entry.tensor));
    card.tensors.push_back(std::move(entry.tensor));
  }
  if (card.tensors.size() > bundle::kMaxTensors) {
    return Error(ErrorCode::kLimit, "more than " + std::to_string(bundle::kMaxTensors) + " tensors")
        .with_hint("--redact all leaves sealed tensors out of the card");
  }
  card.facts = facts();
  return done();
}

bool CardBuilder::shows_fact(const std::string& key) const {
  switch (redaction_) {
    case bundle::Redaction::kNone:
      return true;
    case bundle::Redaction::kNames:
      return contains(kFactsWithoutNames, key) || contains(kCounts, key);
    case bundle::Redaction::kAll:
      return contains(kFactsWithoutNames, key);
  }
  return false;
}

std::vector<bundle::Fact> CardBuilder::facts() const {
  std::vector<bundle::Fact> facts;
  for (const auto& [key, value] : facts_) {
    if (!shows_fact(key) || key.empty() || key.size() > kMaxFactKey || !is_utf8(key)) continue;
    if (value.empty() || !is_utf8(value)) continue;
    if (facts.size() == kMaxFacts) break;
    facts.push_back({key, shortened(value)});
  }
  return facts;
}

}  // namespace sealpack::packer
