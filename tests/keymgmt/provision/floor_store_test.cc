// SPDX-License-Identifier: Apache-2.0
#include <fstream>

#include "keymgmt/crypto/kdf.h"
#include "tests/keymgmt/provision/enrolled_device.h"
#include "tests/keymgmt/tpm/tpm_command.h"
#include "tests/keymgmt/tpm/tpm_proxy.h"

namespace sealpack::provision {
namespace {

using testing::Device;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::kScope;
using testing::Succeeds;
using testing::Vendor;

const Digest kRelease = crypto::sha256(as_bytes("release"));

class FloorStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
    vendor_.emplace();
    device_.emplace();
    auto installed = device_->enrol(*vendor_);
    ASSERT_THAT(installed, Succeeds());
    key_ = installed->key;
    const auto policy = *vendor_->boot_policy(device_->tpm(), 1);
    const auto opened = device_->open(*key_, {policy});
    ASSERT_THAT(opened, Succeeds());
    floor_key_ = crypto::SecretBytes::copy_of((*opened)->floor_key().reveal());
  }

  Result<std::unique_ptr<FloorStore>> open() {
    return FloorStore::open(device_->shared(), *key_, floor_key_, device_->floors());
  }
  Status raise(std::uint64_t counter) {
    const auto store = TRY(open());
    return store->raise(kScope.authority, kScope.product, {counter, kRelease});
  }
  loader::Floor floor() {
    const auto store = open();
    EXPECT_THAT(store, Succeeds());
    return *(*store)->floor(kScope.authority, kScope.product);
  }
  // Floors by this device, for the value that the counter has next.
  void write_for_next_value(std::uint64_t counter, const std::filesystem::path& path) {
    const std::uint32_t index = Counters{}.floor_index;
    FloorFile file;
    file.payload = serialize_floors({tpm::name_of(device_->tpm().endorsement_key()),
                                     index,
                                     **device_->tpm().read_counter(index) + 1,
                                     tpm::name_of(*device_->tpm().attestation_key()),
                                     key_->binding->epoch,
                                     {{kScope, {counter, kRelease}}}});
    file.mac = crypto::hmac_sha256(floor_key_.reveal(), file.payload);
    std::ofstream(path, std::ios::binary) << as_text(serialize_floor_file(file));
  }
  void copy(const std::filesystem::path& from, const std::filesystem::path& to) {
    std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
  }

  std::optional<Vendor> vendor_;
  std::optional<Device> device_;
  std::optional<tpm::KeyBlob> key_;
  crypto::SecretBytes floor_key_{0};
};

TEST_F(FloorStoreTest, StartsWithoutFloorsAndKeepsThoseThatRise) {
  EXPECT_EQ(floor(), loader::Floor{});
  ASSERT_THAT(raise(7), Succeeds());
  EXPECT_EQ(floor(), (loader::Floor{7, kRelease}));
  device_->reboot();
  EXPECT_EQ(floor(), (loader::Floor{7, kRelease}));
  EXPECT_EQ((*open())->kind(), loader::CounterKind::kTpm);
}

TEST_F(FloorStoreTest, OtherProductsHaveFloorsOfTheirOwn) {
  ASSERT_THAT(raise(7), Succeeds());
  const auto store = *open();
  ASSERT_THAT(store->raise(kScope.authority, "doorbell", {3, std::nullopt}), Succeeds());
  ASSERT_THAT(store->raise(kScope.authority, "alarm", {4, std::nullopt}), Succeeds());
  EXPECT_EQ(floor(), (loader::Floor{7, kRelease}));
  EXPECT_EQ((*open())->floor(kScope.authority, "doorbell")->counter, 3U);
}

TEST_F(FloorStoreTest, DoesNotSink) {
  ASSERT_THAT(raise(7), Succeeds());
  EXPECT_THAT(raise(6), FailsWith(ErrorCode::kRefused, HasSubstr("7 to 6")));
}

