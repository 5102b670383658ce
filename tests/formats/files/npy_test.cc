// SPDX-License-Identifier: Apache-2.0
#include "formats/files/npy.h"

#include <fcntl.h>
#include <unistd.h>

#include <thread>

#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::Succeeds;
using testing::TemporaryFolder;

const std::string kGood = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

ByteVector header_of(const std::string& text, std::uint8_t major = 1) {
  const std::string body = text + "\n";
  ByteVector header = {0x93, 'N', 'U', 'M', 'P', 'Y', major, 0};
  for (unsigned i = 0; i < (major == 1 ? 2U : 4U); ++i) {
    header.push_back(static_cast<std::uint8_t>(body.size() >> (8 * i)));
  }
  header.insert(header.end(), body.begin(), body.end());
  return header;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(NpyHeader, ReadsWhatNumPyWrites) {
  const auto header = parse_npy_header(header_of(kGood + "          "));
  ASSERT_THAT(header, Succeeds());
  EXPECT_EQ(header->type, NpyType::kF32);
  EXPECT_EQ(header->shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(header->data_size, 24U);
}

TEST(NpyHeader, ReadsEveryVersionAndOrderOfKeys) {
  for (std::uint8_t version = 1; version <= 3; ++version) {
    const auto header = parse_npy_header(
        header_of("{\"shape\":(), 'fortran_order':False,'descr':\"|b1\"}", version));
    ASSERT_THAT(header, Succeeds());
    EXPECT_EQ(header->type, NpyType::kBool);
    EXPECT_TRUE(header->shape.empty());
    EXPECT_EQ(header->data_size, 1U);
  }
}

TEST(NpyHeader, RefusesEveryTruncationAndExtension) {
  const ByteVector header = header_of(kGood);
  for (std::size_t size = 0; size < header.size(); ++size) {
    EXPECT_THAT(parse_npy_header(Bytes(header).first(size)), Fails(ErrorCode::kMalformed)) << size;
  }
  ByteVector longer = header;
  longer.push_back(0);
  EXPECT_THAT(parse_npy_header(longer), Fails(ErrorCode::kMalformed));
}

TEST(NpyHeader, RefusesWhatItDoesNotTakeWithAHint) {
  const auto fortran = parse_npy_header(header_of(replaced(kGood, "False", "True")));
  EXPECT_THAT(fortran, FailsWith(ErrorCode::kUnsupported, HasSubstr("Fortran")));
  EXPECT_THAT(fortran.error().hint(), HasSubstr("ascontiguousarray"));
  for (const char* type : {">f4", "=f4", "<c8", "|O", "<U3", "f4", "<i2"}) {
    EXPECT_THAT(parse_npy_header(header_of(replaced(kGood, "<f4", type))),
                FailsWith(ErrorCode::kUnsupported, HasSubstr(type)));
  }
  EXPECT_THAT(parse_npy_header(header_of(replaced(kGood, "'<f4'", "[('a', '<f4')]"))),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("records")));
  ByteVector version = header_of(kGood);
  version[6] = 4;
  EXPECT_THAT(parse_npy_header(version), Fails(ErrorCode::kUnsupported));
  version[6] = 1, version[7] = 1;
  EXPECT_THAT(parse_npy_header(version), Fails(ErrorCode::kUnsupported));
}

TEST(NpyHeader, RefusesDictionariesThatAreNotExactlyOne) {
  for (const std::string& text :
       {std::string(""), std::string("{}"), std::string("{,}"), kGood + "x", kGood + kGood,
        replaced(kGood, "'shape'", "'form'"), replaced(kGood, "'shape'", "'descr'"),
        replaced(kGood, "(2, 3)", "(2 3)"), replaced(kGood, "(2, 3)", "(2)"),
        replaced(kGood, "(2, 3)", "2"), replaced(kGood, "(2, 3)", "(2, -3)"),
        replaced(kGood, "(2, 3)", "(2, 03)"), replaced(kGood, "(2, 3)", "(2, 3L)"),
        replaced(kGood, "(2, 3)", "(,)"), replaced(kGood, "(2, 3)", "(2,, 3)"),
        replaced(kGood, "False", "0"),

        replaced(kGood, "'<f4'", "'\\x3cf4'"), replaced(kGood, ", 'shape'", " 'shape'"),
        replaced(kGood, "'descr'", "\"descr'")}) {
    EXPECT_THAT(parse_npy_header(header_of(text)), Fails(ErrorCode::kMalformed)) << text;
  }
  ByteVector no_newline = header_of(kGood);
  no_newline.back() = ' ';
  EXPECT_THAT(parse_npy_header(no_newline), Fails(ErrorCode::kMalformed));
}

TEST(NpyHeader, BoundsSizes) {
  EXPECT_THAT(parse_npy_header(header_of(replaced(kGood, "(2, 3)", "(4294967296, 4294967296)"))),
              Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse_npy_header(header_of(replaced(kGood, "(2, 3)", "(0, 9223372036854775807)"))),
              Fails(ErrorCode::kLimit));
  EXPECT_THAT(parse_npy_header(header_of(replaced(kGood, "(2, 3)", "(99999999999999999999,)"))),
              Fails(ErrorCode::kMalformed));
  std::string many = "(";
  for (int i = 0; i < 33; ++i) many += "1, ";
  EXPECT_THAT(parse_npy_header(header_of(replaced(kGood, "(2, 3)", many + ")"))),
              Fails(ErrorCode::kLimit));
  const ByteVector huge = {0x93, 'N', 'U', 'M', 'P', 'Y', 2, 0, 0xff, 0xff, 0xff, 0xff};
  EXPECT_THAT(npy_header_size(huge), Fails(ErrorCode::kLimit));
  EXPECT_THAT(npy_header_size(Bytes(huge).first(11)), Fails(ErrorCode::kMalformed));
}

TEST(NpyHeader, WritesWhatItReads) {
  const std::vector<std::vector<std::uint64_t>> shapes = {{}, {5}, {2, 3}, {0, 4}, {1, 1, 1, 1, 1}};
  for (const auto& shape : shapes) {
    for (const NpyType type : {NpyType::kF16, NpyType::kF32, NpyType::kF64, NpyType::kI8,
                               NpyType::kI32, NpyType::kI64, NpyType::kU8, NpyType::kBool}) {
      const auto bytes = serialize_npy_header(type, shape);
      ASSERT_THAT(bytes, Succeeds());
      EXPECT_EQ(bytes->size() % 64, 0U);
      EXPECT_EQ(*npy_header_size(Bytes(*bytes).first(12)), bytes->size());
      const auto header = parse_npy_header(*bytes);
      ASSERT_THAT(header, Succeeds());
      EXPECT_EQ(header->type, type);
      EXPECT_EQ(header->shape, shape);
    }
  }
  EXPECT_THAT(serialize_npy_header(NpyType::kF64, {1ULL << 60U}), Fails(ErrorCode::kLimit));
}

std::string record(NpyType type, const std::vector<std::uint64_t>& shape, const std::string& data) {
  const ByteVector header = *serialize_npy_header(type, shape);
  return std::string(header.begin(), header.end()) + data;
}

TEST(NpyReader, ReadsArraysThatFollowOneAnother) {
  const TemporaryFolder folder;
  const auto path =
      folder.put("x.npy", record(NpyType::kU8, {3}, "abc") + record(NpyType::kU8, {0}, "") +
                              record(NpyType::kU8, {2}, "de"));
  NpyReader reader = *NpyReader::open(path.string());
  ASSERT_TRUE((*reader.next()).has_value());
  ByteVector data(2);
  ASSERT_THAT(reader.read(data), Succeeds());
  EXPECT_EQ(as_text(data), "ab");
  ASSERT_THAT(reader.read(MutableBytes(data).first(1)), Succeeds());
  EXPECT_EQ((*reader.next())->data_size, 0U);
  EXPECT_EQ((*reader.next())->data_size, 2U);
  ASSERT_THAT(reader.read(data), Succeeds());
  EXPECT_EQ(as_text(data), "de");
  EXPECT_FALSE((*reader.next()).has_value());
}

TEST(NpyReader, NamesTheFileThatEndsTooSoon) {
  const TemporaryFolder folder;
  const std::string whole = record(NpyType::kU8, {3}, "abc");
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const auto path = folder.put("x.npy", whole.substr(0, size));
    NpyReader reader = *NpyReader::open(path.string());
    auto header = reader.next();
    if (!header.ok()) {
      EXPECT_THAT(header, FailsWith(ErrorCode::kMalformed, HasSubstr("x.npy"))) << size;
      continue;
    }
    ByteVector data(3);
    EXPECT_THAT(reader.read(data), FailsWith(ErrorCode::kMalformed, HasSubstr("before the end")));
  }
}

