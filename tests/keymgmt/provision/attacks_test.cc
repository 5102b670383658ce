// SPDX-License-Identifier: Apache-2.0
// What somebody tries who had the device, its files or its TPM in hand, and wants an older release,
// an older boot policy or a second use of the key.
#include <functional>

#include "tests/keymgmt/provision/enrolled_device.h"
#include "tests/keymgmt/provision/sample_messages.h"
#include "tests/keymgmt/tpm/tpm_command.h"

namespace sealpack::provision {
namespace {

using testing::Device;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::kScope;
using testing::SampleMessages;
using testing::Succeeds;
using testing::tpm_code;
using testing::Vendor;

const Digest kRelease = crypto::sha256(as_bytes("release"));

class ProvisionAttacks : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
    device_.emplace();
  }
  // Uses the key once, as the loader does.
  Result<std::unique_ptr<FloorStore>> store(const tpm::KeyBlob& key,
                                            const std::filesystem::path& floors) {
    const auto policy = TRY(vendor_.boot_policy(device_->tpm(), 9));
    const auto opened = TRY(device_->open(key, {policy}));
    return FloorStore::open(device_->shared(), key, opened->floor_key(), floors);
  }
  Status raise(const tpm::KeyBlob& key, std::uint64_t counter) {
    const Status raised = TRY(store(key, device_->floors()))
                              ->raise(kScope.authority, kScope.product, {counter, kRelease});
    device_->reboot();
    return raised;
  }

  Vendor vendor_;
  std::optional<Device> device_;
};

TEST_F(ProvisionAttacks, FloorsFromBeforeAnotherEnrolmentWithAnotherIndexAreRefused) {
  const auto first = *device_->enrol(vendor_);
  ASSERT_THAT(raise(first.key, 5), Succeeds());
  const auto old_floors = device_->folder() / "old.floors";
  std::filesystem::copy_file(device_->floors(), old_floors);
  // The counter of the first enrolment stays where it is; the second one has a counter of its own.
  device_->indices.floor_index = 0x01805ea7;
  const auto second = *device_->enrol(vendor_, true);
  ASSERT_THAT(raise(second.key, 10), Succeeds());
  EXPECT_THAT(store(second.key, old_floors),
              FailsWith(ErrorCode::kRefused, HasSubstr("no floors for the TPM's counter")));
  device_->reboot();
  // Nor does a key file help that says the first counter is the one.
  tpm::KeyBlob edited = second.key;
  edited.binding->floor_index = first.key.binding->floor_index;
  EXPECT_THAT(store(edited, old_floors),
              FailsWith(ErrorCode::kRefused, ::testing::Not(HasSubstr("PCR 15 is"))));
  device_->reboot();
  edited.binding->floor_value = first.key.binding->floor_value;
  EXPECT_THAT(store(edited, old_floors),
              FailsWith(ErrorCode::kRefused, ::testing::Not(HasSubstr("PCR 15 is"))));
  device_->reboot();
  EXPECT_THAT(store(first.key, old_floors), Fails(ErrorCode::kRefused)) << "another epoch";
  EXPECT_THAT(store(second.key, device_->floors()), Succeeds());
}

TEST_F(ProvisionAttacks, FloorsSignedForAnEarlierEpochAreRefused) {
  const auto first = *device_->enrol(vendor_);
  const auto second = *device_->enrol(vendor_, true);
  EnrolRequest request = *device_->request();
  request.counters.policy_value = first.key.binding->epoch + 1;
  const auto floors = *sign_floors(request, {}, *vendor_.grantor);
  EXPECT_THAT(install_floors(device_->tpm(), second.key, floors, device_->floors()),
              FailsWith(ErrorCode::kRefused, HasSubstr("enrolled again")));
}

// A request that says what it likes, signed by a key that is none of the TPM's: the floors in its
// answer would come in useful when the counter gets there some day.
TEST_F(ProvisionAttacks, FloorsForAValueThatAnotherKeyProvedAreRefused) {
  const auto installed = *device_->enrol(vendor_);
  EnrolRequest forged = *device_->request();
  const EnrolRequest fake = SampleMessages::make_request();
  forged.attestation = fake.attestation;
  const auto floors = *sign_floors(forged, {}, *vendor_.grantor);
  EXPECT_THAT(install_floors(device_->tpm(), installed.key, floors, device_->floors()),
              FailsWith(ErrorCode::kRefused, HasSubstr("another TPM's attestation key")));
  ASSERT_THAT(device_->tpm().increment_counter(installed.key.binding->floor_index), Succeeds());
  FloorFile file;
  file.statement = floors;
  const auto path =
      device_->folder().put("forged", std::string(as_text(serialize_floor_file(file))));
  EXPECT_THAT(store(installed.key, path),
              FailsWith(ErrorCode::kRefused, HasSubstr("another TPM's attestation key")));
}

