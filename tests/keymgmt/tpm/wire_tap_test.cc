// SPDX-License-Identifier: Apache-2.0
// What crosses to the TPM.
#include <gtest/gtest.h>

#include "keymgmt/crypto/private_key.h"
#include "keymgmt/tpm/tpm.h"
#include "tests/keymgmt/tpm/software_tpm.h"
#include "tests/keymgmt/tpm/tpm_proxy.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::tpm {
namespace {

using testing::SoftwareTpm;
using testing::Succeeds;

std::uint32_t big_endian(const std::string& text, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value = value << 8U | static_cast<std::uint8_t>(text[at + i]);
  }
  return value;
}

// Sizes of the encrypted salts of all TPM2_StartAuthSession commands in a capture, and the handles
// of the keys that they are encrypted to. A command is tag 8001, size, code 00000176, key, bind,
// nonce, salt.
std::vector<std::pair<std::uint32_t, std::uint32_t>> salts_in(const std::string& capture) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
  const std::string code("\x00\x00\x01\x76", 4);
  for (std::size_t at = capture.find(code, 6); at != std::string::npos;
       at = capture.find(code, at + 1)) {
    if (big_endian(capture, at - 6, 2) != 0x8001) continue;
    const std::uint32_t nonce = big_endian(capture, at + 12, 2);
    out.emplace_back(big_endian(capture, at + 4, 4), big_endian(capture, at + 14 + nonce, 2));
  }
  return out;
}

TEST(WireTap, SessionsAreSaltedAndSecretsEncrypted) {
  if (!SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
  SoftwareTpm device;
  const testing::TpmProxy proxy(device);
  const auto key = *crypto::PrivateKey::generate(crypto::KeyType::kX25519);
  const auto inner = crypto::SecretBytes::random(kInnerKeySize);
  const auto secret = crypto::SecretBytes::random(32);
  {
    auto opened = Tpm::open({proxy.tcti(), EndorsementKind::kP256, std::nullopt});
    ASSERT_THAT(opened, Succeeds());
    Tpm& tpm = **opened;
    const auto credential =
        *make_credential(tpm.endorsement_key(), name_of(*tpm.attestation_key()), secret);
    ASSERT_THAT(tpm.activate_credential(credential), Succeeds());
    const auto wrapped = *make_duplicate(tpm.endorsement_key(), key, Digest{}, inner);
    const auto imported = tpm.import(wrapped, inner);
    ASSERT_THAT(imported, Succeeds());
    ASSERT_THAT(tpm.define_counter(0x01805ea1), Succeeds());
    ASSERT_THAT(tpm.read_counter(0x01805ea1), Succeeds());
    ASSERT_THAT(tpm.extend_pcr(15, Digest{}), Succeeds());
    ASSERT_THAT(tpm.quote(1U << 15U, as_bytes("nonce")), Succeeds());
  }
  const std::string capture = proxy.crossed();
  ASSERT_GT(capture.size(), 1000U);
  const auto salts = salts_in(capture);
  EXPECT_GE(salts.size(), 8U);
  constexpr std::uint32_t kNoKey = 0x40000007;  // TPM_RH_NULL
  for (const auto& [handle, size] : salts) {
    EXPECT_NE(handle, kNoKey);
    EXPECT_EQ(size, 2U * (2 + 32)) << "a point of P-256";
  }
  for (const Bytes part : {secret.reveal(), inner.reveal()}) {
    EXPECT_EQ(capture.find(as_text(part)), std::string::npos);
  }
}

}  // namespace
}  // namespace sealpack::tpm
