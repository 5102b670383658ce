// SPDX-License-Identifier: Apache-2.0
#include "unpacker/core/card_check.h"

#include <gtest/gtest.h>

#include "tests/testing/result_matchers.h"

namespace sealpack::unpacker {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::testing::HasSubstr;
using ::testing::Not;

// One public file (0) and one sealed file (1) with two tensors.
bundle::Content content() {
  bundle::Content content;
  content.public_files.push_back({"net.safetensors", 8, {}});
  content.sealed_files.push_back({"net.safetensors", bundle::SealedKind::kModel, {}});
  content.card.tensors = {{"open", "F32", {2}, 0}, {"a", "F32", {2, 3}, 1}, {"b", "BF16", {4}, 1}};
  return content;
}

models::SafetensorsHeader header() {
  models::SafetensorsHeader header;
  header.entries = {{"b", "BF16", {4}, 0, 8}, {"a", "F32", {2, 3}, 8, 32}};
  return header;
}

TEST(CardCheck, AcceptsTheSameTensorsInAnyOrder) {
  EXPECT_THAT(check_card(content(), 1, header()), Succeeds());
}

TEST(CardCheck, RefusesAnotherNameDtypeOrShape) {
  for (const auto& edit : {+[](bundle::CardTensor& tensor) { tensor.name = "c"; },
                           +[](bundle::CardTensor& tensor) { tensor.dtype = "F16"; },
                           +[](bundle::CardTensor& tensor) {
                             tensor.shape = {3, 2};
                           }}) {
    bundle::Content changed = content();
    edit(changed.card.tensors[1]);
    EXPECT_THAT(check_card(changed, 1, header()), Fails(ErrorCode::kMalformed));
  }
}

TEST(CardCheck, RefusesATensorTooManyOrTooFew) {
  bundle::Content more = content();
  more.card.tensors.push_back({"z", "F32", {1}, 1});
  EXPECT_THAT(check_card(more, 1, header()), FailsWith(ErrorCode::kMalformed, HasSubstr("'z'")));
  bundle::Content fewer = content();
  fewer.card.tensors.pop_back();
  EXPECT_THAT(check_card(fewer, 1, header()), Fails(ErrorCode::kMalformed));
}

TEST(CardCheck, RefusesATensorThatTheCardPutsIntoAnotherFile) {
  bundle::Content moved = content();
  moved.card.tensors[1].file = 0;
  EXPECT_THAT(check_card(moved, 1, header()), Fails(ErrorCode::kMalformed));
}

TEST(CardCheck, WithNamesRedactedComparesTheRestAndTellsNoName) {
  bundle::Content redacted = content();
  redacted.card.redaction = bundle::Redaction::kNames;
  redacted.card.tensors[1].name.clear();
  redacted.card.tensors[2].name.clear();
  EXPECT_THAT(check_card(redacted, 1, header()), Succeeds());
  redacted.card.tensors[2].shape = {5};
  EXPECT_THAT(check_card(redacted, 1, header()),
              FailsWith(ErrorCode::kMalformed, Not(HasSubstr("'b'"))));
}

TEST(CardCheck, WithAllRedactedTheCardMayListNone) {
  bundle::Content redacted = content();
  redacted.card.redaction = bundle::Redaction::kAll;
  EXPECT_THAT(check_card(redacted, 1, header()), Fails(ErrorCode::kMalformed));
  redacted.card.tensors.resize(1);
  EXPECT_THAT(check_card(redacted, 1, header()), Succeeds());
}

TEST(CardCheck, KnowsSafetensorsFilesByNameAndHeader) {
  bundle::SealedFile file{"net.safetensors", bundle::SealedKind::kModel, {}};
  EXPECT_FALSE(has_safetensors_header(file));
  bundle::Segment segment;
  segment.kind = bundle::SegmentKind::kHeader;
  segment.size = 64;
  file.segments.push_back(segment);
  EXPECT_TRUE(has_safetensors_header(file));
  file.kind = bundle::SealedKind::kResidue;
  EXPECT_FALSE(has_safetensors_header(file));
  file.kind = bundle::SealedKind::kModel;
  file.path = "net.onnx";
  EXPECT_FALSE(has_safetensors_header(file));
}

}  // namespace
}  // namespace sealpack::unpacker
