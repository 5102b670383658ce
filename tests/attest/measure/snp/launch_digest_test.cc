// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/snp/launch_digest.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "attest/measure/snp/firmware_image.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest::snp {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;

void append_u16(ByteVector& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value));
  out.push_back(static_cast<std::uint8_t>(value >> 8U));
}
void append_u32(ByteVector& out, std::uint32_t value) {
  append_u16(out, value & 0xFFFFU);
  append_u16(out, value >> 16U);
}
void append(ByteVector& out, const ByteVector& bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// GUIDs as they lie in the image.
const char* const kHashesGuid = "1f3755723b3a044b927b1da6efa8d454";
const char* const kResetGuid = "de71f7007e1acb4f890e68c77e2fb44e";
const char* const kMetadataGuid = "666588dc4a989847a75e5585a7bf67cc";
const char* const kTableGuid = "de82b596b21ff745baeaa366c55a082d";

ByteVector entry(const std::string& guid, const std::vector<std::uint32_t>& words) {
  ByteVector out;
  for (const std::uint32_t word : words) append_u32(out, word);
  append_u16(out, out.size() + 18);
  append(out, from_hex(guid).value());
  return out;
}

// Two pages with what OVMF has at its end; each part may be changed before it is put together.
struct TestImage {
  struct Part {
    std::uint32_t address, size, type;
  };
  std::vector<Part> sections{{0x800000, 0x9000, 1}, {0x80A000, 0x3000, 1}, {0x80D000, 0x1000, 2},
                             {0x80E000, 0x1000, 3}, {0x80F000, 0x1000, 4}, {0x810000, 0x1000, 16},
                             {0x811000, 0xF000, 1}};
  std::uint32_t kernel_hashes = 0x810C00;
  std::uint32_t metadata_version = 1;
  std::uint32_t more_sections = 0;  // than there are
  std::string signature = "ASEV";
  bool with_reset = true;
  bool with_metadata = true;
  std::string table_guid = kTableGuid;

  ByteVector bytes() const {
    constexpr std::size_t kSize = 8192;
    constexpr std::size_t kMetadataAt = 4096 + 0x100;
    ByteVector image(kSize);
    for (std::size_t i = 0; i < kSize; ++i) image[i] = static_cast<std::uint8_t>(i * 7);
    ByteVector metadata = to_vector(as_bytes(signature));
    const auto count = static_cast<std::uint32_t>(sections.size());
    append_u32(metadata, 16 + 12 * count);
    append_u32(metadata, metadata_version);
    append_u32(metadata, count + more_sections);
    for (const Part& part : sections) {
      append_u32(metadata, part.address);
      append_u32(metadata, part.size);
      append_u32(metadata, part.type);
    }
    std::copy(metadata.begin(), metadata.end(), image.begin() + kMetadataAt);
    ByteVector table = entry(kHashesGuid, {kernel_hashes, 0x400});
    if (with_reset) append(table, entry(kResetGuid, {0x80B004}));
    if (with_metadata) append(table, entry(kMetadataGuid, {kSize - kMetadataAt}));
    append_u16(table, table.size() + 18);
    append(table, from_hex(table_guid).value());
    std::copy(table.begin(), table.end(),
              image.end() - 32 - static_cast<std::ptrdiff_t>(table.size()));
    return image;
  }
};

Result<LaunchDigest> digest_of(const ByteVector& image) {
  Launch launch;
  launch.firmware = image;
  launch.processor_signature = processor_signature("EPYC-Milan").value();
  return launch_digest(launch);
}

// Expected values were computed with sev-snp-measure 0.0.13 (github.com/virtee/sev-snp-measure),
// which shares no code with this, on the image that TestImage makes.
struct Expected {
  std::uint32_t processors;
  const char* model;
  std::uint64_t features;
  std::optional<DirectBoot> boot;
  const char* digest;
};

TEST(SnpLaunchDigest, IsThatOfAnIndependentTool) {
  const Expected kExpected[] = {
      {1, "EPYC-Milan", 0x1, std::nullopt,
       "ab9dd97eb5d2d25b46a1ef61b9cf69afe81537eea5a8c6bc"
       "c04aa5556c5d40cab7bf06973e0ad72324fad459030b0096"},
      {3, "EPYC-Milan", 0x1, std::nullopt,
       "946e120c6a0ccfeb29b0aeb45815f7deaf90c554c4fb8cd1"
       "8ff80e76dce785f1c50c2f1c303eadbe09f5b91be6aaeacc"},
      {1, "EPYC-Genoa", 0x1, std::nullopt,
       "716fd9f8e1e5c6407be6c17bf9981c6ae2e84c47e6ca149f"
       "58de336a06051ef3c9f2995e9748fd4f656269afe2430904"},
      {1, "EPYC-Milan", 0x21, std::nullopt,
       "0e197ad6bb2c085afbcb8da473351a46fbca86c7f63bab9f"
       "4bdd97227ee5475941c93d536c898cb075e1892e98fe79b0"},
      {2, "EPYC-Turin", 0x1,
       DirectBoot{as_bytes("a kernel"), as_bytes("an initrd"), "console=ttyS0"},
       "26cf45f1eb65d48a72777da77d01314ef29d70ede41f26b7"
       "451d9fe66aa0fd20f6587bdd9237890462023e1fa28f26f0"},
      {1, "EPYC-v4", 0x1, DirectBoot{as_bytes("a kernel"), {}, ""},
       "d8700f155365772094865597771e04004d7ab17a09b1281a"
       "6896f58c5d2d79b32188aed973fbb79065d81b993fbf2e95"},
  };
  const ByteVector image = TestImage().bytes();
  for (const Expected& expected : kExpected) {
    Launch launch;
    launch.firmware = image;
    launch.direct_boot = expected.boot;
    launch.processors = expected.processors;
    launch.processor_signature = processor_signature(expected.model).value();
    launch.features = expected.features;
    EXPECT_EQ(to_hex(launch_digest(launch).value()), expected.digest)
        << expected.processors << " " << expected.model;
  }
}

TEST(SnpLaunchDigest, ChangesWithEveryPartOfTheBoot) {
  const ByteVector image = TestImage().bytes();
  Launch launch;
  launch.firmware = image;
  launch.direct_boot = DirectBoot{as_bytes("kernel"), as_bytes("initrd"), "quiet"};
  const LaunchDigest all = launch_digest(launch).value();
  Launch other = launch;
  other.direct_boot->kernel = as_bytes("kernem");
  EXPECT_NE(launch_digest(other).value(), all);
  other = launch;
  other.direct_boot->initrd = {};
  EXPECT_NE(launch_digest(other).value(), all);
  other = launch;
  other.direct_boot->command_line = "quiet ";
  EXPECT_NE(launch_digest(other).value(), all);
  other = launch;
  other.direct_boot.reset();
  EXPECT_NE(launch_digest(other).value(), all);
  ByteVector changed = image;
  changed[0] ^= 1;
  other = launch;
  other.firmware = changed;
  EXPECT_NE(launch_digest(other).value(), all);
}

TEST(SnpLaunchDigest, RefusesAKernelThatWouldNotBeMeasured) {
  TestImage without;
  std::erase_if(without.sections, [](const auto& section) { return section.type == 16; });
  TestImage unread;
  unread.kernel_hashes = 0;
  for (const TestImage& test_image : {without, unread}) {
    const ByteVector image = test_image.bytes();
    Launch launch;
    launch.firmware = image;
    launch.direct_boot = DirectBoot{as_bytes("kernel"), {}, ""};
    EXPECT_THAT(launch_digest(launch),
                FailsWith(ErrorCode::kUnsupported, HasSubstr("would not be measured")));
    launch.direct_boot.reset();
    EXPECT_TRUE(launch_digest(launch).ok());
  }
}

TEST(SnpLaunchDigest, RefusesHashesOutsideTheirPage) {
  for (const std::uint32_t address : {0x80FFFFU, 0x810FF0U, 0x811000U}) {
    TestImage test_image;
    test_image.kernel_hashes = address;
    const ByteVector image = test_image.bytes();
    Launch launch;
    launch.firmware = image;
    launch.direct_boot = DirectBoot{as_bytes("kernel"), {}, ""};
    EXPECT_THAT(launch_digest(launch), Fails(ErrorCode::kMalformed)) << address;
  }
}

TEST(SnpLaunchDigest, RefusesGuestsThatAreNone) {
  const ByteVector image = TestImage().bytes();
  Launch launch;
  launch.firmware = image;
  launch.processors = 0;
  EXPECT_THAT(launch_digest(launch), Fails(ErrorCode::kUsage));
  launch.processors = kMaxProcessors + 1;
  EXPECT_THAT(launch_digest(launch), Fails(ErrorCode::kUsage));
  launch.processors = 1;
  launch.features = 0x20;
  EXPECT_THAT(launch_digest(launch), Fails(ErrorCode::kUsage));
}

TEST(SnpProcessorModels, HaveTheirSignatures) {
  EXPECT_EQ(processor_signature("EPYC-v4").value(), 0x800F12U);
  EXPECT_EQ(processor_signature("EPYC-Rome").value(), 0x830F10U);
  EXPECT_EQ(processor_signature("EPYC-Milan-v2").value(), 0xA00F11U);
  EXPECT_EQ(processor_signature("EPYC-Genoa").value(), 0xA10F10U);
  EXPECT_EQ(processor_signature("EPYC-Turin").value(), 0xB00F00U);
  EXPECT_EQ(processor_signature("EPYC-Milan-v3").value(), 0xA00F11U);
  EXPECT_EQ(processor_signature("EPYC-Rome-v5").value(), 0x830F10U);
  EXPECT_EQ(processor_signature("EPYC-Genoa-v2").value(), 0xA10F10U);
  EXPECT_EQ(processor_signature("EPYC-Turin-v12").value(), 0xB00F00U);
  EXPECT_EQ(processor_signature("EPYC-IBPB").value(), 0x800F12U);
  for (const char* name : {"qemu64", "", "EPYC-", "EPYC-v", "EPYC-v0", "EPYC-v01", "EPYC-v100",
                           "EPYC-Milan-v2x", "EPYC-Milan2", "EPYC-IBPB-v2", "epyc-milan"}) {
    EXPECT_THAT(processor_signature(name), Fails(ErrorCode::kUsage)) << name;
  }
  for (const std::string_view model : processor_models()) {
    EXPECT_TRUE(processor_signature(model).ok());
  }
}

TEST(FirmwareImage, KnowsWhatItSaysAboutItself) {
  const FirmwareImage image = parse_firmware_image(TestImage().bytes()).value();
  EXPECT_EQ(image.address, 0xFFFFE000U);
  EXPECT_EQ(image.secondary_start, 0x80B004U);
  EXPECT_EQ(image.kernel_hashes, 0x810C00U);
  ASSERT_EQ(image.sections.size(), 7U);
  EXPECT_EQ(image.sections[5].type, SectionType::kKernelHashes);
}

TEST(FirmwareImage, RefusesOtherSizes) {
  for (const std::size_t size : {0U, 1U, 4095U, 4097U}) {
    EXPECT_THAT(digest_of(ByteVector(size)), Fails(ErrorCode::kMalformed));
  }
}

TEST(FirmwareImage, RefusesImagesThatAreNotOvmf) {
  TestImage image;
  image.table_guid = kResetGuid;
  EXPECT_THAT(digest_of(image.bytes()), FailsWith(ErrorCode::kUnsupported, HasSubstr("not OVMF")));
}

TEST(FirmwareImage, RefusesImagesBuiltWithoutSnp) {
  TestImage image;
  image.with_metadata = false;
  EXPECT_THAT(digest_of(image.bytes()),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("without SEV-SNP")));
  image = {};
  image.with_reset = false;
  EXPECT_THAT(digest_of(image.bytes()),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("without SEV-SNP")));
}

