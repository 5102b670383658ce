// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/pck_certificate.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/attest/verify/dcap/mint_dcap.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest::dcap {
namespace {

using testing::encode_pck_extension;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::MintDcap;

PckExtension some_extension() {
  PckExtension extension = MintDcap(MintDcap::Kind::kSgx3).extension;
  for (std::uint8_t i = 0; i < 16; ++i) {
    extension.component_svns[i] = static_cast<std::uint8_t>(i * 17);
  }
  extension.pce_svn = 0xfedc;
  extension.pce_id = {0x12, 0x34};
  return extension;
}

// Position of `needle`, which is there.
std::size_t find(const ByteVector& bytes, const ByteVector& needle) {
  const auto at = std::search(bytes.begin(), bytes.end(), needle.begin(), needle.end());
  if (at == bytes.end()) die("not there");
  return static_cast<std::size_t>(at - bytes.begin());
}

TEST(PckExtension, IsReadAsItWasWritten) {
  const PckExtension extension = some_extension();
  EXPECT_EQ(parse_pck_extension(encode_pck_extension(extension)).value(), extension);
  PckExtension processor = extension;
  processor.platform_instance_id.reset();
  processor.smt_enabled.reset();
  EXPECT_EQ(parse_pck_extension(encode_pck_extension(processor)).value(), processor);
}

TEST(PckExtension, RefusesTruncationAndBytesBehind) {
  const ByteVector whole = encode_pck_extension(some_extension());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_pck_extension(Bytes(whole).first(size)).ok()) << size;
  }
  ByteVector longer = whole;
  longer.push_back(0);
  EXPECT_THAT(parse_pck_extension(longer), Fails(ErrorCode::kMalformed));
}

TEST(PckExtension, RefusesFieldsTwiceMissingAndUnknown) {
  const ByteVector whole = encode_pck_extension(some_extension());
  const ByteVector pce_id{0x0d, 0x01, 0x03, 0x04, 0x02};
  ByteVector twice = whole;
  twice[find(whole, pce_id) + 2] = 4;  // PCEID becomes a second FMSPC, of the wrong size too
  EXPECT_THAT(parse_pck_extension(twice), FailsWith(ErrorCode::kMalformed, HasSubstr("FMSPC")));
  ByteVector unknown = whole;
  unknown[find(whole, pce_id) + 2] = 8;
  EXPECT_THAT(parse_pck_extension(unknown), FailsWith(ErrorCode::kMalformed, HasSubstr("outside")));
  const ByteVector component{0x0d, 0x01, 0x02, 0x05};
  ByteVector again = whole;
  again[find(whole, component) + 3] = 6;
  EXPECT_THAT(parse_pck_extension(again), FailsWith(ErrorCode::kMalformed, HasSubstr("twice")));
  EXPECT_THAT(parse_pck_extension(ByteVector{0x30, 0x00}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("lacks")));
}

TEST(PckExtension, RefusesATcbThatLacksAComponent) {
  ByteVector bytes = encode_pck_extension(some_extension());
  constexpr std::size_t kOidBefore = 7;  // bytes of the OID before those that are looked for
  const std::size_t tcb = find(bytes, {0x0d, 0x01, 0x02, 0x30, 0x82}) - kOidBefore;
  const std::size_t component = find(bytes, {0x0d, 0x01, 0x02, 0x05}) - kOidBefore - 4;
  ASSERT_EQ(bytes[component], 0x30);
  const std::size_t size = 2U + bytes[component + 1];
  // Sizes of the extension, of the field and of the TCB, each in two bytes.
  for (const std::size_t at : {std::size_t{2}, tcb - 4, tcb + 12}) {
    ASSERT_EQ(bytes[at - 1], 0x82);
    const std::size_t shorter = (std::size_t{bytes[at]} << 8U | bytes[at + 1]) - size;
    bytes[at] = static_cast<std::uint8_t>(shorter >> 8U);
    bytes[at + 1] = static_cast<std::uint8_t>(shorter);
  }
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(component);
  bytes.erase(begin, begin + static_cast<std::ptrdiff_t>(size));
  EXPECT_THAT(parse_pck_extension(bytes),
              FailsWith(ErrorCode::kMalformed, HasSubstr("lacks a component")));
}

TEST(PckExtension, RefusesAnotherArc) {
  ByteVector bytes = encode_pck_extension(some_extension());
  bytes[find(bytes, {0x0d, 0x01, 0x03})] = 0x0e;
  EXPECT_THAT(parse_pck_extension(bytes), FailsWith(ErrorCode::kMalformed, HasSubstr("outside")));
}

TEST(PckExtension, RefusesSvnsThatAreNone) {
  ByteVector negative = encode_pck_extension(some_extension());
  // Component 5 is 4 * 17 = 68 in one byte: made negative.
  negative[find(negative, {0x0d, 0x01, 0x02, 0x05, 0x02, 0x01}) + 6] = 0x80;
  EXPECT_THAT(parse_pck_extension(negative),
              FailsWith(ErrorCode::kMalformed, HasSubstr("non-negative")));
  ByteVector large = encode_pck_extension(some_extension());
  // Component 9 is 136, in two bytes: made 392.
  large[find(large, {0x0d, 0x01, 0x02, 0x09, 0x02, 0x02}) + 6] = 0x01;
  EXPECT_THAT(parse_pck_extension(large), FailsWith(ErrorCode::kMalformed, HasSubstr("255")));
}

}  // namespace
}  // namespace sealpack::attest::dcap
