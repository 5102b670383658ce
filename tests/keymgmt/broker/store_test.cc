// SPDX-License-Identifier: Apache-2.0
// What an operator changes: what a store keeps of it, and what it refuses.

#include "keymgmt/broker/known.h"
#include "keymgmt/broker/log.h"
#include "keymgmt/broker/rules.h"
#include "tests/keymgmt/broker/store_setting.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::digest_of;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;
using namespace testing;

class Stores : public StoreTest {};

TEST_F(Stores, KeepWhatAnOperatorSays) {
  const Licence licence{authority(), kProduct, 3, 1, kNow + 1000, 60, {{1}, {2}}};
  const TpmDevice device{Digest{{4}}, {1, 2}, {3, 4}, "rack 7"};
  ASSERT_THAT(apply(PutLicence{licence}), Succeeds());
  ASSERT_THAT(apply(PutPolicy{{authority(), kProduct, "text"}}), Succeeds());
  ASSERT_THAT(apply(EnrolTpm{device}), Succeeds());
  ASSERT_THAT(apply(RaiseFloor{{authority(), kProduct, {5, Digest{{6}}}}}), Succeeds());
  ASSERT_THAT(apply(Revoke{{RevokedKind::kDevice, {9, 9}, "stolen", 0}}), Succeeds());
  const auto state = store().state().value();
  ASSERT_EQ(state->vendors.size(), 1U);
  EXPECT_EQ(state->vendors[0].name, "vendor");
  EXPECT_EQ(state->vendors[0].trust.authorities, setting_->vendor.trust.authorities);
  ASSERT_EQ(state->vendors[0].trust.signers.size(), 1U);
  ASSERT_EQ(state->releases.size(), 1U);
  EXPECT_EQ(state->releases[0].head, setting_->release.head);
  EXPECT_EQ(state->releases[0].signers, setting_->release.signers);
  EXPECT_EQ(state->releases[0].uuid, setting_->release.uuid);
  EXPECT_EQ(state->releases[0].trust, trust_digest(setting_->vendor).value());
  ASSERT_EQ(state->licences.size(), 1U);
  EXPECT_EQ(state->licences[0].devices, licence.devices);
  EXPECT_EQ(state->licences[0].not_after, kNow + 1000);
  ASSERT_EQ(state->policies.size(), 1U);
  EXPECT_EQ(state->policies[0].text, "text");
  ASSERT_EQ(state->tpm_devices.size(), 1U);
  EXPECT_EQ(state->tpm_devices[0].ek_name, device.ek_name);
  EXPECT_EQ(state->tpm_devices[0].ak_name, device.ak_name);
  ASSERT_EQ(state->floors.size(), 1U);
  EXPECT_EQ(state->floors[0].floor, (loader::Floor{5, Digest{{6}}}));
  ASSERT_EQ(state->revocations.size(), 1U);
  EXPECT_EQ(state->revocations[0].because, "stolen");
  EXPECT_EQ(state->revocations[0].since, kNow);
  EXPECT_EQ(state->keys.size(), 3U);
  EXPECT_EQ(state->epoch, 1U);
  EXPECT_TRUE(state->reconciled);
}

TEST_F(Stores, TakeBackWhatWasSaid) {
  ASSERT_THAT(apply(PutLicence{{authority(), kProduct, 0, 0, 0, 0, {}}}), Succeeds());
  ASSERT_THAT(apply(RemoveLicence{authority(), kProduct}), Succeeds());
  ASSERT_THAT(apply(PutPolicy{{authority(), kProduct, "text"}}), Succeeds());
  ASSERT_THAT(apply(PutPolicy{{authority(), kProduct, ""}}), Succeeds());
  ASSERT_THAT(apply(EnrolTpm{{Digest{{4}}, {1}, {2}, ""}}), Succeeds());
  ASSERT_THAT(apply(RemoveTpm{Digest{{4}}}), Succeeds());
  ASSERT_THAT(apply(Revoke{{RevokedKind::kDevice, {9}, "", 0}}), Succeeds());
  ASSERT_THAT(apply(EndRevocation{RevokedKind::kDevice, {9}}), Succeeds());
  ASSERT_THAT(apply(RemoveVendor{"vendor"}), Succeeds());
  const auto state = store().state().value();
  EXPECT_TRUE(state->licences.empty() && state->policies.empty() && state->tpm_devices.empty() &&
              state->revocations.empty() && state->vendors.empty());
}

