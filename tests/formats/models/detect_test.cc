// SPDX-License-Identifier: Apache-2.0
#include "formats/models/detect.h"

#include "formats/models/safetensors.h"
#include "tests/formats/models/gguf_testing.h"
#include "tests/formats/models/split_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::models {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;
using testing::memory_input;

Result<std::unique_ptr<Model>> open(const std::string& path, ByteVector content,
                                    bool opaque = false) {
  const std::vector<InputFile> inputs = {memory_input(path, std::move(content))};
  return open_model(0, inputs, {opaque, {}});
}

ByteVector text(std::string_view content) {
  return to_vector(as_bytes(content));
}

const std::string kBarePickle = "\x80\x02}q\x01.";
const std::string kTorchZip =
    std::string("PK\x03\x04") + std::string(26, '\0') + "archive/data.pkl";

TEST(OpenModel, PicksTheFormatByNameAndContent) {
  const ByteVector safetensors = serialize_safetensors_header({}, {});
  EXPECT_EQ((*open("a/m.safetensors", safetensors))->format(), Format::kSafetensors);
  EXPECT_EQ((*open("M.SafeTensors", safetensors))->format(), Format::kSafetensors);
  EXPECT_EQ((*open("m.gguf", testing::small_gguf()))->format(), Format::kGguf);
  EXPECT_EQ((*open("ggml-model", testing::small_gguf()))->format(), Format::kGguf);
  EXPECT_EQ((*open("m.bin", testing::small_gguf()))->format(), Format::kGguf);
  for (const char* path :
       {"config.json", "m.bin", "safetensors", "dir.gguf/x", "m.onnx.data", "x."}) {
    EXPECT_EQ((*open(path, text("{\"a\": 1}")))->format(), Format::kOpaque) << path;
  }
  EXPECT_EQ((*open("empty", {}))->format(), Format::kOpaque);
}

TEST(OpenModel, RefusesContentThatBeliesItsName) {
  EXPECT_THAT(open("m.safetensors", testing::small_gguf()), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(open("m.onnx", testing::small_gguf()), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(open("m.gguf", serialize_safetensors_header({}, {})), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(open("m.safetensors", text(kBarePickle)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(open("m.safetensors", {}), Fails(ErrorCode::kMalformed));
}

TEST(OpenModel, RefusesPicklesAndSaysWhy) {
  for (const char* path : {"m.pt", "m.pth", "m.ckpt", "m.pkl", "m.PT"}) {
    for (const auto& content : {kBarePickle, kTorchZip, std::string("cos\nsystem\n")}) {
      EXPECT_THAT(open(path, text(content)),
                  FailsWith(ErrorCode::kUnsupported, HasSubstr("run any code")));
    }
  }
  const auto refused = open("pytorch_model.bin", text(kBarePickle));
  ASSERT_THAT(refused, Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(refused.error().hint(), HasSubstr("save_file"));
}

TEST(OpenModel, FindsAPickleInAnyZip) {
  EXPECT_THAT(open("pytorch_model.bin", text(kTorchZip)), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(open("model.zip", text(kTorchZip)), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(open("m.safetensors", text(kTorchZip)), Fails(ErrorCode::kUnsupported));
  // Only the directory at the end names it.
  const std::string late = std::string("PK\x03\x04") + std::string(100'000, 'x') + "a/data.pkl";
  EXPECT_THAT(open("model.zip", text(late + std::string(1000, '\0'))),
              Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(open("other.zip", text(std::string("PK\x03\x04") + std::string(200, 'x'))),
              Succeeds());
  EXPECT_THAT(open("notes.txt", text("about data.pkl")), Succeeds());
}

TEST(OpenModel, LooksIntoNothingWhenToldSo) {
  for (const char* path : {"m.pt", "m.safetensors", "m.gguf", "m.onnx"}) {
    const auto model = open(path, text(kBarePickle), true);
    ASSERT_THAT(model, Succeeds());
    EXPECT_EQ((*model)->format(), Format::kOpaque);
  }
}

TEST(OpenModel, RefusesAnInputThatIsNotThere) {
  EXPECT_THAT(open_model(0, {}, {}), Fails(ErrorCode::kUsage));
}

TEST(OpaqueModel, IsSealedWhole) {
  const std::vector<InputFile> inputs = {memory_input("a/vocab.bin", text("words"))};
  const auto model = open_model(0, inputs, {});
  ASSERT_THAT(model, Succeeds());
  EXPECT_TRUE((*model)->tensors().empty());
  const auto split = (*model)->split({});
  ASSERT_THAT(split, Succeeds());
  EXPECT_TRUE(split->public_files.empty());
  ASSERT_EQ(split->sealed_files.size(), 1U);
  EXPECT_EQ(split->sealed_files[0].path, "a/vocab.bin");
  EXPECT_EQ(testing::assemble(split->sealed_files[0], inputs), text("words"));
  EXPECT_THAT((*model)->split({true}), Fails(ErrorCode::kUsage));
}

}  // namespace
}  // namespace sealpack::models