TEST_F(FloorStoreTest, AFileTurnedBackIsRefused) {
  ASSERT_THAT(raise(7), Succeeds());
  copy(device_->floors(), device_->folder() / "old");
  ASSERT_THAT(raise(8), Succeeds());
  copy(device_->folder() / "old", device_->floors());
  EXPECT_THAT(open(), FailsWith(ErrorCode::kRefused, HasSubstr("a file is of")));
}

TEST_F(FloorStoreTest, AFileThatIsGoneIsRefused) {
  ASSERT_THAT(raise(7), Succeeds());
  std::filesystem::remove(device_->floors());
  EXPECT_THAT(open(), Fails(ErrorCode::kRefused));
}

TEST_F(FloorStoreTest, AChangedFileIsRefused) {
  ASSERT_THAT(raise(7), Succeeds());
  const std::string good = testing::content_of(device_->floors());
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    std::ofstream(device_->floors(), std::ios::binary) << changed;
    EXPECT_FALSE(open().ok()) << "byte " << i;
  }
}

TEST_F(FloorStoreTest, AFileOfAnotherKeyIsRefused) {
  ASSERT_THAT(raise(7), Succeeds());
  floor_key_ = crypto::SecretBytes::random(32);
  EXPECT_THAT(open(), FailsWith(ErrorCode::kRefused, HasSubstr("not written by this device")));
}

TEST_F(FloorStoreTest, SurvivesAPowerCutAtAnyStep) {
  ASSERT_THAT(raise(7), Succeeds());
  const auto before = device_->folder() / "before";
  copy(device_->floors(), before);
  ASSERT_THAT(raise(8), Succeeds());
  const auto after = device_->folder() / "after";
  copy(device_->floors(), after);
  // Cut after the counter rose and before the file got its name.
  const auto next = device_->folder() / "device.floors.next";
  copy(after, next);
  copy(before, device_->floors());
  EXPECT_EQ(floor().counter, 8U);
  // Cut after the next file was written and before the counter rose: that rise did not happen.
  ASSERT_THAT(raise(9), Succeeds());
  copy(before, next);
  EXPECT_EQ(floor().counter, 9U);
}

// The first cut was behind the counter's rise; then the file that fits has the name that the next
// rise writes under.
TEST_F(FloorStoreTest, SurvivesAPowerCutInTheRiseAfterACut) {
  ASSERT_THAT(raise(7), Succeeds());
  write_for_next_value(8, device_->folder() / "device.floors.next");
  ASSERT_THAT(device_->tpm().increment_counter(Counters{}.floor_index), Succeeds());
  device_->disconnect();
  {
    constexpr std::uint32_t kNvIncrement = 0x134;
    constexpr std::uint32_t kFailure = 0x101;
    const testing::TpmProxy proxy(device_->machine(), [](Bytes command) {
      return testing::tpm_code(command) == kNvIncrement
                 ? std::optional(testing::tpm_refusal(kFailure))
                 : std::nullopt;
    });
    const std::shared_ptr<tpm::Tpm> tpm =
        *tpm::Tpm::open({proxy.tcti(), tpm::EndorsementKind::kP256, std::nullopt});
    const auto store = *FloorStore::open(tpm, *key_, floor_key_, device_->floors());
    EXPECT_FALSE(store->raise(kScope.authority, kScope.product, {9, kRelease}).ok());
  }
  device_->reconnect();
  EXPECT_EQ(floor().counter, 8U);
  ASSERT_THAT(raise(9), Succeeds());
  EXPECT_EQ(floor().counter, 9U);
}

// As when the TPM did what it was told and its response was lost.
TEST_F(FloorStoreTest, ARiseWhoseEndIsUnknownIsNotGoneOnWith) {
  ASSERT_THAT(raise(7), Succeeds());
  const auto store = *open();
  write_for_next_value(8, device_->folder() / "device.floors.next");
  ASSERT_THAT(device_->tpm().increment_counter(Counters{}.floor_index), Succeeds());
  EXPECT_THAT(store->raise(kScope.authority, kScope.product, {9, kRelease}),
              Fails(ErrorCode::kTryAgain));
  EXPECT_EQ(floor().counter, 8U);
}

