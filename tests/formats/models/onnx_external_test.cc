// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx.h"
#include "tests/formats/models/onnx_builder.h"
#include "tests/formats/models/split_testing.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::models {
namespace {

using models::testing::assemble;
using models::testing::memory_input;
using models::testing::model;
using models::testing::pattern;
using models::testing::Proto;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Entries = std::vector<std::pair<std::string_view, std::string_view>>;

// FLOAT [25]: 100 bytes.
Proto external_tensor(std::string_view name, const Entries& entries) {
  Proto tensor;
  tensor.packed(1, {25}).integer(2, 1).text(8, name).integer(14, 1);
  for (const auto& [key, value] : entries) {
    tensor.message(13, Proto().text(1, key).text(2, value));
  }
  return tensor;
}

std::vector<InputFile> folder(const Proto& graph) {
  return {memory_input("sub/m.onnx", model(graph).get()),
          memory_input("sub/data/w.bin", pattern(1000, 1)),
          memory_input("w.bin", pattern(1000, 2))};
}

Result<std::unique_ptr<OnnxModel>> open_tensor(const Entries& entries) {
  const auto inputs = folder(Proto().message(5, external_tensor("w", entries)));
  return open_onnx(0, inputs, {});
}

TEST(OnnxExternalData, IsFoundFromTheFolderOfTheModel) {
  const auto opened =
      open_tensor({{"location", "data/w.bin"}, {"offset", "900"}, {"length", "100"}});
  ASSERT_THAT(opened, Succeeds());
  EXPECT_THAT((*opened)->external_files(), ElementsAre(1U));
  EXPECT_EQ((*opened)->tensors()[0].size, 100U);
}

TEST(OnnxExternalData, RefusesLocationsThatAreNotPlainRelativePaths) {
  for (const char* location : {"", "/sub/data/w.bin", "../w.bin", "data/../data/w.bin",
                               "./data/w.bin", "data//w.bin", "data/", "data\\w.bin", "c:w.bin"}) {
    EXPECT_THAT(open_tensor({{"location", location}}),
                FailsWith(ErrorCode::kMalformed, HasSubstr("relative path")))
        << location;
  }
  EXPECT_THAT(open_tensor({{"location", "m.onnx"}}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("model file itself")));
  EXPECT_THAT(open_tensor({{"location", "w.bin"}}),
              FailsWith(ErrorCode::kUsage, HasSubstr("'sub/w.bin'")));
}

TEST(OnnxExternalData, RefusesOtherThanPlainDecimalNumbers) {
  for (const char* number : {"", "-1", "+1", " 1", "01", "0x1", "1.0", "18446744073709551616"}) {
    EXPECT_THAT(open_tensor({{"location", "data/w.bin"}, {"offset", number}}),
                FailsWith(ErrorCode::kMalformed, HasSubstr("offset")))
        << number;
  }
}

TEST(OnnxExternalData, RefusesRangesThatDoNotFitTheTensorOrTheFile) {
  const std::string_view at = "data/w.bin";
  EXPECT_THAT(open_tensor({{"location", at}, {"offset", "901"}}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("past the end")));
  EXPECT_THAT(open_tensor({{"location", at}, {"offset", "18446744073709551615"}}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("past the end")));
  EXPECT_THAT(open_tensor({{"location", at}, {"length", "99"}}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("99 bytes")));
  EXPECT_THAT(open_tensor({{"location", at}, {"location", at}}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(open_tensor({{"location", at}, {"basepath", "/"}}), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(open_tensor({{"offset", "0"}}), Fails(ErrorCode::kMalformed));
}

Proto three_tensors(std::string_view third_offset) {
  return Proto()
      .message(5, external_tensor("a", {{"location", "data/w.bin"}, {"checksum", "00"}}))
      .message(5, external_tensor("b", {{"location", "data/w.bin"}, {"offset", "100"}}))
      .message(5, external_tensor("c", {{"location", "data/w.bin"}, {"offset", third_offset}}));
}

TEST(OnnxExternalData, KeepsOnlyPublicBytesInThePublicFile) {
  const auto inputs = folder(three_tensors("300"));
  const auto opened = open_onnx(0, inputs, {});
  ASSERT_THAT(opened, Succeeds());
  const auto split = (*opened)->split({false, true, false});
  ASSERT_THAT(split, Succeeds());
  ASSERT_EQ(split->public_files.size(), 2U);
  EXPECT_EQ(split->public_files[1].path, "sub/data/w.bin");
  ByteVector expected = pattern(1000, 1);
  ByteVector third(expected.begin() + 300, expected.begin() + 400);
  expected.resize(100);
  expected.resize(128);  // the next multiple of 64
  expected.insert(expected.end(), third.begin(), third.end());
  EXPECT_EQ(assemble(split->public_files[1], inputs), expected);

  const std::vector<InputFile> outputs = {
      memory_input("sub/m.onnx", assemble(split->public_files[0], inputs)),
      memory_input("sub/data/w.bin", expected)};
  const auto again = open_onnx(0, outputs, {});
  ASSERT_THAT(again, Succeeds());
  ASSERT_EQ((*again)->tensors().size(), 2U);
  EXPECT_EQ((*again)->tensors()[1].name, "c");
}

TEST(OnnxExternalData, KeepsAnEmptyTensorInsideItsFile) {
  Proto empty;
  empty.packed(1, {0}).integer(2, 1).text(8, "e").integer(14, 1);
  empty.message(13, Proto().text(1, "location").text(2, "data/w.bin"));
  const auto inputs = folder(three_tensors("300").message(5, empty));
  const auto opened = open_onnx(0, inputs, {});
  ASSERT_THAT(opened, Succeeds());
  const auto split = (*opened)->split({true, true, false, false});
  ASSERT_THAT(split, Succeeds());
  const std::vector<InputFile> outputs = {
      memory_input("sub/m.onnx", assemble(split->public_files[0], inputs)),
      memory_input("sub/data/w.bin", assemble(split->public_files[1], inputs))};
  EXPECT_THAT(open_onnx(0, outputs, {}), Succeeds());
}

TEST(OnnxExternalData, KeepsSharedBytesOnOneSide) {
  for (const char* offset : {"100", "199", "1"}) {
    const auto inputs = folder(three_tensors(offset));
    const auto opened = open_onnx(0, inputs, {});
    ASSERT_THAT(opened, Succeeds());
    EXPECT_THAT((*opened)->split({true, true, false}),
                FailsWith(ErrorCode::kUnsupported, HasSubstr("share bytes")))
        << offset;
  }
  const auto inputs = folder(three_tensors("100"));
  const auto opened = open_onnx(0, inputs, {});
  ASSERT_THAT(opened, Succeeds());
  EXPECT_THAT((*opened)->split({false, true, true}), Succeeds());
  const auto split = (*opened)->split({true, false, false});
  ASSERT_THAT(split, Succeeds());
  EXPECT_EQ(total_size(split->public_files.at(1)), 100U) << "shared public bytes are kept once";
}

TEST(OnnxExternalData, MovesToTheSideOfTheWholeModel) {
  const auto inputs = folder(three_tensors("300"));
  const auto opened = open_onnx(0, inputs, {});
  ASSERT_THAT(opened, Succeeds());
  const auto sealed = (*opened)->split({true, true, true});
  ASSERT_THAT(sealed, Succeeds());
  ASSERT_EQ(sealed->sealed_files.size(), 2U);
  EXPECT_TRUE(sealed->public_files.empty());
  EXPECT_EQ(assemble(sealed->sealed_files[1], inputs), pattern(1000, 1));
}

}  // namespace
}  // namespace sealpack::models
