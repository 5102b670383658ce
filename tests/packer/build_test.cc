// SPDX-License-Identifier: Apache-2.0
#include "packer/core/build.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <unordered_set>

#include "tests/formats/models/gguf_testing.h"
#include "tests/packer/external_onnx.h"
#include "tests/packer/packing.h"

namespace sealpack::packer {
namespace {

using namespace testing;

struct Model {
  const char* name;
  Files files;
  std::vector<std::string> open;  // leaves part of it public
};

std::vector<Model> models_of_every_format() {
  return {
      {"safetensors",
       {{"m.safetensors", safetensors({{"a", 70000}, {"b", 33000}, {"c", 0}})}},
       {"a"}},
      {"gguf", {{"m.gguf", models::testing::small_gguf()}}, {"embed"}},
      {"onnx", {{"m.onnx", noisy_onnx()}}, {"v"}},
      {"onnx with external data",
       {{"m.onnx", external_onnx({{"w", 5000, 0}, {"v", 5000, 20000}}, "m.data")},
        {"m.data", noise(40100, 3)}},
       {"v"}},
      {"opaque", {{"m.bin", noise(50000, 4)}}, {}},
      {"folder",
       {{"config.json", bytes_of("{}")},
        {"empty.bin", {}},
        {"model-1.safetensors", safetensors({{"a", 20000}, {"b", 16384}})},
        {"model-2.safetensors", safetensors({{"c", 16400}}, 2)},
        {"model.safetensors.index.json",
         bytes_of(R"({"weight_map":{"a":"model-1.safetensors","b":"model-1.safetensors",)"
                  R"("c":"model-2.safetensors"}})")}},
       {"a"}},
  };
}

TEST(Build, GivesBackEveryFormatWholeAndInPartByOneThreadAndByFour) {
  const Keys keys;
  for (const Model& model : models_of_every_format()) {
    for (const bool partial : {false, true}) {
      for (const unsigned threads : {1U, 4U}) {
        SCOPED_TRACE(std::string(model.name) + (partial ? ", in part" : "") + ", threads " +
                     std::to_string(threads));
        Selection selection;
        if (partial) selection.open = model.open;
        const TemporaryFolder folder;
        const auto back = round_trip(model.files, selection, keys, folder / "b.seal", threads);
        ASSERT_THAT(back, Succeeds());
        EXPECT_EQ(*back, model.files);
        EXPECT_EQ(folder.names(), std::set<std::string>{"b.seal"});
      }
    }
  }
}

TEST(Build, TakesEverySizeAroundChunksLeavesAndGroups) {
  Files files = {{"empty", {}}};
  for (const std::size_t unit : {16384UL, 16400UL, 128 * 16384UL, 128 * 16400UL}) {
    for (const std::size_t size : {unit - 1, unit, unit + 1}) {
      files["sealed/" + std::to_string(size)] = noise(size, size);
      files["open/" + std::to_string(size) + ".md"] = noise(size, size);
    }
  }
  const Keys keys;
  const TemporaryFolder folder;
  const auto back = round_trip(files, {}, keys, folder / "b.seal", 3);
  ASSERT_THAT(back, Succeeds());
  EXPECT_EQ(*back, files);
}

Result<unpacker::OpenBundle> build_and_open(const Keys& keys, const Files& files,
                                            const std::filesystem::path& output) {
  const Assembly assembly = TRY(assemble(tree_of(files), {}));
  TRY(build_bundle(assembly, request_for(keys, output, 2)));
  return open_whole(keys, output);
}

TEST(Build, NeverRepeatsSaltsUuidsOrCiphertext) {
  // The same chunk again and again, in two files.
  const ByteVector chunk = noise(16384, 5);
  ByteVector repeated;
  for (int i = 0; i < 40; ++i) repeated.insert(repeated.end(), chunk.begin(), chunk.end());
  const Files files = {{"a.bin", repeated}, {"b.bin", repeated}};
  const Keys keys;
  std::set<std::array<std::uint8_t, 24>> salts;
  std::set<bundle::Uuid> uuids;
  std::set<std::string> chunks;
  std::size_t chunk_count = 0;
  for (int build = 0; build < 2; ++build) {
    const TemporaryFolder folder;
    const auto opened = build_and_open(keys, files, folder / "b.seal");
    ASSERT_THAT(opened, Succeeds());
    const bundle::Content& content = opened->verified().content();
    uuids.insert(content.uuid);
    for (std::size_t i = 0; i < content.sealed_files.size(); ++i) {
      const auto& segments = content.sealed_files[i].segments;
      for (std::size_t j = 0; j < segments.size(); ++j) {
        salts.insert(segments[j].salt);
        const auto& place = opened->verified().layout().segments[i][j];
        for (std::uint64_t at = 0; at + 16400 <= place.sealed_size; at += 16400) {
          std::string text(16384, '\0');
          ASSERT_THAT(opened->verified().source().read_at(
                          place.data_offset + at,
                          {reinterpret_cast<std::uint8_t*>(text.data()), text.size()}),
                      Succeeds());
          chunks.insert(text);
          ++chunk_count;
        }
      }
    }
  }
  EXPECT_EQ(uuids.size(), 2U);
  EXPECT_EQ(salts.size(), 4U);
  EXPECT_EQ(chunk_count, 160U);
  EXPECT_EQ(chunks.size(), chunk_count);
}

// Slides over the bundle and looks every 16 bytes up among those of the sealed tensors.
TEST(Build, LeavesNoSixteenBytesOfASealedTensorInTheBundle) {
  const Keys keys;
  for (const Model& model : models_of_every_format()) {
    if (model.open.empty() || model.files.size() > 2) continue;
    SCOPED_TRACE(model.name);
    Selection selection;
    selection.open = model.open;
    const auto assembly = assemble(tree_of(model.files), selection);
    ASSERT_THAT(assembly, Succeeds());
    std::unordered_set<std::string_view> windows;
    for (const SealedOutput& output : assembly->sealed_files) {
      if (output.kind != bundle::SealedKind::kModel) continue;
      for (const models::Piece& piece : output.file.pieces) {
        const auto* range = std::get_if<models::SourceRange>(&piece);
        if (range == nullptr || range->size < 1000) continue;  // small ones are headers
        const std::string_view text = as_text(model.files.at(assembly->inputs[range->file].path))
                                          .substr(static_cast<std::size_t>(range->offset),
                                                  static_cast<std::size_t>(range->size));
        for (std::size_t i = 0; i + 16 <= text.size(); ++i) windows.insert(text.substr(i, 16));
      }
    }
    const TemporaryFolder folder;
    ASSERT_THAT(build_bundle(*assembly, request_for(keys, folder / "b.seal")), Succeeds());
    const std::string bundle = sealpack::testing::content_of(folder / "b.seal");
    std::size_t found = 0;
    for (std::size_t i = 0; i + 16 <= bundle.size(); ++i) {
      found += windows.count(std::string_view(bundle).substr(i, 16));
    }
    EXPECT_EQ(found, 0U);
  }
}

TEST(Build, RefusesAFolderAMissingFolderAndAnExistingFile) {
  const Keys keys;
  const TemporaryFolder folder;
  const auto assembly = assemble(tree_of({{"m.bin", noise(100, 1)}}), {});
  ASSERT_THAT(assembly, Succeeds());
  folder.put("taken", "old");
  EXPECT_THAT(build_bundle(*assembly, request_for(keys, folder.path())),
              FailsWith(ErrorCode::kIo, HasSubstr("is a folder")));
  EXPECT_THAT(build_bundle(*assembly, request_for(keys, folder / "none/b.seal")),
              Fails(ErrorCode::kIo));
  EXPECT_THAT(build_bundle(*assembly, request_for(keys, folder / "taken")),
              FailsWith(ErrorCode::kIo, HasSubstr("exists")));
  EXPECT_EQ(folder.names(), std::set<std::string>{"taken"});
  EXPECT_EQ(sealpack::testing::content_of(folder / "taken"), "old");
}

// An input that something writes to while it is sealed; each time the first bytes are sealed.
struct ChangingInput {
  explicit ChangingInput(const TemporaryFolder& folder) : path(folder / "m.bin") {
    folder.put("m.bin", std::string(5U << 20U, 'm'));
    // Older than the resolution of the file system's clock.
    const timespec past[2] = {{1'700'000'000, 0}, {1'700'000'000, 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, path.c_str(), past, 0), 0);
    auto tree = open_inputs(path, {});
    EXPECT_THAT(tree, Succeeds());
    auto assembled = assemble(std::move(*tree), {});
    EXPECT_THAT(assembled, Succeeds());
    assembly = std::move(*assembled);
  }