// What a rise leaves on the disk when the power goes before the counter rose fits its next value.
TEST_F(FloorStoreTest, ARiseThatWasCutOffIsNoWayBackLater) {
  ASSERT_THAT(raise(7), Succeeds());
  const auto kept = device_->folder() / "kept";
  write_for_next_value(8, kept);
  ASSERT_THAT(raise(9), Succeeds());
  copy(kept, device_->floors());
  EXPECT_THAT(open(), Fails(ErrorCode::kRefused));
}

TEST_F(FloorStoreTest, NoReleaseTakesThePlaceOfAnotherWithItsCounter) {
  ASSERT_THAT(raise(7), Succeeds());
  const auto store = *open();
  const Digest other = crypto::sha256(as_bytes("other release"));
  ASSERT_THAT(store->raise(kScope.authority, kScope.product, {7, other}), Succeeds());
  ASSERT_THAT(store->raise(kScope.authority, kScope.product, {7, std::nullopt}), Succeeds());
  EXPECT_EQ(floor(), (loader::Floor{7, kRelease}));
}

TEST_F(FloorStoreTest, ACounterTurnedForwardIsRefusedUntilTheVendorSignsAnew) {
  ASSERT_THAT(raise(7), Succeeds());
  ASSERT_THAT(device_->tpm().increment_counter(Counters{}.floor_index), Succeeds());
  EXPECT_THAT(open(), Fails(ErrorCode::kRefused));
  const auto floors =
      *sign_floors(*device_->request(), {{kScope, {5, std::nullopt}}}, *vendor_->grantor);
  ASSERT_THAT(install_floors(device_->tpm(), *key_, floors, device_->floors()), Succeeds());
  EXPECT_EQ(floor().counter, 5U);
  ASSERT_THAT(raise(6), Succeeds());
  EXPECT_EQ(floor().counter, 6U);
}

TEST_F(FloorStoreTest, AFastForwardedFloorIsResetOnceByTheVendor) {
  ASSERT_THAT(raise(1000000), Succeeds());
  const auto reset =
      *sign_floors(*device_->request(), {{kScope, {8, std::nullopt}}}, *vendor_->grantor);
  ASSERT_THAT(install_floors(device_->tpm(), *key_, reset, device_->floors()), Succeeds());
  EXPECT_EQ(floor().counter, 8U);
  ASSERT_THAT(raise(9), Succeeds());
  EXPECT_THAT(install_floors(device_->tpm(), *key_, reset, device_->floors()),
              FailsWith(ErrorCode::kRefused, HasSubstr("counter")));
}

TEST_F(FloorStoreTest, WhatWasThereBeforeAResetCountsNoLonger) {
  ASSERT_THAT(raise(7), Succeeds());
  copy(device_->floors(), device_->folder() / "old");
  const auto reset =
      *sign_floors(*device_->request(), {{kScope, {9, std::nullopt}}}, *vendor_->grantor);
  ASSERT_THAT(install_floors(device_->tpm(), *key_, reset, device_->floors()), Succeeds());
  copy(device_->folder() / "old", device_->floors());
  EXPECT_THAT(open(), Fails(ErrorCode::kRefused));
}

TEST_F(FloorStoreTest, ResetsByOthersAndForOthersAreRefused) {
  ASSERT_THAT(raise(7), Succeeds());
  const Vendor stranger;
  const auto forged = *sign_floors(*device_->request(), {}, *stranger.grantor);
  EXPECT_THAT(install_floors(device_->tpm(), *key_, forged, device_->floors()),
              Fails(ErrorCode::kNotAuthentic));
  Device other;
  ASSERT_THAT(other.enrol(*vendor_), Succeeds());
  const auto for_other = *sign_floors(*other.request(), {}, *vendor_->grantor);
  EXPECT_THAT(install_floors(device_->tpm(), *key_, for_other, device_->floors()),
              FailsWith(ErrorCode::kRefused, HasSubstr("another device")));
  EXPECT_EQ(floor().counter, 7U);
}

}  // namespace
}  // namespace sealpack::provision
