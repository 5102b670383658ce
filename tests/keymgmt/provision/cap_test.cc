// SPDX-License-Identifier: Apache-2.0
// However the use of a device's key fails, nobody gets to use it in this boot afterwards.
#include <fstream>
#include <functional>

#include "keymgmt/keystore/armored_file.h"
#include "keymgmt/provision/device_files.h"
#include "tests/keymgmt/provision/enrolled_device.h"

namespace sealpack::provision {
namespace {

using testing::Device;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::Succeeds;
using testing::Vendor;

class CapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
    device_.emplace();
    path_ = device_->folder() / "device";
    const auto installed = device_->enrol(vendor_);
    ASSERT_THAT(installed, Succeeds());
    const DeviceFiles files(path_);
    ASSERT_THAT(files.store_key(installed->key, Overwrite::kRefuse), Succeeds());
    ASSERT_THAT(files.store_policy(*vendor_.boot_policy(device_->tpm(), 1)), Succeeds());
    device_->disconnect();
    ASSERT_THAT(use(), Succeeds()) << "the test would show nothing";
    device_->restart();
  }
  // As the loader begins; what is opened is capped and closed again.
  Status use() {
    auto opened = open_device(path_, device_->tcti());
    if (!opened.ok()) return std::move(opened).take_error();
    return done();
  }
  // `damage` makes the first use fail; then all is as it was, but for the boot.
  void expect_capped(const std::function<void()>& damage) {
    const auto kept = device_->folder() / "kept";
    std::filesystem::remove_all(kept);
    std::filesystem::create_directory(kept);
    for (const char* ending : {"", ".policy", ".floors"}) {
      std::filesystem::copy(path_.string() + ending, kept / (std::string("device") + ending));
    }
    damage();
    EXPECT_FALSE(use().ok());
    for (const char* ending : {"", ".policy", ".floors"}) {
      std::filesystem::copy_file(kept / (std::string("device") + ending), path_.string() + ending,
                                 std::filesystem::copy_options::overwrite_existing);
    }
    EXPECT_THAT(use(), FailsWith(ErrorCode::kRefused, HasSubstr("PCR 15 is")));
    device_->restart();
    EXPECT_THAT(use(), Succeeds()) << "the next boot";
    device_->restart();
  }
  void overwrite(const std::string& ending, const std::string& content) {
    std::ofstream(path_.string() + ending, std::ios::binary | std::ios::trunc) << content;
  }

  Vendor vendor_;
  std::optional<Device> device_;
  std::filesystem::path path_;
};

TEST_F(CapTest, AFileThatIsDamagedCaps) {
  expect_capped([&] { overwrite(".policy", "rubbish"); });
  expect_capped([&] { overwrite(".floors", "rubbish"); });
  expect_capped([&] { overwrite("", "rubbish"); });
}

TEST_F(CapTest, AFileThatIsNotThereCaps) {
  for (const char* ending : {"", ".policy", ".floors"}) {
    expect_capped([&] { std::filesystem::remove(path_.string() + ending); });
  }
}

// The cap PCR that a file says may be a lie.
TEST_F(CapTest, AKeyFileThatNamesAnotherCapCapsAllTheSame) {
  expect_capped([&] {
    tpm::KeyBlob key = *DeviceFiles(path_).load_key();
    key.binding->cap_pcr = 3;
    std::filesystem::remove(path_);
    ASSERT_THAT(keystore::store_armored(path_, "SEALPACK TPM KEY", tpm::serialize_key_blob(key),
                                        0600, Overwrite::kReplace),
                Succeeds());
  });
}

TEST_F(CapTest, ATpmThatCannotBeCappedIsSaidSo) {
  device_->machine().stop();
  EXPECT_THAT(use(), FailsWith(ErrorCode::kIo, HasSubstr("stop this machine")));
}

}  // namespace
}  // namespace sealpack::provision
