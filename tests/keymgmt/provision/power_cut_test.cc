// SPDX-License-Identifier: Apache-2.0
// What a device is left with when the power fails between a step of the TPM and a step on the disk.
#include "keymgmt/provision/device_files.h"
#include "tests/keymgmt/provision/enrolled_device.h"
#include "tests/keymgmt/tpm/tpm_command.h"

namespace sealpack::provision {
namespace {

using testing::Device;
using testing::Succeeds;
using testing::Vendor;

class PowerCuts : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
  }
};

std::vector<std::uint32_t> numbers_of(const std::vector<BootPolicy>& policies) {
  std::vector<std::uint32_t> out;
  for (const BootPolicy& policy : policies) out.push_back(policy.number);
  return out;
}

// The TPM refuses number 1 already, and number 2, by which the machine boots, is still the next.
TEST_F(PowerCuts, AConfirmationThatWasCutOffKeepsThePolicyThatServes) {
  const Vendor vendor;
  Device device;
  const auto installed = device.enrol(vendor);
  ASSERT_THAT(installed, Succeeds());
  const tpm::KeyBlob& key = installed->key;
  const DeviceFiles files(device.folder() / "device");
  ASSERT_THAT(files.store_key(key, Overwrite::kRefuse), Succeeds());
  const auto install = [&](std::uint32_t number) {
    return install_policy(device.tpm(), files, key, *vendor.boot_policy(device.tpm(), number));
  };
  ASSERT_THAT(install(1), Succeeds());
  ASSERT_THAT(install(2), Succeeds());
  ASSERT_THAT(confirm_policy(device.tpm(), key, files.load_policies(key)->back()), Succeeds());
  ASSERT_THAT(install(3), Succeeds());
  EXPECT_EQ(numbers_of(*files.load_policies(key)), (std::vector<std::uint32_t>{2, 3}));
}

// One that is not confirmed yet gives way to the next that is installed.
TEST_F(PowerCuts, APolicyThatServesKeepsItsPlace) {
  const Vendor vendor;
  Device device;
  const auto installed = device.enrol(vendor);
  ASSERT_THAT(installed, Succeeds());
  const DeviceFiles files(device.folder() / "device");
  ASSERT_THAT(files.store_key(installed->key, Overwrite::kRefuse), Succeeds());
  for (const std::uint32_t number : {1U, 2U, 3U}) {
    ASSERT_THAT(install_policy(device.tpm(), files, installed->key,
                               *vendor.boot_policy(device.tpm(), number)),
                Succeeds());
  }
  EXPECT_EQ(numbers_of(*files.load_policies(installed->key)), (std::vector<std::uint32_t>{1, 3}));
}

TEST_F(PowerCuts, AnEnrolmentThatWasCutOffIsGoneOnWith) {
  constexpr std::uint32_t kOurs = 0x02040014;  // a counter of ours, without WRITTEN
  const Vendor vendor;
  Device device;
  device.disconnect();
  const ByteVector define = testing::tpm_nv_define(device.indices.policy_index, kOurs, 8);
  ASSERT_EQ(testing::tpm_code(device.machine().command(define)), 0U);
  device.reconnect();
  EXPECT_EQ(*device.tpm().read_counter(device.indices.policy_index), std::nullopt);
  const auto installed = device.enrol(vendor);
  ASSERT_THAT(installed, Succeeds());
  const auto policy = *vendor.boot_policy(device.tpm(), 1);
  EXPECT_THAT(device.open(installed->key, {policy}), Succeeds());
}

}  // namespace
}  // namespace sealpack::provision
