// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/provision/device_files.h"

#include "formats/files/system_calls.h"
#include "keymgmt/keystore/armored_file.h"
#include "keymgmt/keystore/tpm_key.h"

namespace sealpack::provision {

std::filesystem::path DeviceFiles::with(const char* ending) const {
  std::filesystem::path out = key_;
  out += ending;
  return out;
}

Result<tpm::KeyBlob> DeviceFiles::load_key() const {
  return keystore::load_tpm_key(key_);
}

Result<std::vector<BootPolicy>> DeviceFiles::load_policies(const tpm::KeyBlob& key) const {
  std::vector<BootPolicy> policies;
  for (const std::filesystem::path& path : {policy(), next_policy()}) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) continue;
    const auto statement = TRY(parse_signed(TRY(keystore::load_armored(path, kBootPolicyLabel)))
                                   .within(printable(path.string())));
    policies.push_back(TRY(verify_boot_policy(key, statement).within(printable(path.string()))));
  }
  return policies;
}

Status DeviceFiles::store_policy(const SignedStatement& statement) const {
  std::error_code ignored;
  const bool first = !std::filesystem::exists(policy(), ignored);
  return keystore::store_armored(first ? policy() : next_policy(), kBootPolicyLabel,
                                 serialize_signed(statement), 0644, Overwrite::kReplace);
}

Status DeviceFiles::promote_policy() const {
  std::error_code failed;
  std::filesystem::rename(next_policy(), policy(), failed);
  if (failed) {
    return io_error("cannot make " + printable(next_policy().string()) + " the confirmed policy",
                    failed.value());
  }
  return done();
}

Status DeviceFiles::store_key(const tpm::KeyBlob& key, Overwrite overwrite) const {
  TRY(keystore::store_tpm_key(key_, key, overwrite));
  std::error_code ignored;
  std::filesystem::remove(policy(), ignored);
  std::filesystem::remove(next_policy(), ignored);
  return done();
}

Result<BootPolicy> install_policy(tpm::Tpm& tpm, const DeviceFiles& files, const tpm::KeyBlob& key,
                                  const SignedStatement& statement) {
  BootPolicy policy = TRY(verify_boot_policy(key, statement));
  TRY(check_number(tpm, key, policy));
  // A confirmation that was cut off in the TPM's favour: what serves has the name of the next one.
  const auto there = files.load_policies(key);
  if (there.ok() && there->size() == 2) {
    const Status serves = check_number(tpm, key, there->front());
    if (!serves.ok() && serves.error().code() == ErrorCode::kRefused) TRY(files.promote_policy());
  }
  TRY(files.store_policy(statement));
  return policy;
}

namespace {

Result<DeviceAccess> open_uncapped(const std::filesystem::path& key, const std::string& tcti,
                                   const tpm::PasswordSource& password) {
  const DeviceFiles files(key);
  const tpm::KeyBlob blob = TRY(files.load_key());
  const std::string name = "TPM key " + printable(key.string());
  const std::vector<BootPolicy> policies = TRY(files.load_policies(blob));
  DeviceAccess out;
  out.tpm = TRY(tpm::Tpm::open({tcti, blob.kind, blob.device, password}).within(name));
  out.key = TRY(DeviceKey::open(out.tpm, blob, policies).within(name));
  out.floors = TRY(FloorStore::open(out.tpm, blob, out.key->floor_key(), files.floors()));
  return out;
}

}  // namespace

Result<DeviceAccess> open_device(const std::filesystem::path& key, const std::string& tcti,
                                 const tpm::PasswordSource& password) {
  auto opened = open_uncapped(key, tcti, password);
  if (opened.ok()) return opened;
  const Status capped = cap_any(tcti);
  if (capped.ok()) return opened;
  return std::move(opened).within("not capped either (" + capped.error().message() +
                                  "), stop this machine");
}

Status cap_any(const std::string& tcti) {
  return tpm::extend_zero_pcrs(tcti, tpm::kCapPcrs, cap_value());
}

}  // namespace sealpack::provision
