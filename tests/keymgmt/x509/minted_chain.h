// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "keymgmt/x509/chain.h"
#include "tests/attest/authority/mint.h"
#include "tests/testing/reason_matchers.h"

namespace sealpack::testing {

inline constexpr std::uint64_t kChainTime = 1800000000;

inline const MintKey& key(std::size_t which) {
  static const std::vector<MintKey> keys = [] {
    std::vector<MintKey> made;
    for (int i = 0; i < 6; ++i) made.push_back(MintKey::generate(MintKeyType::kP256));
    return made;
  }();
  return keys.at(which);
}
inline const MintKey& rsa_key() {
  static const MintKey made = MintKey::generate(MintKeyType::kRsa2048);
  return made;
}

// Root, intermediate and leaf with complete revocation lists; each test changes one thing.
class MintedChain : public ::testing::Test {
 protected:
  MintCertificate root{.subject = "Maker Root", .organization = "Maker", .authority = true};
  MintCertificate middle{.subject = "Maker Devices", .serial = 7, .authority = true};
  MintCertificate leaf{.subject = "Device", .serial = 9};
  MintKey root_key = key(0);
  MintKey middle_key = key(1);
  MintKey leaf_key = key(2);
  MintList root_list;
  MintList middle_list;
  std::vector<ByteVector> lists;
  std::vector<x509::Certificate> more;  // of the pool
  bool mint_lists = true;
  bool with_middle = true;
  x509::ChainRules rules{.now = kChainTime};
  std::vector<Digest> roots;
  std::vector<Reason> reasons;

  static x509::Certificate parsed(const ByteVector& der) {
    return x509::Certificate::parse_der(der).value();
  }

  std::optional<std::vector<x509::Certificate>> run() {
    std::vector<x509::Certificate> pool = more;
    pool.push_back(parsed(mint(root, root_key, nullptr, root_key)));
    if (with_middle) pool.push_back(parsed(mint(middle, middle_key, &root, root_key)));
    if (mint_lists) {
      lists.push_back(mint_list(root_list, root, root_key));
      lists.push_back(mint_list(middle_list, middle, middle_key));
    }
    return run_with(parsed(mint(leaf, leaf_key, &middle, middle_key)), pool);
  }
  std::optional<std::vector<x509::Certificate>> run_with(
      const x509::Certificate& certificate, const std::vector<x509::Certificate>& pool) {
    if (roots.empty()) roots = {key(0).digest()};
    rules.roots = roots;
    rules.revocation_lists = lists;
    reasons.clear();
    return x509::verify_chain(certificate, pool, rules, reasons);
  }
  void use_rsa(bool pss) {
    root_key = rsa_key();
    roots = {rsa_key().digest()};
    root.pss = middle.pss = root_list.pss = pss;
  }
  void expect_accepted() {
    const auto chain = run();
    EXPECT_TRUE(chain.has_value()) << text_of(reasons);
    EXPECT_TRUE(reasons.empty()) << text_of(reasons);
  }
  void expect_refused(const char* code) {
    EXPECT_FALSE(run().has_value());
    EXPECT_THAT(reasons, HasOnlyReason(code));
  }
};

}  // namespace sealpack::testing
