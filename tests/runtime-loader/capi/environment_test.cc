// SPDX-License-Identifier: Apache-2.0
// Leases and keys of devices through the C interface.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <optional>

#include "tests/runtime-loader/capi/unlocking.h"

namespace {
// Seconds since the machine was started, where a test says them.
std::optional<std::time_t> boot_time;
}  // namespace

// In the C library's place: the clock that leases run by goes on when a test lets it.
extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  if (clock == CLOCK_BOOTTIME && boot_time) {
    *now = {*boot_time, 0};
    return 0;
  }
  return static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
}

namespace sealpack::testing {
namespace {

// ---- Leases

TEST_F(Unlocking, ReadsNothingWhenTheLeaseIsOverUntilItIsProlonged) {
  boot_time = 50;
  use({});
  open();
  std::uint64_t left = 0;
  EXPECT_CODE(SEALPACK_KEY_UNAVAILABLE, sealpack_bundle_lease_left(bundle_.get(), &left, &error));
  Supervisor supervisor{&keys_, nullptr, {}};
  supervisor.facts.unix_seconds = 1000;
  supervisor.facts.lease_until = 1060;
  supervisor.facts.instance = loader::Instance{7};
  const sealpack_key_source source = supervisor.source();
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  *boot_time += 59;
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_lease_left(bundle_.get(), &left, &error));
  EXPECT_EQ(left, 1U);
  EXPECT_TRUE(reads());
  *boot_time += 1;
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_lease_left(bundle_.get(), &left, &error));
  EXPECT_EQ(left, 0U);
  EXPECT_FALSE(reads());

  std::optional<loader::Instance> renewed;
  supervisor.edit = [&](loader::KeyRequest& request) { renewed = request.terms.renews; };
  supervisor.fail_with = SEALPACK_REFUSED;
  EXPECT_CODE(SEALPACK_REFUSED, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  EXPECT_FALSE(reads());
  supervisor.fail_with = 0;
  supervisor.facts.lease_until = 5000;
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  EXPECT_EQ(renewed, loader::Instance{7});
  EXPECT_TRUE(reads());
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_lease_left(bundle_.get(), &left, &error));
  EXPECT_EQ(left, 4000U);
  boot_time.reset();
}

TEST_F(Unlocking, ProlongsALeaseWhileOthersRead) {
  use({});
  open();
  Supervisor supervisor{&keys_, nullptr, {}};
  supervisor.facts.unix_seconds = 1000;
  supervisor.facts.lease_until = 1000 + 86400;
  supervisor.facts.instance = loader::Instance{7};
  const sealpack_key_source source = supervisor.source();
  ASSERT_CODE(SEALPACK_OK, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  BusyReaders readers(bundle_.get());
  supervisor.facts.lease_until += 86400;
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  EXPECT_EQ(readers.finish(), 0);
  std::uint64_t left = 0;
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_lease_left(bundle_.get(), &left, &error));
  EXPECT_GT(left, 86400U);
}

TEST_F(Unlocking, WithoutALeaseThereIsNoEndAndNothingToProlong) {
  use({});
  open();
  Supervisor supervisor{&keys_, nullptr, {}};
  const sealpack_key_source source = supervisor.source();
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  std::uint64_t left = 0;
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_lease_left(bundle_.get(), &left, &error));
  EXPECT_EQ(left, UINT64_MAX);
  EXPECT_CODE(SEALPACK_USAGE, sealpack_bundle_unlock_source(bundle_.get(), &source, &error));
  EXPECT_TRUE(reads());
}

// ---- Keys of devices

// A machine whose hardware gives it a key.
struct Machine {
  std::unique_ptr<crypto::Decryptor> key;
  sealpack_public_key public_half = SEALPACK_INIT(sealpack_public_key);
  int fail_with = 0;

