// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/encode.h"
#include "packer/core/card_builder.h"
#include "tests/packer/packing.h"

namespace sealpack::packer {
namespace {

using namespace testing;

const bundle::Fact* find_fact(const bundle::Card& card, const std::string& key) {
  for (const bundle::Fact& fact : card.facts) {
    if (fact.key == key) return &fact;
  }
  return nullptr;
}

Result<bundle::Card> card_of(const Files& files, const Selection& selection) {
  return TRY(assemble(tree_of(files), selection)).card;
}

// The names of sealed tensors are in the header, in free metadata and in the index.
Files telling_folder() {
  const std::string index =
      R"({"metadata":{"note":"secret.head"},"weight_map":{"open":"m.safetensors","secret.head":"m.safetensors"}})";
  return {{"m.safetensors",
           safetensors({{"open", 20}, {"secret.head", 40}}, 1, {{"about", "secret.head is ours"}})},
          {"m.safetensors.index.json", bytes_of(index)}};
}

// The bytes of the content manifest as it stands in a bundle.
ByteVector written_manifest(const Files& files, const Selection& selection) {
  const Keys keys;
  const TemporaryFolder folder;
  const auto assembly = assemble(tree_of(files), selection);
  EXPECT_THAT(assembly, Succeeds());
  const auto report = build_bundle(*assembly, request_for(keys, folder / "b.seal"));
  EXPECT_THAT(report, Succeeds());
  const auto verified = verify(keys, folder / "b.seal");
  EXPECT_THAT(verified, Succeeds());
  ByteVector manifest(static_cast<std::size_t>(verified->release().content_size));
  EXPECT_THAT(verified->source().read_at(bundle::content_offset(report->head_size), manifest),
              Succeeds());
  return manifest;
}

TEST(Card, NamesEveryTensorWithoutRedaction) {
  Selection selection;
  selection.seal = {"secret.*"};
  const auto card = card_of(telling_folder(), selection);
  ASSERT_THAT(card, Succeeds());
  ASSERT_EQ(card->tensors.size(), 2U);
  EXPECT_EQ(card->tensors[1].name, "secret.head");
  EXPECT_EQ(card->sealed_parameters, 40U);
  EXPECT_NE(find_fact(*card, "metadata.about"), nullptr);
}

TEST(Card, LeavesOutNamesOfSealedTensorsAlone) {
  Selection selection;
  selection.seal = {"secret.*"};
  selection.redaction = bundle::Redaction::kNames;
  const auto card = card_of(telling_folder(), selection);
  ASSERT_THAT(card, Succeeds());
  ASSERT_EQ(card->tensors.size(), 2U);
  EXPECT_EQ(card->tensors[0].name, "open");
  EXPECT_EQ(card->tensors[1].name, "");
  EXPECT_EQ(card->tensors[1].shape, std::vector<std::uint64_t>{40});
  EXPECT_EQ(card->sealed_parameters, 40U);
}

TEST(Card, LeavesOutSealedTensorsAltogether) {
  Selection selection;
  selection.seal = {"secret.*"};
  selection.redaction = bundle::Redaction::kAll;
  const auto card = card_of(telling_folder(), selection);
  ASSERT_THAT(card, Succeeds());
  ASSERT_EQ(card->tensors.size(), 1U);
  EXPECT_EQ(card->tensors[0].name, "open");
  EXPECT_EQ(card->sealed_parameters, 0U);
  EXPECT_EQ(find_fact(*card, "tensor count"), nullptr);
  EXPECT_NE(find_fact(*card, "format"), nullptr);
}

TEST(Card, RedactedManifestsHoldNoNameOfASealedTensor) {
  Selection selection;
  EXPECT_TRUE(contains(written_manifest(telling_folder(), selection), as_bytes("secret.head")));
  for (const auto redaction : {bundle::Redaction::kNames, bundle::Redaction::kAll}) {
    for (const bool partial : {false, true}) {
      selection = {};
      selection.redaction = redaction;
      if (partial) selection.seal = {"secret.*"};
      const ByteVector manifest = written_manifest(telling_folder(), selection);
      EXPECT_FALSE(contains(manifest, as_bytes("secret")));
      EXPECT_EQ(contains(manifest, as_bytes("open")), partial);
    }
  }
}

TEST(Card, SealsTheIndexWhenNamesAreRedacted) {
  Selection selection;
  selection.redaction = bundle::Redaction::kNames;
  selection.open = {"open", "**.json"};
  const auto assembly = assemble(tree_of(telling_folder()), selection);
  ASSERT_THAT(assembly, Succeeds());
  ASSERT_EQ(assembly->public_files.size(), 1U);
  EXPECT_EQ(assembly->public_files[0].path, "m.safetensors");
}

// A model without tensors that says one thing of itself.
class TalkingModel : public models::Model {
 public:
  TalkingModel(std::string key, std::string value) : fact_(std::move(key), std::move(value)) {}
  models::Format format() const override { return models::Format::kGguf; }
  const std::vector<models::Tensor>& tensors() const override { return tensors_; }
  std::vector<std::pair<std::string, std::string>> facts() const override { return {fact_}; }
  Result<models::Split> split(const std::vector<bool>&) const override { return models::Split{}; }

