// SPDX-License-Identifier: Apache-2.0
// Somebody on the wire who answers in the TPM's place where an answer is not authenticated.
#include <gtest/gtest.h>

#include "keymgmt/crypto/private_key.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/tpm/tpm.h"
#include "tests/keymgmt/tpm/software_tpm.h"
#include "tests/keymgmt/tpm/tpm_command.h"
#include "tests/keymgmt/tpm/tpm_proxy.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::tpm {
namespace {

using testing::FailsWith;
using ::testing::HasSubstr;
using testing::SoftwareTpm;
using testing::Succeeds;
using testing::tpm_code;
using testing::TpmBytes;
using testing::TpmProxy;

constexpr std::uint32_t kReadPublic = 0x173;
constexpr std::uint32_t kNvReadPublic = 0x169;
constexpr std::uint32_t kPcrRead = 0x17e;
constexpr std::uint32_t kCounter = 0x01805ea1;

// A command's first handle.
std::uint32_t handle_of(Bytes command) {
  if (command.size() < 14) return 0;
  return std::uint32_t{command[10]} << 24U | std::uint32_t{command[11]} << 16U |
         std::uint32_t{command[12]} << 8U | command[13];
}

ByteVector response_of(Bytes parameters) {
  return TpmBytes().u16(0x8001).u32(10 + parameters.size()).u32(0).raw(parameters).take();
}

class Interposer : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
  }
};

// Whoever gets sessions salted with a key of his own reads and forges all that follows.
TEST_F(Interposer, CannotPutAKeyOfHisOwnInThePlaceOfAPinnedOne) {
  if (SoftwareTpm::manufactured().empty()) GTEST_SKIP() << "swtpm_setup is not installed";
  SoftwareTpm device(SoftwareTpm::manufactured());
  Name pinned;
  {
    const auto tpm = Tpm::open({device.tcti(), EndorsementKind::kP384, std::nullopt});
    ASSERT_THAT(tpm, Succeeds());
    pinned = name_of((*tpm)->endorsement_key());
  }
  SoftwareTpm own;
  const auto his = Tpm::open({own.tcti(), EndorsementKind::kP384, std::nullopt});
  ASSERT_THAT(his, Succeeds());
  const PublicArea& area = (*his)->endorsement_key();
  const std::uint32_t persistent = profile_of(EndorsementKind::kP384).persistent;
  int lies = 0;
  const TpmProxy proxy(device, [&](Bytes command) -> std::optional<ByteVector> {
    if (tpm_code(command) != kReadPublic || handle_of(command) != persistent || lies++ != 0) {
      return std::nullopt;
    }
    const Name name = name_of(area);
    return response_of(TpmBytes().sized(serialize_public(area)).sized(name).sized(name).take());
  });
  const auto tpm = Tpm::open({proxy.tcti(), EndorsementKind::kP384, pinned});
  ASSERT_THAT(tpm, Succeeds());
  EXPECT_GT(lies, 0);
  // Salted with his key, no session would come about in the TPM.
  EXPECT_THAT((*tpm)->define_counter(kCounter), Succeeds());
}

// An index that anybody writes as he likes, under the name of a counter that only goes up.
TEST_F(Interposer, CannotPassAnotherIndexOffAsACounter) {
  SoftwareTpm device;
  constexpr std::uint32_t kAnybodyWrites = 0x02040004;  // AUTHREAD, NO_DA, AUTHWRITE
  constexpr std::uint32_t kWritten = 0x20000000;
  ASSERT_EQ(tpm_code(device.command(testing::tpm_nv_define(kCounter, kAnybodyWrites, 8))), 0U);
  const ByteVector value = {0, 0, 0, 0, 0, 0, 0, 5};
  ASSERT_EQ(tpm_code(device.command(testing::tpm_command(0x137, {kCounter, kCounter}, {""},
                                                         TpmBytes().sized(value).u16(0).take()))),
            0U);
  const ByteVector real =
      TpmBytes().u32(kCounter).u16(0x000b).u32(kAnybodyWrites | kWritten).u16(0).u16(8).take();
  const Name real_name = TpmBytes().u16(0x000b).raw(crypto::sha256(real).bytes).take();
  int lies = 0;
  const TpmProxy proxy(device, [&](Bytes command) -> std::optional<ByteVector> {
    const bool unauthenticated = command[1] == 1;
    if (tpm_code(command) != kNvReadPublic || handle_of(command) != kCounter || !unauthenticated) {
      return std::nullopt;
    }
    ++lies;
    return response_of(TpmBytes().sized(serialize_nv_public({kCounter})).sized(real_name).take());
  });
  const auto tpm = Tpm::open({proxy.tcti(), EndorsementKind::kP256, std::nullopt});
  ASSERT_THAT(tpm, Succeeds());
  EXPECT_FALSE((*tpm)->read_counter(kCounter).ok());
  EXPECT_FALSE((*tpm)->increment_counter(kCounter).ok());
  EXPECT_GT(lies, 0);
}

// What a device says of its PCRs decides which boot policy is confirmed.
TEST_F(Interposer, CannotShowOtherPcrs) {
  SoftwareTpm device;
  const TpmProxy proxy(device, [&](Bytes command) -> std::optional<ByteVector> {
    if (tpm_code(command) != kPcrRead) return std::nullopt;
    const ByteVector value(32, 0x5a);
    return response_of(
        TpmBytes().u32(0).raw(serialize_selection(1U << 4U)).u32(1).sized(value).take());
  });
  const auto tpm = Tpm::open({proxy.tcti(), EndorsementKind::kP256, std::nullopt});
  ASSERT_THAT(tpm, Succeeds());
  EXPECT_FALSE((*tpm)->read_pcrs(1U << 4U).ok());
}

}  // namespace
}  // namespace sealpack::tpm
