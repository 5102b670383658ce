// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "keymgmt/x509/chain.h"
#include "tests/attest/authority/mint_costly.h"
#include "tests/testing/reason_matchers.h"

namespace sealpack::x509 {
namespace {

using testing::HasOnlyReason;
using testing::mint;
using testing::mint_key_with_long_exponent;
using testing::MintCertificate;
using testing::MintKey;
using testing::MintKeyType;

// Whoever sends certificates chooses their keys: a signature that is right, by a key that takes as
// long to verify as to sign, is not tried.
TEST(CostlyKey, OfAnIssuerProvesNothing) {
  const MintKey root_key = MintKey::generate(MintKeyType::kP256);
  const MintKey leaf_key = MintKey::generate(MintKeyType::kP256);
  const MintCertificate root{.subject = "Root", .authority = true};
  const MintCertificate middle{.subject = "Middle", .serial = 2, .authority = true};
  const auto parsed = [](const ByteVector& der) { return Certificate::parse_der(der).value(); };
  const std::vector<Digest> roots{root_key.digest()};
  const ChainRules rules{.now = 1800000000, .roots = roots, .revocation = Revocation::kNone};
  const auto reasons_with = [&](int exponent_bits) {
    const MintKey key = mint_key_with_long_exponent(exponent_bits);
    const std::vector pool{parsed(mint(middle, key, &root, root_key)),
                           parsed(mint(root, root_key, nullptr, root_key))};
    const Certificate leaf = parsed(mint({.subject = "Leaf"}, leaf_key, &middle, key));
    std::vector<Reason> reasons;
    const bool accepted = verify_chain(leaf, pool, rules, reasons).has_value();
    EXPECT_EQ(accepted, reasons.empty());
    return reasons;
  };
  EXPECT_TRUE(reasons_with(64).empty());
  EXPECT_THAT(reasons_with(65), HasOnlyReason("chain.signature"));
  EXPECT_THAT(reasons_with(200), HasOnlyReason("chain.signature"));
}

}  // namespace
}  // namespace sealpack::x509
