// SPDX-License-Identifier: Apache-2.0
#include "packer/core/assembly.h"

#include <algorithm>
#include <set>

#include "tests/formats/models/gguf_testing.h"
#include "tests/packer/external_onnx.h"
#include "tests/packer/packing.h"

namespace sealpack::packer {
namespace {

using namespace testing;

using Names = std::set<std::string>;

const Files kOneFile = {{"m.safetensors", safetensors({{"a.w", 40}, {"a.b", 8}, {"head", 16}})}};

// "name=place" of every entry, a file by its path.
std::set<std::string> places(const Assembly& assembly) {
  std::set<std::string> out;
  for (const Entry& entry : assembly.entries) {
    const char* place = entry.where == Where::kSealed   ? "sealed"
                        : entry.where == Where::kPublic ? "public"
                                                        : "excluded";
    out.insert((entry.name.empty() ? entry.path : entry.name) + "=" + place);
  }
  return out;
}

std::set<std::string> paths(const std::vector<models::OutputFile>& files) {
  std::set<std::string> out;
  for (const auto& file : files) out.insert(file.path);
  return out;
}

std::set<std::string> paths(const std::vector<SealedOutput>& files) {
  std::set<std::string> out;
  for (const auto& file : files) out.insert(file.file.path);
  return out;
}

TEST(Assembly, SealsEverythingWithoutASelection) {
  const auto assembly = assemble(tree_of(kOneFile), {});
  ASSERT_THAT(assembly, Succeeds());
  EXPECT_EQ(places(*assembly), (Names{"a.w=sealed", "a.b=sealed", "head=sealed"}));
  EXPECT_TRUE(assembly->public_files.empty());
  EXPECT_EQ(paths(assembly->sealed_files), Names{"m.safetensors"});
}

TEST(Assembly, SealAloneLeavesOtherTensorsPublic) {
  Selection selection;
  selection.seal = {"head"};
  const auto assembly = assemble(tree_of(kOneFile), selection);
  ASSERT_THAT(assembly, Succeeds());
  EXPECT_EQ(places(*assembly), (Names{"a.w=public", "a.b=public", "head=sealed"}));
}

TEST(Assembly, PublicAloneSealsOtherTensors) {
  Selection selection;
  selection.open = {"a.*"};
  const auto assembly = assemble(tree_of(kOneFile), selection);
  ASSERT_THAT(assembly, Succeeds());
  EXPECT_EQ(places(*assembly), (Names{"a.w=public", "a.b=public", "head=sealed"}));
}

TEST(Assembly, SealWinsWhereBothMatchAndWhatNeitherMatchesIsSealed) {
  Selection selection;
  selection.open = {"a.*"};
  selection.seal = {"*.b"};
  const auto assembly = assemble(tree_of(kOneFile), selection);
  ASSERT_THAT(assembly, Succeeds());
  EXPECT_EQ(places(*assembly), (Names{"a.w=public", "a.b=sealed", "head=sealed"}));
}

TEST(Assembly, SealWinsOverPublicForFilesToo) {
  Files files = kOneFile;
  files["notes.md"] = bytes_of("n");
  Selection selection;
  selection.open = {"*.md"};
  selection.seal = {"notes*", "head"};
  const auto assembly = assemble(tree_of(files), selection);
  ASSERT_THAT(assembly, Succeeds());
  EXPECT_EQ(paths(assembly->sealed_files), (Names{"m.safetensors", "notes.md"}));
  EXPECT_TRUE(assembly->public_files.empty());
}

TEST(Assembly, GlobsOfFilesChooseAllTheirTensors) {
  const Files files = {{"x/one.safetensors", safetensors({{"a", 4}, {"b", 4}})},
                       {"x/two.safetensors", safetensors({{"c", 4}})},
                       {"secret.txt", bytes_of("s")},
                       {"notes.bin", bytes_of("n")}};
  Selection selection;
  selection.open = {"x/one.*", "notes.bin"};
  selection.seal = {"b"};
  const auto assembly = assemble(tree_of(files), selection);
  ASSERT_THAT(assembly, Succeeds());
  EXPECT_EQ(places(*assembly),
            (Names{"a=public", "b=sealed", "c=sealed", "secret.txt=sealed", "notes.bin=public"}));
}

TEST(Assembly, AFileWithoutKnownFormatStaysSealedUnderSealAlone) {
  Files files = kOneFile;
  files["extra.bin"] = bytes_of("weights of some other kind");
  Selection selection;
  selection.seal = {"head"};
  const auto assembly = assemble(tree_of(files), selection);
  ASSERT_THAT(assembly, Succeeds());
  EXPECT_TRUE(places(*assembly).contains("extra.bin=sealed"));
}

TEST(Assembly, NamesTheOptionOfAGlobWithoutAMatch) {
  const std::pair<std::vector<std::string> Selection::*, const char*> options[] = {
      {&Selection::open, "--public 'nothing*' matches nothing"},
      {&Selection::seal, "--seal 'nothing*' matches nothing"},
      {&Selection::exclude, "--exclude 'nothing*' matches nothing"}};
  for (const auto& [option, message] : options) {
    Selection selection;
    selection.*option = {"nothing*"};
    EXPECT_THAT(assemble(tree_of(kOneFile), selection),
                FailsWith(ErrorCode::kUsage, HasSubstr(message)));
    selection.*option = {"[broken"};
    EXPECT_THAT(assemble(tree_of(kOneFile), selection),
                FailsWith(ErrorCode::kUsage, HasSubstr(std::string(message).substr(0, 5))));
  }
}

TEST(Assembly, RecordsExcludedAndSkippedFilesByName) {
  Files files = kOneFile;
  files["logs/train.log"] = bytes_of("x");
  Selection selection;
  selection.exclude = {"logs/**"};
  InputTree tree = tree_of(files);
  tree.skipped.push_back({".git", "version control data"});
  const auto assembly = assemble(std::move(tree), selection);
  ASSERT_THAT(assembly, Succeeds());
  const std::vector<bundle::ExcludedFile> expected = {{".git", "version control data"},
                                                      {"logs/train.log", "--exclude"}};
  EXPECT_EQ(assembly->excluded, expected);
  EXPECT_EQ(assembly->originals.size(), 1U);
}

TEST(Assembly, RefusesWhenEverythingIsExcluded) {
  Selection selection;
  selection.exclude = {"**"};
  EXPECT_THAT(assemble(tree_of(kOneFile), selection),
              FailsWith(ErrorCode::kUsage, HasSubstr("nothing is left")));
}

TEST(Assembly, PublishesWhatPeopleReadUnlessItIsToBeSealed) {
  Files files = kOneFile;
  for (const char* name :
       {"README.md", "LICENSE", "config.json", "sub/generation_config.json", "tokenizer.json",
        "tokenizer.model", "sub/vocab.txt", "merges.txt", "chat_template.jinja", "docs/card.md"}) {
    files[name] = bytes_of(name);
  }
  const Names open = paths(assemble(tree_of(files), {})->public_files);
  EXPECT_EQ(open.size(), files.size() - 1);

  for (const char* name : {"secret.json", "config.json.bak", "train.py", "MYREADME", "vocab.bin"}) {
    files[name] = bytes_of(name);
  }
  Selection selection;
  selection.seal = {"tokenizer.*", "**.safetensors"};
  const auto assembly = assemble(tree_of(files), selection);
  ASSERT_THAT(assembly, Succeeds());
  EXPECT_EQ(paths(assembly->sealed_files),
            (Names{"m.safetensors", "secret.json", "config.json.bak", "train.py", "MYREADME",
                   "vocab.bin", "tokenizer.json", "tokenizer.model"}));
}

// Every input is sealed, public or excluded by name; the public side holds no byte that was to be
// sealed; the extents give back each original that is not excluded.
TEST(Assembly, PlacesEveryInputOfRandomTrees) {
  std::mt19937_64 random(20);
  for (int round = 0; round < 300; ++round) {
    Files files;
    const std::size_t count = 1 + random() % 8;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string folder = random() % 2 == 0 ? "" : "f" + std::to_string(random() % 3) + "/";
      const std::string name = folder + std::to_string(i);
      switch (random() % 5) {
        case 0:
          files[name + ".safetensors"] =
              safetensors({{"a" + name, random() % 90}, {"b" + name, 3}}, random());
          break;
        case 1:
          files[name + ".gguf"] = models::testing::small_gguf();
          break;
        case 2:
          files[name + ".md"] = noise(random() % 20, random());
          break;
        case 3:
          files[name + ".onnx"] = models::testing::model(models::testing::small_graph()).get();
          break;
        default:
          files[name + ".dat"] = noise(random() % 50, random());
          break;
      }
    }
    Selection selection;
    const std::vector<std::string> globs = {"a*", "{**/,}[0-3].*", "**.md", "w", "f1/**", "**"};
    for (auto* list : {&selection.open, &selection.seal, &selection.exclude}) {
      for (std::uint64_t i = random() % 3; i > 0; --i) list->push_back(globs[random() % 6]);
    }
    const auto assembly = assemble(tree_of(files), selection);
    if (!assembly.ok()) {
      EXPECT_EQ(assembly.error().code(), ErrorCode::kUsage) << assembly.error().message();
      continue;
    }
    Names found;
    for (const auto& original : assembly->originals) found.insert(original.path);
    for (const auto& excluded : assembly->excluded) {
      EXPECT_FALSE(found.contains(excluded.path));
      found.insert(excluded.path);
    }
    Names expected;
    for (const auto& [path, bytes] : files) expected.insert(path);
    EXPECT_EQ(found, expected);
    Names listed;
    for (const Entry& entry : assembly->entries) listed.insert(entry.path);
    EXPECT_EQ(listed, expected);
  }
}

std::string index_of(const std::map<std::string, std::string>& weights) {
  std::string map;
  for (const auto& [tensor, shard] : weights) {
    map += (map.empty() ? "" : ",") + ("\"" + tensor + "\":\"" + shard + "\"");
  }
  return "{\"metadata\":{\"total_size\":48,\"note\":\"x\"},\"weight_map\":{" + map + "}}";
}

Files sharded() {
  return {{"config.json", bytes_of("{}")},
          {"model-1.safetensors", safetensors({{"a", 16}, {"b", 16}})},
          {"model-2.safetensors", safetensors({{"c", 16}})},
          {"model.safetensors.index.json", bytes_of(index_of({{"a", "model-1.safetensors"},
                                                              {"b", "model-1.safetensors"},
                                                              {"c", "model-2.safetensors"}}))}};
}

const models::OutputFile* find_public(const Assembly& assembly, const std::string& path) {
  for (const auto& file : assembly.public_files) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

TEST(HfFolder, GetsAPublicIndexOfThePublicTensorsAlone) {
  Selection selection;
  selection.open = {"a"};
  const auto assembly = assemble(tree_of(sharded()), selection);
  ASSERT_THAT(assembly, Succeeds());
  const auto* index = find_public(*assembly, "model.safetensors.index.json");
  ASSERT_NE(index, nullptr);
  ASSERT_EQ(index->pieces.size(), 1U);
  const auto* text = std::get_if<ByteVector>(&index->pieces[0]);
  ASSERT_NE(text, nullptr);
  EXPECT_TRUE(contains(*text, as_bytes("\"a\"")));
  EXPECT_FALSE(contains(*text, as_bytes("\"b\"")));
  EXPECT_FALSE(contains(*text, as_bytes("model-2")));
  EXPECT_TRUE(paths(assembly->sealed_files).contains("model.safetensors.index.json.residue"));
}

TEST(HfFolder, KeepsItsIndexWhenNothingWasDivided) {
  for (const bool all_public : {false, true}) {
    Selection selection;
    if (all_public) selection.open = {"**"};
    const auto assembly = assemble(tree_of(sharded()), selection);
    ASSERT_THAT(assembly, Succeeds());
    const auto* index = find_public(*assembly, "model.safetensors.index.json");
    ASSERT_NE(index, nullptr);
    EXPECT_TRUE(std::holds_alternative<models::SourceRange>(index->pieces[0]));
  }
}

TEST(HfFolder, RefusesAnIndexThatDoesNotFitItsShards) {
  Files files = sharded();
  files["model.safetensors.index.json"] =
      bytes_of(index_of({{"a", "model-1.safetensors"}, {"c", "model-2.safetensors"}}));
  EXPECT_THAT(
      assemble(tree_of(files), {}),
      FailsWith(ErrorCode::kMalformed, HasSubstr("'b' of 'model-1.safetensors' is not listed")));
  files = sharded();
  files.erase("model-2.safetensors");
  EXPECT_THAT(assemble(tree_of(files), {}), FailsWith(ErrorCode::kMalformed, HasSubstr("missing")));
  files = sharded();
  Selection selection;
  selection.exclude = {"model-2*"};
  EXPECT_THAT(assemble(tree_of(files), selection),
              FailsWith(ErrorCode::kMalformed, HasSubstr("missing")));
}

// As published: a second copy of the weights in one file, and a variant with an index of its own.
TEST(HfFolder, TakesOtherModelsBesideTheShards) {
  Files files = sharded();
  files["consolidated.safetensors"] = safetensors({{"a", 16}, {"b", 16}, {"c", 16}});
  files["half-1.safetensors"] = safetensors({{"a", 8}});
  files["half.safetensors.index.json"] = bytes_of(index_of({{"a", "half-1.safetensors"}}));
  EXPECT_THAT(assemble(tree_of(files), {}), Succeeds());
}

TEST(HfFolder, IsNotLookedIntoWhenOpaque) {
  Selection selection;
  selection.opaque = true;
  const auto assembly = assemble(tree_of(sharded()), selection);
  ASSERT_THAT(assembly, Succeeds());
  EXPECT_TRUE(assembly->card.tensors.empty());
}

TEST(Assembly, RefusesToExcludeExternalData) {
  const Files files = {{"m.onnx", external_onnx({{"w", 4, 0}}, "m.data")},
                       {"m.data", noise(16, 1)}};
  Selection selection;
  selection.exclude = {"m.data"};
  EXPECT_THAT(
      assemble(tree_of(files), selection),
      FailsWith(ErrorCode::kUsage, HasSubstr("'m.data' is excluded but holds data of 'm.onnx'")));
  EXPECT_THAT(assemble(tree_of(files), {}), Succeeds());
}

TEST(Assembly, HoldsExternalDataOfTwoModelsOnce) {
  const Files files = {{"a.onnx", external_onnx({{"w", 4, 0}}, "w.data")},
                       {"b.onnx", external_onnx({{"v", 4, 16}}, "w.data")},
                       {"w.data", noise(32, 1)}};
  const Keys keys;
  const TemporaryFolder folder;
  const auto back = round_trip(files, {}, keys, folder / "b.seal", 1);
  ASSERT_THAT(back, Succeeds());
  EXPECT_EQ(*back, files);
}

// All of b.onnx is public, so that the whole file it refers to would be.
TEST(Assembly, RefusesWhenOneModelWouldPublishWhatAnotherSeals) {
  const Files files = {{"a.onnx", external_onnx({{"w", 4, 0}}, "w.data")},
                       {"b.onnx", external_onnx({{"v", 4, 16}}, "w.data")},
                       {"w.data", noise(32, 1)}};
  Selection selection;
  selection.seal = {"w"};
  EXPECT_THAT(assemble(tree_of(files), selection),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("both sealed and public")));
}

TEST(Assembly, RefusesPicklesUnlessOpaque) {
  const Files files = {{"model.pt", bytes_of("\x80\x02}q.")}};
  const auto refused = assemble(tree_of(files), {});
  EXPECT_THAT(refused, FailsWith(ErrorCode::kUnsupported, HasSubstr("pickle")));
  Selection selection;
  selection.opaque = true;
  const auto assembly = assemble(tree_of(files), selection);
  ASSERT_THAT(assembly, Succeeds());
  EXPECT_EQ(paths(assembly->sealed_files), Names{"model.pt"});
  selection = {};
  selection.exclude = {"*.pt"};
  Files more = kOneFile;
  more["model.pt"] = files.at("model.pt");
  EXPECT_THAT(assemble(tree_of(more), selection), Succeeds());
}

TEST(Assembly, RefusesAPrivateKeyAmongTheModelFiles) {
  Files files = kOneFile;
  files["keys/vendor.key"] = bytes_of(
      "sealpack-key: role=authority\n-----BEGIN ENCRYPTED PRIVATE KEY-----\nMC4=\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n");
  for (const bool opaque : {false, true}) {
    Selection selection;
    selection.opaque = opaque;
    const auto refused = assemble(tree_of(files), selection);
    EXPECT_THAT(refused,
                FailsWith(ErrorCode::kRefused, HasSubstr("'keys/vendor.key' is a private key")));
    EXPECT_THAT(refused.error().hint(), HasSubstr("--exclude"));
    selection.exclude = {"**.key"};
    EXPECT_THAT(assemble(tree_of(files), selection), Succeeds());
  }
}

TEST(Assembly, TakesPublicKeysAndTextThatMentionsKeys) {
  Files files = kOneFile;
  files["vendor.pub"] = bytes_of("sealpack-key: role=authority\n-----BEGIN PUBLIC KEY-----\n");
  files["how.txt"] = bytes_of("a line sealpack-key: and PRIVATE KEY");
  files["short.txt"] = bytes_of("sealpack-key");
  files["empty.txt"] = {};
  EXPECT_THAT(assemble(tree_of(files), {}), Succeeds());
}

}  // namespace
}  // namespace sealpack::packer
