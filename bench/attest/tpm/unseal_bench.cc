// SPDX-License-Identifier: Apache-2.0
// How long a device takes to its content key with no network, and how much of it is the TPM's (here
// swtpm, a process beside this one; a discrete TPM takes five to twenty times as long).
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "keymgmt/crypto/hpke.h"
#include "tests/keymgmt/provision/enrolled_device.h"

namespace sealpack {
namespace {

using Instant = std::chrono::steady_clock::time_point;

double milliseconds(Instant from) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - from).count();
}

struct Row {
  double all = 0;
  double tpm = 0;
  std::uint64_t calls = 0;
};

// One boot: connect, open the key, open one slot, cap.
Row measure_boot(testing::Device& device, const testing::Vendor& vendor, const tpm::KeyBlob& key,
                 const provision::SignedStatement& policy) {
  const auto recipient = *crypto::EncryptionKey::from_spki(vendor.product.spki());
  const auto sealed =
      *crypto::hpke_seal(recipient, {}, {}, as_bytes("a content key, 32 bytes long..."));
  const Instant start = std::chrono::steady_clock::now();
  device.reconnect();
  const auto opened = device.open(key, {policy});
  const auto plain = (*opened)->decryptor().hpke_open(sealed.enc, {}, {}, sealed.ciphertext);
  if (!plain.ok() || !(*opened)->cap().ok()) die("the key does not open");
  const tpm::Tpm::Time tpm = device.tpm().time();
  return {milliseconds(start), static_cast<double>(tpm.nanoseconds) / 1e6, tpm.calls};
}

void measure(const char* name, tpm::EndorsementKind endorsement, crypto::KeyType type) {
  constexpr int kBoots = 9;
  const testing::Vendor vendor(type);
  testing::Device device(endorsement);
  const auto installed = *device.enrol(vendor);
  const auto policy = *vendor.boot_policy(device.tpm(), 1);
  std::vector<Row> rows;
  for (int i = 0; i < kBoots; ++i) {
    device.reboot();
    rows.push_back(measure_boot(device, vendor, installed.key, policy));
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.all < b.all; });
  const Row& middle = rows[kBoots / 2];
  std::printf("%-28s %8.1f ms  %8.1f ms  %8.2f ms  %5llu\n", name, middle.all, middle.tpm,
              middle.all - middle.tpm, static_cast<unsigned long long>(middle.calls));
}

}  // namespace
}  // namespace sealpack

int main() {
  using sealpack::crypto::KeyType;
  using sealpack::tpm::EndorsementKind;
  if (!sealpack::testing::SoftwareTpm::is_installed()) {
    std::puts("swtpm is not installed");
    return 77;
  }
  std::puts("offline opening, median of 9      total  in the TPM       ours  calls");
  sealpack::measure("P-256 key, P-256 EK", EndorsementKind::kP256, KeyType::kEcdhP256);
  sealpack::measure("X25519 sealed, P-256 EK", EndorsementKind::kP256, KeyType::kX25519);
  sealpack::measure("P-256 key, RSA-2048 EK", EndorsementKind::kRsa2048, KeyType::kEcdhP256);
  return 0;
}