  Result<BuildReport> build(const Keys& keys, const std::function<void()>& change) {
    BuildRequest request = request_for(keys, path.parent_path() / "b.seal");
    bool changed = false;
    request.data.progress = [&](std::uint64_t) {
      if (!std::exchange(changed, true)) change();
    };
    return build_bundle(assembly, request);
  }

  std::filesystem::path path;
  Assembly assembly;
};

TEST(Build, NoticesAnInputThatShrinks) {
  const Keys keys;
  const TemporaryFolder folder;
  ChangingInput input(folder);
  EXPECT_THAT(input.build(keys, [&] { std::filesystem::resize_file(input.path, 100); }),
              FailsWith(ErrorCode::kIo, HasSubstr("it was longer when it was opened")));
  EXPECT_EQ(folder.names(), std::set<std::string>{"m.bin"});
}

TEST(Build, NoticesAnInputThatGrowsOrIsWrittenTo) {
  const Keys keys;
  for (const bool grows : {false, true}) {
    const TemporaryFolder folder;
    ChangingInput input(folder);
    const auto change = [&] {
      std::fstream file(input.path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(0, grows ? std::ios::end : std::ios::beg);
      file << "other weights";
    };
    EXPECT_THAT(input.build(keys, change),
                FailsWith(ErrorCode::kIo, HasSubstr("m.bin' changed while it was being sealed")));
    EXPECT_EQ(folder.names(), std::set<std::string>{"m.bin"});
  }
}

TEST(Build, TakesNoOffenceAtAnExcludedFileThatGrows) {
  const Keys keys;
  const TemporaryFolder folder;
  folder.put("in/m.bin", "weights");
  folder.put("in/train.log", "line");
  auto tree = open_inputs(folder / "in", {});
  ASSERT_THAT(tree, Succeeds());
  Selection selection;
  selection.exclude = {"*.log"};
  const auto assembly = assemble(std::move(*tree), selection);
  ASSERT_THAT(assembly, Succeeds());
  folder.put("in/train.log", "line after line");
  EXPECT_THAT(build_bundle(*assembly, request_for(keys, folder / "b.seal")), Succeeds());
}

TEST(Build, ReportsWhatItWrote) {
  const Keys keys;
  const TemporaryFolder folder;
  const auto assembly = assemble(tree_of({{"m.bin", noise(100, 1)}}), {});
  ASSERT_THAT(assembly, Succeeds());
  BuildRequest request = request_for(keys, folder / "b.seal");
  request.parent = Digest{};
  request.parent->bytes.fill(9);
  std::uint64_t progress = 0;
  request.data.progress = [&](std::uint64_t bytes) { progress += bytes; };
  const auto report = build_bundle(*assembly, request);
  ASSERT_THAT(report, Succeeds());
  const auto opened = open_whole(keys, folder / "b.seal");
  ASSERT_THAT(opened, Succeeds());
  EXPECT_EQ(report->uuid, opened->verified().content().uuid);
  EXPECT_EQ(report->release_digest, opened->verified().release_digest());
  EXPECT_EQ(report->content_digest, opened->verified().release().content_digest);
  EXPECT_EQ(report->file_size, std::filesystem::file_size(folder / "b.seal"));
  EXPECT_EQ(opened->verified().content().parent, request.parent);
  EXPECT_EQ(progress, 116U);
}

}  // namespace
}  // namespace sealpack::packer