TEST(FirmwareImage, RefusesSectionsThatItCannotMeasure) {
  for (const std::uint32_t type : {0U, 5U, 15U, 17U}) {
    TestImage image;
    image.sections[0].type = type;
    EXPECT_THAT(digest_of(image.bytes()), Fails(ErrorCode::kUnsupported)) << type;
  }
}

TEST(FirmwareImage, RefusesSectionsThatAreNotWholePages) {
  const TestImage::Part kBad[] = {
      {0x800001, 0x1000, 1}, {0x800000, 0x1001, 1}, {0x800000, 0, 1},      {0xFFFFF000, 0x2000, 1},
      {0x800000, 0x2000, 2}, {0x800000, 0x2000, 3}, {0x800000, 0x2000, 16}};
  for (const TestImage::Part& bad : kBad) {
    TestImage image;
    image.sections[0] = bad;
    EXPECT_THAT(digest_of(image.bytes()), Fails(ErrorCode::kMalformed));
  }
}

TEST(FirmwareImage, RefusesMetadataThatContradictsItself) {
  TestImage image;
  image.signature = "ASEW";
  EXPECT_THAT(digest_of(image.bytes()), Fails(ErrorCode::kMalformed));
  image = {};
  image.more_sections = 1;
  EXPECT_THAT(digest_of(image.bytes()), Fails(ErrorCode::kMalformed));
  image.more_sections = 0xFFFFFF00;
  EXPECT_THAT(digest_of(image.bytes()), Fails(ErrorCode::kMalformed));
  image = {};
  image.metadata_version = 2;
  EXPECT_THAT(digest_of(image.bytes()), Fails(ErrorCode::kUnsupported));
}

TEST(FirmwareImage, SurvivesAnyChangedByteOfItsTables) {
  const ByteVector good = TestImage().bytes();
  const LaunchDigest expected = digest_of(good).value();
  for (std::size_t at = 4096; at < good.size(); ++at) {
    ByteVector bad = good;
    bad[at] ^= 0x81;
    const auto digest = digest_of(bad);
    if (digest.ok()) {
      EXPECT_NE(*digest, expected) << "byte " << at;
    }
  }
}

}  // namespace
}  // namespace sealpack::attest::snp