TEST_F(Stores, DoNotTakeBackWhatWasNotSaid) {
  const std::vector<Change> changes = {
      RemoveLicence{authority(), kProduct},
      PutPolicy{{authority(), kProduct, ""}},
      RemoveTpm{Digest{{4}}},
      EndRevocation{RevokedKind::kDevice, {9}},
      RemoveVendor{"nobody"},
      EndKey{Digest{{1}}, kNow},
      EndLease{loader::Instance{1}},
      Reconcile{},
  };
  const StateVersion before = store().version().value();
  for (const Change& change : changes) {
    EXPECT_THAT(apply(change), Fails(ErrorCode::kRefused)) << change.index();
  }
  EXPECT_EQ(store().version().value(), before);
}

TEST_F(Stores, RefuseWhatMakesNoSense) {
  const Digest a = authority();
  const std::vector<Change> changes = {
      PutLicence{{a, kProduct, 3, 0, 0, 0, {}}},          // counted instances without leases
      PutLicence{{a, kProduct, 0, 20, 10, 0, {}}},        // ends before it begins
      PutLicence{{a, kProduct, 0, 0, 0, 0, {{2}, {1}}}},  // not ascending
      PutLicence{{a, kProduct, 0, 0, 0, 0, {{1}, {1}}}},  // twice
      PutLicence{{a, kProduct, 0, 0, 0, 0, {{}}}},        // a device without a name
      Revoke{{RevokedKind::kContent, {1, 2, 3}, "", 0}},  // not a digest
      Revoke{{RevokedKind::kDevice, {}, "", 0}},          // nothing
      Revoke{{RevokedKind::kDevice, {1}, "\xff", 0}},     // no text
      Revoke{{RevokedKind::kDevice, {1}, "a\nb", 0}},     // of more than a line
      PutLicence{{a, kProduct, 0, 0, 0, ~std::uint64_t{0} >> 1U, {}}},  // leases without an end
      EnrolTpm{{Digest{{1}}, {}, {1}, ""}},    // no name of the attestation key
      EnrolTpm{{Digest{{1}}, {1}, {}, ""}},    // no endorsement key
      EndKey{digest_of(setting_->grants), 0},  // at no time
  };
  for (const Change& change : changes) {
    EXPECT_THAT(apply(change), Fails(ErrorCode::kUsage)) << change.index();
  }
  EXPECT_THAT(apply(RaiseFloor{{a, std::string(513, 'x'), {1, {}}}}), Fails(ErrorCode::kLimit));
  EXPECT_THAT(apply(RaiseFloor{{a, kProduct, {~std::uint64_t{0}, {}}}}), Fails(ErrorCode::kLimit));
}

TEST_F(Stores, ListAKeyOnce) {
  EXPECT_THAT(apply(AddKey{{KeyUse::kLog, to_vector(setting_->grants.spki()), 0, 0}}),
              Fails(ErrorCode::kRefused));
}

// A leaked key is ended at once, whatever end it had.
TEST_F(Stores, BringTheEndOfAKeyForwardAndNeverPutItOff) {
  const Digest grants = digest_of(setting_->grants);
  const auto end = [&](std::uint64_t at) { return apply(EndKey{grants, at}); };
  ASSERT_THAT(end(kNow + 1000), Succeeds());
  EXPECT_THAT(end(kNow + 1001), FailsWith(ErrorCode::kRefused, HasSubstr("no end is put off")));
  EXPECT_THAT(end(kNow + 1000), Succeeds());
  EXPECT_THAT(end(kNow), Succeeds());
  const auto state = store().state().value();
  for (const BrokerKey& key : state->keys) {
    EXPECT_EQ(key.not_after, key.digest() == grants ? kNow : 0);
  }
}

TEST_F(Stores, MakeAllOfSeveralChangesOrNone) {
  const auto before = entries_of(store()).size();
  const Change revocation = Revoke{{RevokedKind::kDevice, {9}, "", 0}};
  const Change floor = RaiseFloor{{authority(), kProduct, {9, std::nullopt}}};
  const Change lower = RaiseFloor{{authority(), kProduct, {8, std::nullopt}}};
  const Change refused[] = {revocation, floor, lower};
  EXPECT_THAT(store().apply_all(refused, kNow), Fails(ErrorCode::kRefused));
  EXPECT_EQ(entries_of(store()).size(), before);
  EXPECT_TRUE(store().state().value()->revocations.empty());
  const Change taken[] = {revocation, floor};
  EXPECT_EQ(store().apply_all(taken, kNow).value(), before + 1);
  const auto entries = entries_of(store());
  ASSERT_EQ(entries.size(), before + 2);
  EXPECT_EQ(entries[before].what, "revoke device 09");
  EXPECT_EQ(entries[before + 1].what, "raise floor of 'test product' to 9");
}