  explicit Machine(const crypto::PrivateKey& device) : key(device.decryptor().value()) {
    public_half.data = key->public_key().spki().data();
    public_half.data_size = key->public_key().spki().size();
  }
  sealpack_environment environment() {
    sealpack_environment out = SEALPACK_INIT(sealpack_environment);
    out.context = this;
    out.tee = "tpm";
    out.device_key = &public_half;
    out.device_open = [](void* context, const void* enc, std::size_t enc_size, const void* info,
                         std::size_t info_size, const void* aad, std::size_t aad_size,
                         const void* sealed, std::size_t sealed_size, void* plain,
                         std::size_t* plain_size) -> int {
      const auto* self = static_cast<Machine*>(context);
      if (self->fail_with != 0) return self->fail_with;
      const auto bytes = [](const void* data, std::size_t size) {
        return Bytes(static_cast<const std::uint8_t*>(data), size);
      };
      const auto opened = self->key->hpke_open(bytes(enc, enc_size), bytes(info, info_size),
                                               bytes(aad, aad_size), bytes(sealed, sealed_size));
      if (!opened.ok()) return static_cast<int>(opened.error().code());
      EXPECT_LE(opened->size(), *plain_size);
      *plain_size = opened->size();
      std::copy(opened->reveal().begin(), opened->reveal().end(),
                static_cast<std::uint8_t*>(plain));
      return SEALPACK_OK;
    };
    return out;
  }
};

class UnlockingByDevice : public Unlocking {
 protected:
  void use_slot(bundle::SlotClass slot_class) {
    use([&](const slots::Binding& binding) {
      return std::vector{slot_for(device_, slot_class, binding)};
    });
  }
  void open_on(Machine& machine) {
    const sealpack_environment environment = machine.environment();
    sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
    options.environment = &environment;
    open(options);
  }
  const crypto::PrivateKey device_ = make_key(crypto::KeyType::kEcdhP256);
};

TEST_F(UnlockingByDevice, OpensAnAttestedSlotWithTheKeyOfTheHardware) {
  use_slot(bundle::SlotClass::kAttested);
  Machine machine(device_);
  open_on(machine);
  machine.fail_with = SEALPACK_IO;
  EXPECT_CODE(SEALPACK_IO, sealpack_bundle_unlock_device(bundle_.get(), &error));
  machine.fail_with = 0;
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_unlock_device(bundle_.get(), &error));
  EXPECT_TRUE(reads());
}

TEST_F(UnlockingByDevice, RefusesDirectSlotsAndKeysOfOthers) {
  use_slot(bundle::SlotClass::kDirect);
  Machine machine(device_);
  open_on(machine);
  EXPECT_NE(sealpack_bundle_unlock_device(bundle_.get(), nullptr), SEALPACK_OK);
  use_slot(bundle::SlotClass::kAttested);
  Machine other(make_key(crypto::KeyType::kEcdhP256));
  open_on(other);
  EXPECT_CODE(SEALPACK_KEY_UNAVAILABLE, sealpack_bundle_unlock_device(bundle_.get(), &error));
  EXPECT_FALSE(reads());
}

TEST_F(UnlockingByDevice, HasNoKeyWithoutAnEnvironment) {
  use_slot(bundle::SlotClass::kAttested);
  open();
  EXPECT_CODE(SEALPACK_UNSUPPORTED, sealpack_bundle_unlock_device(bundle_.get(), &error));
}

TEST_F(UnlockingByDevice, RefusesAReleaseForOtherEnvironments) {
  use(
      [&](const slots::Binding& binding) {
        return std::vector{slot_for(device_, bundle::SlotClass::kAttested, binding)};
      },
      [](bundle::Release& release) {
        release.policy = {};
        bundle::Environment enclave;
        enclave.tee = "sgx";
        enclave.rules.emplace_back();
        enclave.rules[0].claim = "mrenclave";
        enclave.rules[0].accepted = {ByteVector(32, 1)};
        release.policy.environments = {enclave};
      });
  Machine machine(device_);
  open_on(machine);
  EXPECT_CODE(SEALPACK_REFUSED, sealpack_bundle_unlock_device(bundle_.get(), &error));
  EXPECT_FALSE(reads());
}

TEST(Environment, WantsAWayToProveItselfAndWholeDeviceKeys) {
  const TestKeys keys = make_keys();
  const auto trust = trust_for(keys);
  sealpack_environment environment = SEALPACK_INIT(sealpack_environment);
  environment.tee = "tpm";
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.trust = trust.get();
  options.environment = &environment;
  sealpack_session* session = nullptr;
  EXPECT_CODE(SEALPACK_USAGE, sealpack_session_create(&options, &session, &error));
  const crypto::PrivateKey key = make_key(crypto::KeyType::kEcdhP256);
  const sealpack_public_key device = public_key(key, nullptr);
  environment.device_key = &device;
  EXPECT_CODE(SEALPACK_USAGE, sealpack_session_create(&options, &session, &error));
}

}  // namespace
}  // namespace sealpack::testing
