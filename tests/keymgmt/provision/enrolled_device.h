// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "keymgmt/crypto/private_key.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/provision/device.h"
#include "keymgmt/provision/floor_store.h"
#include "keymgmt/provision/vendor.h"
#include "tests/keymgmt/tpm/software_tpm.h"
#include "tests/keymgmt/tpm/tpm_command.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::testing {

inline constexpr tpm::PcrMask kMeasured = 1U << 4U | 1U << 9U;
inline const provision::Scope kScope{crypto::sha256(as_bytes("authority")), "camera"};

// A vendor with a product key, and devices that it enrolled.
struct Vendor {
  explicit Vendor(crypto::KeyType type = crypto::KeyType::kX25519)
      : product(*crypto::PrivateKey::generate(type)),
        grantor(*crypto::PrivateKey::generate(crypto::KeyType::kEcdsaP256)->signer()) {}

  Result<provision::Enrolment> answer(const provision::EnrolRequest& request,
                                      std::vector<provision::FloorTable::Entry> floors = {},
                                      std::uint32_t minimum = 0) const {
    return provision::answer_request(request,
                                     {kScope, product, *grantor, std::move(floors), minimum});
  }
  // For the machine as it is now.
  Result<provision::SignedStatement> boot_policy(tpm::Tpm& tpm, std::uint32_t number,
                                                 std::uint32_t cap_pcr = 15) const {
    provision::BootTerms terms;
    terms.cap_pcr = cap_pcr;
    terms.scope = kScope;
    terms.number = number;
    terms.environments.push_back({TRY(tpm.read_pcrs(kMeasured))});
    return provision::sign_boot_policy(terms, *grantor);
  }

  crypto::PrivateKey product;
  std::unique_ptr<crypto::Signer> grantor;
};

class Device {
 public:
  explicit Device(tpm::EndorsementKind kind = tpm::EndorsementKind::kP256) : kind_(kind) {
    measure();
    reconnect();
  }

  void disconnect() { tpm_.reset(); }
  void reconnect() {
    tpm_.reset();
    auto opened = tpm::Tpm::open({machine_.tcti(), kind_, std::nullopt});
    EXPECT_THAT(opened, Succeeds());
    tpm_ = *std::move(opened);
  }
  void reboot() {
    disconnect();
    restart();
    reconnect();
  }
  // The same while nobody is connected.
  void restart() {
    machine_.restart();
    measure();
  }

  tpm::Tpm& tpm() { return *tpm_; }
  const std::shared_ptr<tpm::Tpm>& shared() { return tpm_; }
  std::string tcti() const { return machine_.tcti(); }
  std::filesystem::path floors() const { return folder_ / "device.floors"; }
  const TemporaryFolder& folder() const { return folder_; }

  SoftwareTpm& machine() { return machine_; }
  // NV indices of requests.
  provision::Counters indices;

  Result<provision::EnrolRequest> request(bool new_epoch = false) {
    return provision::make_request(*tpm_, kind_, indices,
                                   new_epoch ? provision::Epoch::kNew : provision::Epoch::kKeep);
  }
  // All of it, with floors at `floors()`.
  Result<provision::Installed> enrol(const Vendor& vendor, bool new_epoch = false,
                                     std::uint32_t minimum = 0) {
    const auto enrolment = TRY(vendor.answer(TRY(request(new_epoch)), {}, minimum));
    auto installed = TRY(install(vendor, enrolment.answer));
    TRY(provision::check_proof(enrolment.record, installed.proof));
    TRY(provision::install_floors(*tpm_, installed.key, installed.floors, floors()));
    return installed;
  }
  Result<provision::Installed> install(const Vendor& vendor,
                                       const provision::SignedStatement& answer) {
    return provision::install_answer(*tpm_, kind_, answer, vendor.grantor->public_key());
  }

  Result<std::unique_ptr<provision::DeviceKey>> open(
      const tpm::KeyBlob& key, const std::vector<provision::SignedStatement>& statements) {
    std::vector<provision::BootPolicy> policies;
    for (const auto& statement : statements) {
      policies.push_back(TRY(provision::verify_boot_policy(key, statement)));
    }
    return provision::DeviceKey::open(tpm_, key, policies);
  }

 private:
  // What firmware does: a machine that measured nothing gets no policy.
  void measure() {
    const Digest kernel = crypto::sha256(as_bytes("kernel"));
    const ByteVector values = TpmBytes().u32(1).u16(0x000b).raw(kernel.bytes).take();
    EXPECT_EQ(tpm_code(machine_.command(tpm_command(0x182, {4}, {""}, values))), 0U);
  }

  tpm::EndorsementKind kind_;
  SoftwareTpm machine_;
  TemporaryFolder folder_;
  std::shared_ptr<tpm::Tpm> tpm_;
};

}  // namespace sealpack::testing
