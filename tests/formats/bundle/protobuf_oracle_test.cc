// SPDX-License-Identifier: Apache-2.0
// libprotobuf's own reader as the second opinion on the canonical subset.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "formats/bundle/encode.h"
#include "formats/bundle/sealpack.pb.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/test_bundle.h"

namespace sealpack::bundle {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;

const sealpack::testing::TestBundle& sample() {
  static const auto made = sealpack::testing::build(sealpack::testing::make_keys());
  return made;
}

template <typename Message>
Message read_by_protobuf(Bytes bytes) {
  Message message;
  EXPECT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return message;
}

// What another program may write for the same message; every such writer is legal protobuf.
ByteVector written(const google::protobuf::MessageLite& message) {
  ByteVector out(message.ByteSizeLong());
  EXPECT_TRUE(message.SerializeToArray(out.data(), static_cast<int>(out.size())));
  return out;
}

ByteVector raw(const std::function<void(google::protobuf::io::CodedOutputStream&)>& write) {
  std::string text;
  {
    google::protobuf::io::StringOutputStream stream(&text);
    google::protobuf::io::CodedOutputStream out(&stream);
    write(out);
  }
  return to_vector(as_bytes(text));
}

ByteVector operator+(ByteVector a, const ByteVector& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const ByteVector& content_bytes() {
  return sample().content_bytes;
}
ByteVector release_bytes() {
  return serialize_release(sample().release);
}
ByteVector head_bytes() {
  return serialize_head(sample().head);
}

TEST(ProtobufOracle, ReadsTheSameContent) {
  const auto message = read_by_protobuf<v1::Content>(content_bytes());
  const Content& content = sample().content;
  EXPECT_EQ(message.format(), kFormat);
  EXPECT_EQ(message.suite(), kSuite);
  EXPECT_EQ(message.product(), content.product);
  EXPECT_EQ(message.head_size(), content.head_size);
  EXPECT_EQ(message.uuid(), as_text(content.uuid));
  ASSERT_EQ(static_cast<std::size_t>(message.public_files_size()), content.public_files.size());
  for (int i = 0; i < message.public_files_size(); ++i) {
    const PublicFile& file = content.public_files[static_cast<std::size_t>(i)];
    EXPECT_EQ(message.public_files(i).path(), file.path);
    EXPECT_EQ(message.public_files(i).size(), file.size);
    EXPECT_EQ(message.public_files(i).root(), as_text(file.root.bytes));
  }
  const Segment& segment = content.sealed_files[1].segments[2];
  EXPECT_EQ(message.sealed_files(1).segments(2).size(), segment.size);
  EXPECT_EQ(message.sealed_files(1).segments(2).salt(), as_text(segment.salt));
  EXPECT_EQ(message.sealed_files(1).segments(2).commitment(), as_text(segment.commitment));
  EXPECT_EQ(message.originals(0).extents(1).file(), content.originals[0].extents[1].file);
  EXPECT_EQ(message.card().tensors(0).shape(1), content.card.tensors[0].shape[1]);
  EXPECT_EQ(message.card().facts(1).value(), content.card.facts[1].value);
  EXPECT_EQ(message.plan().parameters(), as_text(content.plan.parameters));
  EXPECT_TRUE(written(message) == content_bytes());
}

TEST(ProtobufOracle, WritesTheSameBytesForReleaseAndHead) {
  EXPECT_TRUE(written(read_by_protobuf<v1::Release>(release_bytes())) == release_bytes());
  EXPECT_TRUE(written(read_by_protobuf<v1::Head>(head_bytes())) == head_bytes());
  const ByteVector grant = serialize_grant({Uuid{1}, Digest{{2}}, sample().head.slots[0]});
  const ByteVector message(grant.begin() + 52, grant.end());
  EXPECT_TRUE(written(read_by_protobuf<v1::Grant>(message)) == message);
}

TEST(ProtobufOracle, AcceptsUnknownFieldsThatWeRefuse) {
  const ByteVector number = raw([](auto& out) {
    out.WriteTag(20U << 3U);
    out.WriteVarint32(5);
  });
  for (const ByteVector& bytes : {content_bytes() + number, number + content_bytes()}) {
    EXPECT_EQ(read_by_protobuf<v1::Content>(bytes).product(), sample().content.product);
    EXPECT_FALSE(parse_content(bytes).ok());
  }
  EXPECT_THAT(parse_release(release_bytes() + number), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_head(head_bytes() + number), Fails(ErrorCode::kMalformed));
}

TEST(ProtobufOracle, AcceptsUnknownFieldsInsideThatWeRefuse) {
  const auto refuse = [](auto pick) {
    auto message = read_by_protobuf<v1::Content>(content_bytes());
    const std::string unknown = "\xa0\x01\x05";  // field 20 = 5
    ASSERT_TRUE(pick(message)->MergeFromString(unknown));
    const ByteVector bytes = written(message);
    EXPECT_GE(bytes.size(), content_bytes().size() + unknown.size());
    EXPECT_THAT(parse_content(bytes), Fails(ErrorCode::kMalformed));
  };
  refuse([](v1::Content& m) { return &m; });
  refuse([](v1::Content& m) { return m.mutable_card(); });
  refuse([](v1::Content& m) { return m.mutable_plan(); });
  refuse([](v1::Content& m) { return m.mutable_public_files(0); });
  refuse([](v1::Content& m) { return m.mutable_sealed_files(1); });
  refuse([](v1::Content& m) { return m.mutable_sealed_files(1)->mutable_segments(0); });
  refuse([](v1::Content& m) { return m.mutable_originals(0); });
  refuse([](v1::Content& m) { return m.mutable_originals(0)->mutable_extents(0); });
  refuse([](v1::Content& m) { return m.mutable_excluded(0); });
  refuse([](v1::Content& m) { return m.mutable_card()->mutable_tensors(0); });
  refuse([](v1::Content& m) { return m.mutable_card()->mutable_facts(0); });
}

// The top-level fields of a message, each with its tag.
std::vector<ByteVector> fields_of(const ByteVector& message) {
  std::vector<ByteVector> fields;
  google::protobuf::io::CodedInputStream in(message.data(), static_cast<int>(message.size()));
  for (int start = 0; std::uint32_t tag = in.ReadTag(); start = in.CurrentPosition()) {
    std::uint64_t value = 0;
    EXPECT_TRUE(in.ReadVarint64(&value));
    if ((tag & 7U) == 2) {
      EXPECT_TRUE(in.Skip(static_cast<int>(value)));
    }
    fields.emplace_back(message.begin() + start, message.begin() + in.CurrentPosition());
  }
  return fields;
}

ByteVector join(const std::vector<ByteVector>& fields) {
  ByteVector all;
  for (const ByteVector& field : fields) all = std::move(all) + field;
  return all;
}

template <typename Message, typename Parse>
void refuses_reordering(const ByteVector& bytes, Parse parse) {
  const std::vector<ByteVector> fields = fields_of(bytes);
  ASSERT_TRUE(join(fields) == bytes);
  for (std::size_t i = 0; i + 1 < fields.size(); ++i) {
    auto swapped = fields;
    std::swap(swapped[i], swapped[i + 1]);
    const bool repeated = fields[i][0] == fields[i + 1][0];
    if (!repeated) {
      EXPECT_TRUE(written(read_by_protobuf<Message>(join(swapped))) == bytes);
    }
    // Without its first field a manifest is one of another format.
    EXPECT_FALSE(parse(join(swapped)).ok()) << i;
  }
}

TEST(ProtobufOracle, AcceptsReorderedFieldsThatWeRefuse) {
  refuses_reordering<v1::Content>(content_bytes(), parse_content);
  refuses_reordering<v1::Release>(release_bytes(), parse_release);
  refuses_reordering<v1::Head>(head_bytes(), parse_head);
}

TEST(ProtobufOracle, LetsTheLastOfTwoScalarsWinWhereWeRefuse) {
  const ByteVector counter = raw([](auto& out) {
    out.WriteTag(6U << 3U);
    out.WriteVarint32(99);
  });
  const auto fields = fields_of(release_bytes());
  for (std::size_t i = 0; i <= fields.size(); ++i) {
    auto with = fields;
    with.insert(with.begin() + static_cast<std::ptrdiff_t>(i), counter);
    (void)read_by_protobuf<v1::Release>(join(with));
    EXPECT_THAT(parse_release(join(with)), Fails(ErrorCode::kMalformed)) << i;
  }
  EXPECT_EQ(read_by_protobuf<v1::Release>(release_bytes() + counter).counter(), 99U);
}

TEST(ProtobufOracle, AcceptsWrittenDefaultsThatWeRefuse) {
  const ByteVector no_limit = raw([](auto& out) {
    out.WriteTag(8U << 3U);  // not_after = 0
    out.WriteVarint32(0);
  });
  auto fields = fields_of(release_bytes());
  const auto place = std::find_if(fields.begin(), fields.end(),
                                  [](const auto& field) { return field[0] > 8U << 3U; });
  fields.insert(place, no_limit);
  EXPECT_TRUE(written(read_by_protobuf<v1::Release>(join(fields))) == release_bytes());
  EXPECT_THAT(parse_release(join(fields)), Fails(ErrorCode::kMalformed));
}

TEST(ProtobufOracle, AcceptsLongVarintsThatWeRefuse) {
  auto fields = fields_of(release_bytes());
  for (ByteVector& field : fields) {
    if ((field[0] & 7U) != 0) continue;
    const ByteVector before = field;
    field.back() |= 0x80;
    field.push_back(0);
    EXPECT_TRUE(written(read_by_protobuf<v1::Release>(join(fields))) == release_bytes());
    EXPECT_THAT(parse_release(join(fields)), Fails(ErrorCode::kMalformed));
    field = before;
  }
}

TEST(ProtobufOracle, AcceptsUnpackedListsThatWeRefuse) {
  const ByteVector tensor = raw([](auto& out) {
    out.WriteTag(3U << 3U);  // shape, an element with a tag of its own
    out.WriteVarint32(4);
  });
  const auto read = read_by_protobuf<v1::CardTensor>(tensor);
  ASSERT_EQ(read.shape_size(), 1);
  // A manifest that ends in a card of that one tensor, and then a plan.
  Content content = sample().content;
  content.card = {};
  content.card.tensors = {{"", "", {4}, 0}};
  const ByteVector packed = serialize_content(content);
  EXPECT_THAT(parse_content(packed), Succeeds());
  const ByteVector wanted = {0x62, 5, 0x12, 3, 0x1a, 1, 4};
  const auto at = std::search(packed.begin(), packed.end(), wanted.begin(), wanted.end());
  ASSERT_NE(at, packed.end());
  ByteVector unpacked(packed.begin(), at);
  unpacked.insert(unpacked.end(), {0x62, 4, 0x12, 2, 0x18, 4});
  unpacked.insert(unpacked.end(), at + static_cast<std::ptrdiff_t>(wanted.size()), packed.end());
  EXPECT_TRUE(written(read_by_protobuf<v1::Content>(unpacked)) == packed);
  EXPECT_THAT(parse_content(unpacked), Fails(ErrorCode::kMalformed));
}

}  // namespace
}  // namespace sealpack::bundle
