// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/pcr/predict.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "attest/measure/pcr/pe_image.h"
#include "keymgmt/crypto/sha256.h"
#include "tests/attest/measure/pcr/pe_builder.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::measure {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::PeBuilder;
using testing::Succeeds;

ByteVector recorded(const std::string& name) {
  std::ifstream file(std::string(SEALPACK_SOURCE) + "/tests/attest/measure/pcr/recorded/" + name,
                     std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Prediction : public ::testing::Test {
 protected:
  Result<PcrMap> predict(const std::string& toml) {
    const auto description = parse_boot_description(toml, "boot.toml");
    if (!description.ok()) return description.error();
    return predict_pcrs(*description, [&](const std::string& name) -> Result<ByteVector> {
      const auto found = files.find(name);
      if (found == files.end()) return Error(ErrorCode::kIo, "no file " + name);
      return found->second;
    });
  }
  std::string value(const std::string& toml, std::uint8_t pcr) {
    const auto pcrs = predict(toml);
    EXPECT_THAT(pcrs, Succeeds());
    if (!pcrs.ok() || pcrs->count(pcr) == 0) return "none";
    return to_hex(pcrs->at(pcr).bytes);
  }

  std::map<std::string, ByteVector> files;
};

std::string extended(const std::vector<std::string>& digests) {
  Digest value;
  for (const std::string& digest : digests) {
    value = crypto::Sha256().update(value.bytes).update(from_hex(digest).value()).finish();
  }
  return to_hex(value.bytes);
}
std::string sha256_of(std::string_view text) {
  return to_hex(crypto::sha256(as_bytes(text)).bytes);
}
std::string sha256_of(Bytes bytes) {
  return to_hex(crypto::sha256(bytes).bytes);
}
std::string wide(std::string_view text) {
  std::string out;
  for (const char letter : text) out += {letter, '\0'};
  return out + std::string(2, '\0');
}

const std::string kCalling = sha256_of("Calling EFI Application from Boot Option");
const std::string kReturning = sha256_of("Returning from EFI Application from Boot Option");
const std::string kSeparator = sha256_of(std::string_view("\0\0\0\0", 4));

// What the guests themselves read after the boots whose logs these are.
TEST_F(Prediction, OfRecordedBootsIsWhatTheirGuestsRead) {
  files = {{"ovmf", recorded("qemu-ovmf.log")},
           {"seabios", recorded("qemu-seabios.log")},
           {"unified", recorded("unified-image.log")}};
  struct Case {
    const char* file;
    std::uint8_t pcr;
    const char* value;
  };
  for (const Case& one : {
           Case{"ovmf", 0, "177e29c417b6b61c7cf46ed30b4468931f58642527a268b556254e39b941ec6a"},
           Case{"ovmf", 1, "8e9d1fe23131f12d6a523e9c32eb3223d4dc25e14eb5fd60163e7ba8de0f248c"},
           Case{"ovmf", 4, "9f6cb8e4642a3e726ed7649cf51cba594fe3aa0e3e2cd52a8ef7a1495eae00e1"},
           Case{"ovmf", 7, "65caf8dd1e0ea7a6347b635d2b379c93b9a1351edc2afc3ecda700e534eb3068"},
           Case{"ovmf", 9, "52a14a226d7a761f2d30569b9ee74f2fb8aeab792552290f40817fa793ac0bed"},
           Case{"seabios", 0, "e21b703ee69c77476bccb43ec0336a9a1b2914b378944f7b00a10214ca8fea93"},
           Case{"seabios", 2, "6dfbdc4eddd2202b37210716b8da0261e2f6daeef37d0a2d6804e1b62b2a1ccd"},
           Case{"unified", 4, "333c9939a3d8f266d9ee02381871bd15daee558ab80a70a28ea3a714e049bd63"},
           Case{"unified", 9, "20857390200d7099d6692d56782d1f88a7000bb0e9f0d81961cb59d92e733140"},
           Case{"unified", 11, "e868da306c3da396d4c2d15175d6e99034d3dcdf99a29d598b3cc83f9c690014"},
       }) {
    if (files[one.file].empty()) FAIL() << "no recorded log " << one.file;
    EXPECT_EQ(value("[log]\nfile = \"" + std::string(one.file) + "\"\n", one.pcr), one.value)
        << one.file << " PCR " << static_cast<int>(one.pcr);
  }
}

// Of a command line that is replaced by itself, and of another that was booted too.
TEST_F(Prediction, ReplacesWhatNamedEventsMeasure) {
  files["log"] = recorded("qemu-ovmf.log");
  const auto with = [](const std::string& command_line) {
    return "[log]\nfile = \"log\"\n[[log.replace]]\npcr = 9\ndescription = \"LoadOptions\"\n"
           "command_line = \"" +
           command_line + "\"\n";
  };
  EXPECT_EQ(value(with("console=ttyS0 panic=-1 quiet initrd=initrd"), 9),
            "52a14a226d7a761f2d30569b9ee74f2fb8aeab792552290f40817fa793ac0bed");
  EXPECT_EQ(value(with("console=ttyS0 panic=-1 quiet x=1 initrd=initrd"), 9),
            "9c1d1ec992ba59e5f8cc7048e6cacc17f4d292564d5d7620fe382ab3d4a42525");
}

TEST_F(Prediction, ReplacesByEveryKindOfContent) {
  files["log"] = recorded("qemu-ovmf.log");
  files["initrd"] = {1, 2, 3};
  files["kernel"] = PeBuilder().add(".text", ByteVector(512, 7)).build();
  const std::string kernel = to_hex(parse_pe_image(files["kernel"]).value().authenticode.bytes);
  const std::string toml =
      "[log]\nfile = \"log\"\n[[log.replace]]\npcr = 9\nevent = 1\ntext = \"a\"\n"
      "[[log.replace]]\npcr = 9\nevent = 2\nfile = \"initrd\"\n"
      "[[log.replace]]\npcr = 4\nevent = 1\npe = \"kernel\"\n"
      "[[log.replace]]\npcr = 4\nevent = 2\ndigest = \"" +
      std::string(64, 'a') + "\"\n";
  EXPECT_EQ(value(toml, 9), extended({sha256_of("a"), sha256_of(files["initrd"])}));
  EXPECT_EQ(value(toml, 4), extended({kernel, std::string(64, 'a'), kSeparator}));
}

TEST_F(Prediction, RefusesReplacementsThatNameNoOneEvent) {
  files["log"] = recorded("qemu-ovmf.log");
  const auto with = [](const std::string& replacement) {
    return "[log]\nfile = \"log\"\n[[log.replace]]\npcr = 9\n" + replacement;
  };
  EXPECT_THAT(predict(with("event = 3\ntext = \"a\"\n")), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(predict(with("description = \"nowhere\"\ntext = \"a\"\n")),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(predict(with("description = \"L\"\ntext = \"a\"\n")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("several events")));
  EXPECT_THAT(predict(with("event = 1\ntext = \"a\"\n[[log.replace]]\npcr = 9\nevent = 1\n"
                           "text = \"b\"\n")),
              FailsWith(ErrorCode::kMalformed, HasSubstr("replaced twice")));
}

TEST_F(Prediction, OfAKernelUnderQemuIsItsPatchedImageThenTheBootOption) {
  files["kernel"] = PeBuilder().bzimage().add(".text", ByteVector(1024, 3)).build();
  files["initrd"] = ByteVector(5000, 9);
  const std::string toml =
      "[boot]\nloader = \"qemu\"\nkernel = \"kernel\"\ninitrd = \"initrd\"\n"
      "command_line = \"quiet\"\nmemory_mib = 512\n";
  ByteVector patched = files["kernel"];
  patched[0x210] = 0xb0;
  patched[0x211] |= 0x80;
  const std::uint32_t initrd_at = (0x20000000 - 0x28000 - 1 - 5000) & ~4095U;
  const auto put = [&](std::size_t at, std::uint32_t number, unsigned size) {
    for (unsigned i = 0; i < size; ++i) {
      patched[at + i] = static_cast<std::uint8_t>((number >> (8U * i)) & 0xffU);
    }
  };
  put(0x218, initrd_at, 4);
  put(0x21c, 5000, 4);
  put(0x224, 0xfe00, 2);
  put(0x228, 0x20000, 4);
  const std::string image = to_hex(parse_pe_image(patched).value().authenticode.bytes);
  EXPECT_EQ(value(toml, 4), extended({image, kCalling, kSeparator}));
  EXPECT_EQ(value(toml, 9),
            extended({sha256_of(wide("quiet initrd=initrd")), sha256_of(files["initrd"])}));
  EXPECT_EQ(value(toml, 0), "none");
}

TEST_F(Prediction, OfAKernelUnderQemuFollowsTheMemoryOfTheMachine) {
  files["kernel"] = PeBuilder().bzimage().add(".text", ByteVector(1024, 3)).build();
  files["initrd"] = ByteVector(5000, 9);
  std::set<std::string> values;
  for (const char* rest : {"memory_mib = 512", "memory_mib = 1024", "memory_mib = 3072",
                           "memory_mib = 3072\nmachine = \"pc\"", "memory_mib = 8192"}) {
    values.insert(value("[boot]\nloader = \"qemu\"\nkernel = \"kernel\"\ninitrd = \"initrd\"\n" +
                            std::string(rest) + "\n",
                        4));
  }
  EXPECT_EQ(values.size(), 4U);  // above 2.75 GiB low memory of q35 ends at 2 GiB
}

TEST_F(Prediction, RefusesAnInitrdThatTheMemoryOfTheMachineCannotHold) {
  files["kernel"] = PeBuilder().bzimage().add(".text", ByteVector(1024, 3)).build();
  files["initrd"] = ByteVector(std::size_t{1} << 20U);
  const std::string toml =
      "[boot]\nloader = \"qemu\"\nkernel = \"kernel\"\ninitrd = \"initrd\"\nmemory_mib = ";
  EXPECT_THAT(predict(toml + "1\n"), FailsWith(ErrorCode::kUsage, HasSubstr("does not fit")));
  EXPECT_THAT(predict(toml + "2\n"), Succeeds());
}

TEST_F(Prediction, OfAKernelAsBootOptionFollowsTheOptionsThatFailed) {
  files["kernel"] = PeBuilder().add(".text", ByteVector(512, 7)).build();
  const std::string image = to_hex(parse_pe_image(files["kernel"]).value().authenticode.bytes);
  const std::string toml = "[boot]\nloader = \"firmware\"\nkernel = \"kernel\"\n";
  EXPECT_EQ(value(toml, 4), extended({kCalling, kSeparator, image}));
  EXPECT_EQ(value(toml + "failed_boot_options = 1\n", 4),
            extended({kCalling, kSeparator, kReturning, kCalling, image}));
  EXPECT_EQ(value(toml, 9), "none");
  EXPECT_EQ(value(toml + "command_line = \"quiet\"\n", 9), extended({sha256_of(wide("quiet"))}));
}

TEST_F(Prediction, OfAUnifiedImageCoversItsSections) {
  const ByteVector kernel = PeBuilder().add(".text", ByteVector(512, 7)).build();
  PeBuilder builder;
  builder.add(".text", ByteVector(100, 1)).add(".osrel", to_vector(as_bytes("ID=x\n")));
  builder.add(".cmdline", to_vector(as_bytes("quiet\n")));
  builder.add(".initrd", ByteVector(700, 5)).add(".linux", kernel);
  builder.add(".sbat", to_vector(as_bytes("sbat,1")));
  files["uki"] = builder.build();
  const auto toml = [](int version) {
    return "[boot]\nloader = \"systemd-stub\"\nimage = \"uki\"\nsystemd_version = " +
           std::to_string(version) + "\n";
  };
  const std::string uki = to_hex(parse_pe_image(files["uki"]).value().authenticode.bytes);
  const std::string inner = to_hex(parse_pe_image(kernel).value().authenticode.bytes);
  EXPECT_EQ(value(toml(252), 4), extended({kCalling, kSeparator, uki, inner}));
  EXPECT_EQ(value(toml(252), 9),
            extended({sha256_of(wide("quiet")), sha256_of(ByteVector(700, 5))}));
  const auto named = [](std::string_view name) { return sha256_of(std::string(name) + '\0'); };
  std::vector<std::string> parts = {
      named(".linux"),   sha256_of(kernel),    named(".osrel"),  sha256_of("ID=x\n"),
      named(".cmdline"), sha256_of("quiet\n"), named(".initrd"), sha256_of(ByteVector(700, 5))};
  EXPECT_EQ(value(toml(252), 11), extended(parts));
  parts.push_back(named(".sbat"));
  parts.push_back(sha256_of("sbat,1"));
  EXPECT_EQ(value(toml(254), 11), extended(parts));

  // A stub that hands on more than the image's initrd is not foreseen there.
  files["uki"] = builder.add(".pcrsig", to_vector(as_bytes("{}"))).build();
  EXPECT_EQ(value(toml(252), 9), "none");
  EXPECT_EQ(value(toml(252), 11).size(), 64U);
  files["uki"] = builder.add(".cmdline", to_vector(as_bytes("other"))).build();
  EXPECT_THAT(predict(toml(252)), Fails(ErrorCode::kUnsupported));
}

TEST_F(Prediction, RefusesUnifiedImagesWithoutAKernel) {
  files["uki"] = PeBuilder().add(".text", ByteVector(100, 1)).build();
  EXPECT_THAT(
      predict("[boot]\nloader = \"systemd-stub\"\nimage = \"uki\"\nsystemd_version = 252\n"),
      Fails(ErrorCode::kMalformed));
}

TEST_F(Prediction, OfBothTakesTheFirmwareFromTheLog) {
  files["log"] = recorded("qemu-ovmf.log");
  files["kernel"] = PeBuilder().bzimage().add(".text", ByteVector(1024, 3)).build();
  const auto pcrs = predict(
      "[log]\nfile = \"log\"\n[boot]\nloader = \"qemu\"\nkernel = \"kernel\"\nmemory_mib = 512\n");
  ASSERT_THAT(pcrs, Succeeds());
  EXPECT_EQ(to_hex(pcrs->at(0).bytes),
            "177e29c417b6b61c7cf46ed30b4468931f58642527a268b556254e39b941ec6a");
  EXPECT_NE(to_hex(pcrs->at(4).bytes),
            "9f6cb8e4642a3e726ed7649cf51cba594fe3aa0e3e2cd52a8ef7a1495eae00e1");
}

TEST_F(Prediction, RefusesKernelsThatQemuWouldPatchInAnotherWay) {
  const std::string toml =
      "[boot]\nloader = \"qemu\"\nkernel = \"kernel\"\nmemory_mib = 512\ncommand_line = \"";
  files["kernel"] = PeBuilder().add(".text", ByteVector(1024, 3)).build();
  EXPECT_THAT(predict(toml + "quiet\"\n"), Fails(ErrorCode::kMalformed));
  files["kernel"] = PeBuilder().bzimage().add(".text", ByteVector(1024, 3)).build();
  EXPECT_THAT(predict(toml + "quiet\"\n"), Succeeds());
  EXPECT_THAT(predict(toml + "vga=791\"\n"), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(predict(toml + "caf\xc3\xa9\"\n"), Fails(ErrorCode::kUnsupported));
  files["kernel"][0x206] = 0x05;
  EXPECT_THAT(predict(toml + "quiet\"\n"), Fails(ErrorCode::kUnsupported));
}

TEST_F(Prediction, NamesTheFileThatIsMissing) {
  EXPECT_THAT(predict("[log]\nfile = \"gone\"\n"), FailsWith(ErrorCode::kIo, HasSubstr("gone")));
}

TEST(BootDescriptions, UnderAClosedSchemaRefuseTheRest) {
  const std::string boot = "[boot]\nkernel = \"k\"\n";
  for (const std::string& toml : {
           std::string(),
           std::string("[surprise]\n"),
           std::string("[log]\n"),
           std::string("[log]\nfile = \"l\"\nother = 1\n"),
           std::string("[log]\nfile = \"l\"\n[[log.replace]]\npcr = 24\nevent = 1\ntext = \"\"\n"),
           std::string("[log]\nfile = \"l\"\n[[log.replace]]\npcr = 9\ntext = \"\"\n"),
           std::string("[log]\nfile = \"l\"\n[[log.replace]]\npcr = 9\nevent = 0\ntext = \"\"\n"),
           std::string("[log]\nfile = \"l\"\n[[log.replace]]\npcr = 9\nevent = 1\n"),
           std::string("[log]\nfile = \"l\"\n[[log.replace]]\npcr = 9\nevent = 1\n"
                       "description = \"d\"\ntext = \"\"\n"),
           std::string("[log]\nfile = \"l\"\n[[log.replace]]\npcr = 9\nevent = 1\ntext = \"\"\n"
                       "file = \"f\"\n"),
           std::string("[log]\nfile = \"l\"\n[[log.replace]]\npcr = 9\nevent = 1\n"
                       "digest = \"00\"\n"),
           boot,
           boot + "loader = \"grub\"\n",
           boot + "loader = \"qemu\"\n",
           boot + "loader = \"qemu\"\nmemory_mib = 0\n",
           boot + "loader = \"qemu\"\nmemory_mib = 512\nmachine = \"microvm\"\n",
           boot + "loader = \"qemu\"\nmemory_mib = 512\nfailed_boot_options = 1\n",
           boot + "loader = \"firmware\"\nmemory_mib = 512\n",
           boot + "loader = \"firmware\"\nfailed_boot_options = 65\n",
           boot + "loader = \"systemd-stub\"\nsystemd_version = 252\n",
           std::string("[boot]\nloader = \"systemd-stub\"\nimage = \"i\"\n"),
           std::string("[boot]\nloader = \"systemd-stub\"\nimage = \"i\"\nsystemd_version = 251\n"),
           std::string("[boot]\nloader = \"systemd-stub\"\nimage = \"i\"\nsystemd_version = 256\n"),
       }) {
    EXPECT_THAT(parse_boot_description(toml, "boot.toml"), Fails(ErrorCode::kMalformed)) << toml;
  }
}

}  // namespace
}  // namespace sealpack::measure
