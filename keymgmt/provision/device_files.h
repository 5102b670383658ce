// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/files/output_file.h"
#include "keymgmt/provision/floor_store.h"

// What lies beside a TPM on a device: the wrapped key KEY, and KEY.policy, KEY.policy.next (a boot
// policy that is installed and not confirmed), KEY.floors. All are public but for floors, and all
// are worthless elsewhere.
namespace sealpack::provision {

// Labels of the PEM blocks that messages travel in.
inline constexpr std::string_view kRequestLabel = "SEALPACK TPM ENROLMENT REQUEST";
inline constexpr std::string_view kAnswerLabel = "SEALPACK TPM ENROLMENT ANSWER";
inline constexpr std::string_view kProofLabel = "SEALPACK TPM ENROLMENT PROOF";
inline constexpr std::string_view kRecordLabel = "SEALPACK TPM ENROLMENT RECORD";
inline constexpr std::string_view kBootPolicyLabel = "SEALPACK TPM BOOT POLICY";
inline constexpr std::string_view kFloorsLabel = "SEALPACK TPM FLOORS";

class DeviceFiles {
 public:
  explicit DeviceFiles(std::filesystem::path key) : key_(std::move(key)) {}

  const std::filesystem::path& key() const { return key_; }
  std::filesystem::path floors() const { return with(".floors"); }

  Result<tpm::KeyBlob> load_key() const;
  // Those that are there and verify: the confirmed one, then the next. kNotAuthentic, kRefused for
  // one that does not.
  Result<std::vector<BootPolicy>> load_policies(const tpm::KeyBlob& key) const;
  // As the confirmed one where there is none yet, else as the next. After verify_boot_policy;
  // install_policy does both.
  Status store_policy(const SignedStatement& statement) const;
  // Makes the next one the confirmed one.
  Status promote_policy() const;
  // A fresh key: policies of the one before go.
  Status store_key(const tpm::KeyBlob& key, Overwrite overwrite) const;

 private:
  std::filesystem::path with(const char* ending) const;
  std::filesystem::path policy() const { return with(".policy"); }
  std::filesystem::path next_policy() const { return with(".policy.next"); }
  std::filesystem::path key_;
};

// Takes a boot policy beside what serves now. Errors of verify_boot_policy and check_number.
Result<BootPolicy> install_policy(tpm::Tpm& tpm, const DeviceFiles& files, const tpm::KeyBlob& key,
                                  const SignedStatement& statement);

// Everything that a loader needs of the device, pinned to its TPM.
struct DeviceAccess {
  std::shared_ptr<tpm::Tpm> tpm;
  std::unique_ptr<DeviceKey> key;
  std::unique_ptr<FloorStore> floors;
};
// `tcti` and `password` as in tpm::TpmOptions. kNotAuthentic, kRefused, kKeyUnavailable, kIo. After
// a failure nobody else gets to use the key in this boot either: cap_any() is done.
Result<DeviceAccess> open_device(const std::filesystem::path& key, const std::string& tcti,
                                 const tpm::PasswordSource& password = {});

// For those who had a device's key to use and came to nothing: takes every PCR that may be a cap
// and is still zero away from zero. Which one it is, is written in files that may be what was
// broken. What else measures into PCRs 1 to 15 goes on.
Status cap_any(const std::string& tcti);

}  // namespace sealpack::provision