TEST_F(ProvisionAttacks, ARequestForALaterEpochIsNotAnswered) {
  EnrolRequest request = *device_->request();
  EXPECT_TRUE(judge_counters(request).empty());
  request.counters.policy_value += 0x500;
  ASSERT_EQ(judge_counters(request).size(), 1U);
  EXPECT_EQ(judge_counters(request)[0].code, "provision.counter");
}

// An old request is of no use either: its values are past.
TEST_F(ProvisionAttacks, AnOldRequestGivesAKeyThatIsDead) {
  const EnrolRequest old = *device_->request();
  ASSERT_THAT(device_->enrol(vendor_, true), Succeeds());
  EXPECT_TRUE(judge_counters(old).empty());
  EXPECT_THAT(device_->install(vendor_, vendor_.answer(old)->answer),
              FailsWith(ErrorCode::kRefused, HasSubstr("epoch")));
}

TEST_F(ProvisionAttacks, AnEditedKeyFileIsRefusedByTheTpm) {
  const auto installed = *device_->enrol(vendor_, false, 2);
  const auto policy = *vendor_.boot_policy(device_->tpm(), 9);
  const Vendor stranger;
  const std::function<void(tpm::KeyBlob::Binding&)> edits[] = {
      [](auto& binding) { binding.minimum = 1; }, [](auto& binding) { binding.minimum = 0; },
      [](auto& binding) { binding.floor_value -= 1; },
      [](auto& binding) { binding.floor_index = binding.policy_index; }};
  for (const auto& edit : edits) {
    tpm::KeyBlob edited = installed.key;
    edit(*edited.binding);
    EXPECT_THAT(device_->open(edited, {policy}),
                FailsWith(ErrorCode::kRefused, ::testing::Not(HasSubstr("PCR 15 is"))));
    device_->reboot();  // a refusal by the TPM caps
  }
  // One with another grantor, who signed what the thief wants.
  tpm::KeyBlob edited = installed.key;
  edited.binding->grantor = to_vector(stranger.grantor->public_key().spki());
  EXPECT_THAT(device_->open(edited, {*stranger.boot_policy(device_->tpm(), 9)}),
              FailsWith(ErrorCode::kRefused, ::testing::Not(HasSubstr("PCR 15 is"))));
  device_->reboot();
  EXPECT_THAT(device_->open(installed.key, {policy}), Succeeds());
}

// Two policies that cap different PCRs would be two uses of the key in one boot.
TEST_F(ProvisionAttacks, APolicyWithAnotherCapIsRefusedAlsoByTheTpm) {
  const auto installed = *device_->enrol(vendor_);
  const auto other = *vendor_.boot_policy(device_->tpm(), 1, 14);
  EXPECT_THAT(verify_boot_policy(installed.key, other),
              FailsWith(ErrorCode::kRefused, HasSubstr("PCR 14")));
  tpm::KeyBlob edited = installed.key;
  edited.binding->cap_pcr = 14;
  EXPECT_THAT(device_->open(edited, {other}), Fails(ErrorCode::kRefused));
  device_->reboot();
  EXPECT_THAT(device_->open(installed.key, {*vendor_.boot_policy(device_->tpm(), 1)}), Succeeds());
}

TEST_F(ProvisionAttacks, AClearedTpmHasNoUseForTheKey) {
  const auto installed = *device_->enrol(vendor_);
  const auto policy = *vendor_.boot_policy(device_->tpm(), 1);
  ASSERT_THAT(raise(installed.key, 7), Succeeds());
  device_->disconnect();
  ASSERT_EQ(tpm_code(device_->machine().command(testing::tpm_clear())), 0U);
  device_->restart();
  device_->reconnect();
  EXPECT_THAT(device_->open(installed.key, {policy}),
              FailsWith(ErrorCode::kRefused, HasSubstr("lost")));
  // Counters made again do not stand where the files say.
  ASSERT_THAT(device_->tpm().define_counter(Counters{}.floor_index), Succeeds());
  ASSERT_THAT(device_->tpm().define_counter(Counters{}.policy_index), Succeeds());
  const auto opened = device_->open(installed.key, {policy});
  if (opened.ok()) {
    EXPECT_THAT(FloorStore::open(device_->shared(), installed.key, (*opened)->floor_key(),
                                 device_->floors()),
                Fails(ErrorCode::kRefused));
  }
}

TEST_F(ProvisionAttacks, AnAnswerInstalledAgainDoesNotLowerFloors) {
  const auto enrolment = *vendor_.answer(*device_->request());
  const auto installed = *device_->install(vendor_, enrolment.answer);
  ASSERT_THAT(install_floors(device_->tpm(), installed.key, installed.floors, device_->floors()),
              Succeeds());
  ASSERT_THAT(raise(installed.key, 7), Succeeds());
  const auto again = *device_->install(vendor_, enrolment.answer);
  EXPECT_THAT(install_floors(device_->tpm(), again.key, again.floors, device_->floors()),
              FailsWith(ErrorCode::kRefused, HasSubstr("counter")));
}

}  // namespace
}  // namespace sealpack::provision
