// SPDX-License-Identifier: Apache-2.0
#include "tests/formats/models/split_testing.h"
#include "tests/packer/packing.h"

namespace sealpack::packer {
namespace {

using namespace testing;
using models::SourceRange;

models::OutputFile random_output(std::mt19937_64& random, const std::string& path,
                                 const std::vector<models::InputFile>& inputs) {
  models::OutputFile file{path, {}, 0};
  for (std::uint64_t i = random() % 6; i > 0; --i) {
    if (random() % 4 == 0) {
      file.pieces.emplace_back(noise(random() % 9, random()));
      continue;
    }
    const auto input = static_cast<std::uint32_t>(random() % inputs.size());
    const std::uint64_t size = inputs[input].source->size();
    const std::uint64_t begin = random() % (size + 1);
    file.pieces.emplace_back(SourceRange{input, begin, random() % (size - begin + 1)});
  }
  return file;
}

ByteVector reassembled(const bundle::OriginalFile& original,
                       const std::vector<ByteVector>& outputs) {
  ByteVector bytes;
  for (const bundle::Extent& extent : original.extents) {
    const ByteVector& file = outputs.at(extent.file);
    EXPECT_LE(extent.offset + extent.size, file.size());
    const auto begin = file.begin() + static_cast<std::ptrdiff_t>(extent.offset);
    bytes.insert(bytes.end(), begin, begin + static_cast<std::ptrdiff_t>(extent.size));
  }
  return bytes;
}

// Overlaps, duplicates, gaps, new bytes and empty pieces in any mixture.
TEST(Residue, TilesEveryOriginalWhateverTheOutputsCopy) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 2000; ++round) {
    Assembly assembly;
    std::vector<ByteVector> originals;
    std::vector<bool> excluded;
    for (std::uint64_t i = 1 + random() % 3; i > 0; --i) {
      originals.push_back(noise(random() % 40, random()));
      const std::string path = "in" + std::to_string(i);
      assembly.inputs.push_back(models::testing::memory_input(path, originals.back()));
      excluded.push_back(random() % 6 == 0);
    }
    for (std::uint64_t i = random() % 4; i > 0; --i) {
      assembly.public_files.push_back(
          random_output(random, "p" + std::to_string(i), assembly.inputs));
    }
    for (std::uint64_t i = random() % 4; i > 0; --i) {
      assembly.sealed_files.push_back(
          {random_output(random, "s" + std::to_string(i), assembly.inputs),
           bundle::SealedKind::kModel});
    }
    ASSERT_THAT(add_residues(assembly, excluded), Succeeds());

    std::vector<ByteVector> outputs;
    for (const auto& file : assembly.public_files) {
      outputs.push_back(models::testing::assemble(file, assembly.inputs));
    }
    for (const auto& file : assembly.sealed_files) {
      outputs.push_back(models::testing::assemble(file.file, assembly.inputs));
    }
    std::size_t expected = 0;
    for (std::size_t i = 0; i < originals.size(); ++i) {
      if (excluded[i]) continue;
      ++expected;
      for (const bundle::OriginalFile& original : assembly.originals) {
        if (original.path != assembly.inputs[i].path) continue;
        EXPECT_EQ(reassembled(original, outputs), originals[i]);
        EXPECT_EQ(original.size, originals[i].size());
        for (const bundle::Extent& extent : original.extents) EXPECT_NE(extent.size, 0U);
      }
    }
    EXPECT_EQ(assembly.originals.size(), expected);
  }
}

TEST(Residue, HoldsNothingThatAnotherFileHolds) {
  Assembly assembly;
  assembly.inputs.push_back(models::testing::memory_input("m", noise(100, 1)));
  assembly.public_files.push_back({"p", {SourceRange{0, 10, 20}}, 0});
  assembly.sealed_files.push_back({{"s", {SourceRange{0, 25, 50}}, 0}, bundle::SealedKind::kModel});
  ASSERT_THAT(add_residues(assembly, {false}), Succeeds());
  ASSERT_EQ(assembly.sealed_files.size(), 2U);
  const auto& residue = assembly.sealed_files[0];
  EXPECT_EQ(residue.file.path, "m.residue");
  EXPECT_EQ(residue.kind, bundle::SealedKind::kResidue);
  const std::vector<models::Piece> expected = {SourceRange{0, 0, 10}, SourceRange{0, 75, 25}};
  EXPECT_EQ(residue.file.pieces, expected);
}

// Each input needs a residue, beside names that leave it none of the obvious ones.
TEST(Residue, FindsANameBesideFilesFoldersCaseAndLongNames) {
  const ByteVector model = safetensors({{"a", 4}, {"b", 4}});
  const std::string longest = std::string(243, 'x') + ".safetensors";
  const Files folders[] = {
      {{"m.safetensors", model}, {"m.safetensors.residue", bytes_of("1")}},
      {{"m.safetensors", model}, {"M.SafeTensors.RESIDUE", bytes_of("1")}},
      {{"m.safetensors", model}, {"m.safetensors.residue/x", bytes_of("1")}},
      {{"m.safetensors", model},
       {"m.safetensors.residue", bytes_of("1")},
       {"m.safetensors.residue2/x", bytes_of("1")}},
      {{longest, model}, {"sub/" + longest, model}, {"residue", bytes_of("1")}},
  };
  Selection selection;
  selection.open = {"a"};
  const Keys keys;
  for (const Files& files : folders) {
    const TemporaryFolder folder;
    const auto back = round_trip(files, selection, keys, folder / "b.seal", 1);
    ASSERT_THAT(back, Succeeds());
    EXPECT_EQ(*back, files);
  }
}

}  // namespace
}  // namespace sealpack::packer