TEST(NpyReader, RefusesABoolThatIsNone) {
  const TemporaryFolder folder;
  const auto path = folder.put("x.npy", record(NpyType::kBool, {2}, std::string("\1\2", 2)));
  NpyReader reader = *NpyReader::open(path.string());
  ASSERT_THAT(reader.next(), Succeeds());
  ByteVector data(2);
  EXPECT_THAT(reader.read(data), FailsWith(ErrorCode::kMalformed, HasSubstr("bool")));
}

TEST(NpyReader, ReadsAPipeInPieces) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  NpyReader reader(FileDescriptor{ends[0]}, "standard input");
  FileDescriptor writer(ends[1]);
  const std::string bytes = record(NpyType::kU8, {4}, "wxyz");
  std::jthread feed([&] {
    for (const char byte : bytes) ASSERT_EQ(::write(writer.get(), &byte, 1), 1);
    writer.reset();
  });
  ASSERT_TRUE((*reader.next()).has_value());
  ByteVector data(4);
  ASSERT_THAT(reader.read(data), Succeeds());
  EXPECT_EQ(as_text(data), "wxyz");
  EXPECT_FALSE((*reader.next()).has_value());
}

TEST(NpyReader, SaysWhichFileIsNotThere) {
  EXPECT_THAT(NpyReader::open("/nowhere/x.npy"), FailsWith(ErrorCode::kIo, HasSubstr("x.npy")));
}

}  // namespace
}  // namespace sealpack