TEST_F(Stores, NeverLowerAFloor) {
  const auto raise = [&](loader::Floor floor) {
    return apply(RaiseFloor{{authority(), kProduct, floor}});
  };
  EXPECT_THAT(raise({0, std::nullopt}), Fails(ErrorCode::kRefused));
  ASSERT_THAT(raise({9, Digest{{1}}}), Succeeds());
  EXPECT_THAT(raise({8, std::nullopt}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(raise({9, Digest{{2}}}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(raise({9, std::nullopt}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(raise({9, Digest{{1}}}), Succeeds());
  EXPECT_THAT(raise({10, std::nullopt}), Succeeds());
}

TEST_F(Stores, RegisterNoOlderRelease) {
  EXPECT_THAT(setting_->add(setting_->make_release(6)),
              FailsWith(ErrorCode::kRefused, HasSubstr("older release")));
}

TEST_F(Stores, RegisterNoOtherReleaseOfTheSameCounter) {
  EXPECT_THAT(setting_->add(setting_->make_release(7)),
              FailsWith(ErrorCode::kRefused, HasSubstr("another release with counter 7")));
}

TEST_F(Stores, RegisterTheSameReleaseAgainWithItsNewSlots) {
  RegisteredRelease again = setting_->release;
  again.head.slots.push_back(again.head.slots.front());
  again.head.slots.back().salt[0] ^= 1;
  EXPECT_THAT(setting_->add(again), Succeeds());
  EXPECT_EQ(store().state().value()->releases.at(0).head.slots.size(), 2U);
}

TEST_F(Stores, RegisterNothingBelowTheFloorOrRevoked) {
  const auto newer = setting_->make_release(8);
  ASSERT_THAT(apply(RaiseFloor{{authority(), kProduct, {9, std::nullopt}}}), Succeeds());
  EXPECT_THAT(setting_->add(newer), Fails(ErrorCode::kRefused));
  const auto newest = setting_->make_release(10);
  const std::vector<std::pair<RevokedKind, Digest>> cases = {
      {RevokedKind::kContent, newest.content},
      {RevokedKind::kRelease, newest.release},
      {RevokedKind::kSigner, newest.signers.at(0)}};
  for (const auto& [kind, value] : cases) {
    ASSERT_THAT(apply(Revoke{{kind, to_vector(value.bytes), "", 0}}), Succeeds());
    EXPECT_THAT(setting_->add(newest), FailsWith(ErrorCode::kRefused, HasSubstr("revoked")));
    ASSERT_THAT(apply(EndRevocation{kind, to_vector(value.bytes)}), Succeeds());
  }
  EXPECT_THAT(setting_->add(newest), Succeeds());
}

TEST_F(Stores, RegisterNothingOfAnUnknownVendor) {
  auto release = setting_->make_release(8);
  release.vendor = "nobody";
  EXPECT_THAT(setting_->add(release), Fails(ErrorCode::kRefused));
}

// The keys that are believed for a vendor were others when the release was verified.
TEST_F(Stores, RegisterNothingThatWasVerifiedByAnotherTrust) {
  const auto release = setting_->make_release(8);
  Vendor other = setting_->vendor;
  other.trust = sealpack::testing::trust_in(sealpack::testing::make_keys());
  ASSERT_THAT(apply(PutVendor{other}), Succeeds());
  EXPECT_THAT(setting_->add(release), FailsWith(ErrorCode::kRefused, HasSubstr("another trust")));
  ASSERT_THAT(apply(PutVendor{setting_->vendor}), Succeeds());
  EXPECT_THAT(setting_->add(release), Succeeds());
}

TEST_F(Stores, KnowWhatTheyEverMet) {
  const auto knows = [&](RevokedKind kind, const ByteVector& value) {
    return is_known(store(), kind, value).value();
  };
  const auto bytes = [](const Digest& digest) { return to_vector(digest.bytes); };
  const RegisteredRelease& release = setting_->release;
  EXPECT_TRUE(knows(RevokedKind::kContent, bytes(release.content)));
  EXPECT_TRUE(knows(RevokedKind::kRelease, bytes(release.release)));
  EXPECT_TRUE(knows(RevokedKind::kSigner, bytes(release.signers.at(0))));
  EXPECT_TRUE(knows(RevokedKind::kMeasurement, bytes(setting_->measurement)));
  for (const RevokedKind kind : {RevokedKind::kContent, RevokedKind::kRelease, RevokedKind::kSigner,
                                 RevokedKind::kMeasurement, RevokedKind::kDevice}) {
    EXPECT_FALSE(knows(kind, bytes(Digest{{0xee}}))) << to_string(kind);
  }
  EXPECT_FALSE(knows(RevokedKind::kContent, bytes(release.release)));
  ASSERT_THAT(apply(PutLicence{{authority(), kProduct, 0, 0, 0, 0, {{1, 2}}}}), Succeeds());
  ASSERT_THAT(apply(EnrolTpm{{Digest{{4}}, {1}, {3, 4}, ""}}), Succeeds());
  EXPECT_TRUE(knows(RevokedKind::kDevice, {1, 2}));
  EXPECT_TRUE(knows(RevokedKind::kDevice, {3, 4}));
  // What evidence proved.
  attest::Claims claims;
  claims.tee = "sev-snp";
  claims.claims = {{"chip_id", {7, 8, 9}}, {"gpu_nonce", {5, 5}}};
  Decision proven = decision(1);
  proven.claims = serialize_claims(claims);
  proven.entry.claims = Digest{{5}};
  EXPECT_EQ(code_of(proven), "");
  EXPECT_TRUE(knows(RevokedKind::kDevice, {7, 8, 9}));
  EXPECT_FALSE(knows(RevokedKind::kDevice, {7, 8}));
  EXPECT_FALSE(knows(RevokedKind::kDevice, {7, 8, 9, 10}));
  // A licence is not the device.
  const auto met = [&](const ByteVector& device) { return has_met(store(), device).value(); };
  EXPECT_TRUE(met({3, 4}));
  EXPECT_TRUE(met({7, 8, 9}));
  EXPECT_FALSE(met({1, 2}));
}

TEST_F(Stores, LogEveryChangeInWords) {
  ASSERT_THAT(apply(Revoke{{RevokedKind::kDevice, {0xab, 0xcd}, "stolen", 0}}), Succeeds());
  const auto entries = entries_of(store());
  EXPECT_EQ(entries.front().kind, EntryKind::kOpened);
  EXPECT_EQ(entries.back().kind, EntryKind::kChange);
  EXPECT_EQ(entries.back().what, "revoke device abcd: 'stolen'");
  EXPECT_EQ(entries.back().epoch, 1U);
}

TEST_F(Stores, LogTimesThatPeopleCanRead) {
  const auto logged = [&](const Change& change) {
    EXPECT_THAT(apply(change), Succeeds());
    return entries_of(store()).back().what;
  };
  const Digest grants = digest_of(setting_->grants);
  EXPECT_EQ(logged(PutLicence{{authority(), kProduct, 3, kNow, kNow + 100, 60, {{1}, {2}}}}),
            "put licence of 'test product': 3 instances, leases of 60 s, from 2023-11-14 22:13:20 "
            "UTC, until 2023-11-14 22:15:00 UTC, 2 devices");
  EXPECT_EQ(logged(PutLicence{{authority(), kProduct, 0, 0, 0, 0, {}}}),
            "put licence of 'test product': no limits");
  EXPECT_EQ(logged(EndKey{grants, kNow + 100}),
            "end key " + to_hex(grants.bytes) + " at 2023-11-14 22:15:00 UTC");
  EXPECT_EQ(logged(ConfirmClock{}),
            "confirm clock: it is 2023-11-14 22:13:20 UTC, the log had reached 2023-11-14 22:13:20 "
            "UTC");
}

// What an operator says is kept for ever, and has to be read for ever.
TEST_F(Stores, LogNothingThatCannotBeReadAgain) {
  const ByteVector longest(256, 0xab);
  const std::string escapes(1024, '\x1b');  // each is four bytes where it is shown
  EXPECT_THAT(apply(Revoke{{RevokedKind::kDevice, longest, escapes, 0}}), Fails(ErrorCode::kUsage));
  EXPECT_THAT(apply(Revoke{{RevokedKind::kDevice, longest, std::string(1024, 'x'), 0}}),
              Succeeds());
  EXPECT_THAT(apply(RaiseFloor{{authority(), std::string(512, '\x1b'), {1, {}}}}), Succeeds());
  EXPECT_THAT(verify_log(store(), {}, {}), Succeeds());
}

}  // namespace
}  // namespace sealpack::broker
