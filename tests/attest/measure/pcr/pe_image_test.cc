// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/pcr/pe_image.h"

#include <gtest/gtest.h>

#include "keymgmt/crypto/sha256.h"
#include "tests/attest/measure/pcr/pe_builder.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::measure {
namespace {

using testing::Fails;
using testing::PeBuilder;
using testing::Succeeds;

PeBuilder two_sections() {
  PeBuilder builder;
  builder.add(".text", ByteVector(700, 1)).add(".data", ByteVector(20, 2));
  return builder;
}

// All bytes but checksum and signature entry.
Digest without_excluded(const ByteVector& image, std::size_t end) {
  const Bytes bytes(image);
  return crypto::Sha256()
      .update(bytes.first(PeBuilder::kChecksumAt))
      .update(bytes.subspan(PeBuilder::kChecksumAt + 4,
                            PeBuilder::kSecurityAt - PeBuilder::kChecksumAt - 4))
      .update(bytes.subspan(PeBuilder::kSecurityAt + 8, end - PeBuilder::kSecurityAt - 8))
      .finish();
}

TEST(PeImages, AreHashedButForChecksumAndSignature) {
  const ByteVector plain = two_sections().build();
  const auto image = parse_pe_image(plain);
  ASSERT_THAT(image, Succeeds());
  EXPECT_EQ(image->authenticode, without_excluded(plain, plain.size()));
  ASSERT_EQ(image->sections.size(), 2U);
  EXPECT_EQ(image->sections[0].name, ".text");
  EXPECT_EQ(image->sections[0].virtual_size, 700U);
  EXPECT_EQ(image->sections[0].data.size(), 1024U);

  ByteVector summed = plain;
  summed[PeBuilder::kChecksumAt] = 0x77;
  EXPECT_EQ(parse_pe_image(summed)->authenticode, image->authenticode);
  const ByteVector is_signed = two_sections().sign(ByteVector(64, 9)).build();
  EXPECT_EQ(parse_pe_image(is_signed)->authenticode, image->authenticode);
}

TEST(PeImages, HashEveryOtherByte) {
  const ByteVector plain = two_sections().sign(ByteVector(64, 9)).build();
  const Digest genuine = parse_pe_image(plain)->authenticode;
  const auto excluded = [&](std::size_t at) {
    return (at >= PeBuilder::kChecksumAt && at < PeBuilder::kChecksumAt + 4) ||
           at >= plain.size() - 64;
  };
  for (std::size_t at = 0; at < plain.size(); at += at < 0x800 ? 1 : 37) {
    ByteVector changed = plain;
    changed[at] ^= 0x08U;
    const auto image = parse_pe_image(changed);
    if (!image.ok()) continue;
    EXPECT_EQ(image->authenticode == genuine, excluded(at)) << at;
  }
}

TEST(PeImages, WithBytesBehindTheirSectionsHashThemToo) {
  ByteVector longer = two_sections().build();
  longer.insert(longer.end(), 16, 0x42);
  EXPECT_EQ(parse_pe_image(longer)->authenticode, without_excluded(longer, longer.size()));
}

TEST(PeImages, ThatAreNoneAreRefused) {
  const ByteVector good = two_sections().build();
  struct Edit {
    std::size_t at;
    std::uint64_t value;
    unsigned size;
  };
  constexpr std::size_t kSecond = PeBuilder::kSectionsAt + 40;
  for (const Edit& edit : {
           Edit{0, 0, 2},                             // no MZ
           Edit{0x3c, 0xffffffff, 4},                 // header beyond the file
           Edit{PeBuilder::kPeAt, 0, 4},              // no PE
           Edit{PeBuilder::kPeAt + 6, 0, 2},          // no sections
           Edit{PeBuilder::kPeAt + 6, 97, 2},         // too many
           Edit{PeBuilder::kPeAt + 20, 0, 2},         // no optional header
           Edit{PeBuilder::kPeAt + 20, 0xffff, 2},    // one beyond the file
           Edit{PeBuilder::kOptionalAt, 0x107, 2},    // a ROM image
           Edit{PeBuilder::kOptionalAt + 60, 16, 4},  // headers that do not hold themselves
           Edit{PeBuilder::kOptionalAt + 60, 0xffffffff, 4},
           Edit{PeBuilder::kOptionalAt + 108, 4, 4},  // no entry for a signature
           Edit{PeBuilder::kSecurityAt + 4, 8, 4},    // a signature inside the headers
           Edit{kSecond + 20, 0, 4},                  // a section inside the headers
           Edit{kSecond + 20, 0x1000, 4},             // sections that overlap
           Edit{kSecond + 20, 0xfffffff0, 4},         // a section beyond the file
           Edit{kSecond + 16, 0xfffffff0, 4},
       }) {
    ByteVector bad = good;
    PeBuilder::put(bad, edit.at, edit.value, edit.size);
    EXPECT_THAT(parse_pe_image(bad), Fails(ErrorCode::kMalformed)) << edit.at << " " << edit.value;
  }
  ByteVector into_signature = two_sections().sign(ByteVector(64, 9)).build();
  PeBuilder::put(into_signature, kSecond + 16, PeBuilder::kAlignment + 64, 4);
  EXPECT_THAT(parse_pe_image(into_signature), Fails(ErrorCode::kMalformed));
  for (std::size_t size = 0; size < good.size(); size += size < 0x700 ? 1 : 61) {
    EXPECT_THAT(parse_pe_image(Bytes(good).first(size)), Fails(ErrorCode::kMalformed)) << size;
  }
}

}  // namespace
}  // namespace sealpack::measure