 private:
  std::pair<std::string, std::string> fact_;
  std::vector<models::Tensor> tensors_;
};

bundle::Card card_with_fact(const std::string& key, const std::string& value) {
  CardBuilder builder(bundle::Redaction::kNone);
  builder.add(TalkingModel(key, value), {}, {});
  Assembly assembly;
  EXPECT_THAT(std::move(builder).finish(assembly), Succeeds());
  return assembly.card;
}

TEST(Card, CutsLongFactsBetweenCharacters) {
  for (const std::string prefix : {"", "x", "xy", "xyz"}) {
    std::string value = prefix;
    while (value.size() < 3000) value += "\xf0\x9f\x94\x91";  // a key, four bytes
    const bundle::Card card = card_with_fact("architecture", value);
    const bundle::Fact* fact = find_fact(card, "architecture");
    ASSERT_NE(fact, nullptr);
    EXPECT_TRUE(is_utf8(fact->value));
    EXPECT_LE(fact->value.size(), 1024U);
    EXPECT_GT(fact->value.size(), 1020U);
    EXPECT_TRUE(value.starts_with(fact->value));
  }
}

TEST(Card, LeavesOutFactsThatAManifestCannotHold) {
  EXPECT_EQ(find_fact(card_with_fact(std::string(256, 'k'), "v"), std::string(256, 'k'))->value,
            "v");
  for (const auto& [key, value] : std::map<std::string, std::string>{{std::string(257, 'k'), "v"},
                                                                     {"", "v"},
                                                                     {"\xff", "v"},
                                                                     {"empty", ""},
                                                                     {"bad", "\xff"}}) {
    EXPECT_EQ(find_fact(card_with_fact(key, value), key), nullptr) << printable(key);
  }
}

TEST(Card, HoldsNoMoreFactsThanAManifestMay) {
  std::vector<std::pair<std::string, std::string>> metadata;
  for (int i = 0; i < 3000; ++i) metadata.emplace_back("key" + std::to_string(i), "v");
  metadata.emplace_back("empty", "");
  const Keys keys;
  const TemporaryFolder folder;
  const Files files = {{"m.safetensors", safetensors({{"t", 4}}, 1, metadata)}};
  const auto back = round_trip(files, {}, keys, folder / "b.seal", 1);
  ASSERT_THAT(back, Succeeds());
  EXPECT_EQ(*back, files);
}

TEST(Card, RefusesTensorsThatItCannotHoldButForSealedOnesLeftOut) {
  const Files files = {{"m.safetensors", safetensors({{std::string(5000, 'n'), 4}})}};
  EXPECT_THAT(card_of(files, {}), FailsWith(ErrorCode::kLimit, HasSubstr("5000 bytes")));
  Selection selection;
  selection.redaction = bundle::Redaction::kNames;
  EXPECT_THAT(card_of(files, selection), Succeeds());

  const ByteVector header = models::serialize_safetensors_header(
      {{"deep", "U8", std::vector<std::uint64_t>(40, 1), 0, 0}}, {});
  ByteVector file = header;
  file.push_back(1);
  EXPECT_THAT(card_of({{"m.safetensors", file}}, {}),
              FailsWith(ErrorCode::kLimit, HasSubstr("40 dimensions")));
  selection.redaction = bundle::Redaction::kAll;
  EXPECT_THAT(card_of({{"m.safetensors", file}}, selection), Succeeds());
}

}  // namespace
}  // namespace sealpack::packer
