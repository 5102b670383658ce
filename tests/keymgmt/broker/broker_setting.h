// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <future>

#include "keymgmt/broker/registration.h"
#include "keymgmt/broker/service.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/test_bundle.h"

namespace sealpack::broker::testing {

inline constexpr std::uint64_t kNow = 1700000000;

// A vendor's bundle for the broker, a laboratory whose simulated TEEs may open it, the broker's
// keys and its store. Everything that is refused in a test differs from this in one thing.
struct Setting {
  // `uri`: of the store to make; empty: SQLite in a folder of the setting.
  explicit Setting(const std::string& uri = "");

  // A release of the bundle with this counter, signed by the vendor, registered.
  RegisteredRelease make_release(
      std::uint64_t counter, const std::function<void(bundle::Release&)>& edit = [](auto&) {});
  Status add(const RegisteredRelease& made) { return apply(AddRelease{made}); }
  Status apply(const Change& change);
  void start(const std::function<void(ServiceOptions&)>& edit = [](auto&) {});
  ServiceKeys service_keys() const;

  sealpack::testing::TemporaryFolder folder;
  crypto::PrivateKey lab = sealpack::testing::make_key(crypto::KeyType::kEd25519);
  crypto::PrivateKey recipient = sealpack::testing::make_key(crypto::KeyType::kX25519);
  crypto::PrivateKey grants = sealpack::testing::make_key(crypto::KeyType::kEd25519);
  crypto::PrivateKey log_key = sealpack::testing::make_key(crypto::KeyType::kEd25519);
  sealpack::testing::TestKeys vendor_keys = sealpack::testing::make_keys();
  bundle::Uuid uuid{};
  Digest measurement{{1, 2, 3}};
  Vendor vendor;
  std::string uri;
  std::shared_ptr<Store> store;
  std::shared_ptr<std::atomic<std::uint64_t>> clock =
      std::make_shared<std::atomic<std::uint64_t>>(kNow);
  std::unique_ptr<Service> service;
  RegisteredRelease release;  // registered, counter 7
};

// A simulated TEE that asks for the key of a release.
struct Client {
  explicit Client(const Setting& setting);

  ChallengeRequest subject;
  Digest measurement;
  crypto::PrivateKey exchange = sealpack::testing::make_key(crypto::KeyType::kX25519);
  crypto::VerifyingKey broker;
  const crypto::PrivateKey* lab;
  loader::GrantTerms terms;  // of the last request

  // Terms for the challenge, then the request with evidence over them.
  loader::KeyRequest request(const ChallengeReply& reply);
  ByteVector release_request(const ChallengeReply& reply);
  Result<loader::GrantedKey> open(Bytes grant) const;
};

ChallengeReply challenge_of(Service& service, const ChallengeRequest& subject,
                            Transport transport = Transport::kNetwork);
Answer release_of(Service& service, ByteVector request, Transport transport = Transport::kNetwork);
// A whole exchange.
Answer exchange(Service& service, Client& client);

// "" for a grant, otherwise the codes of the refusal with spaces between.
std::string codes_of(const Answer& answer);
std::string challenge_codes_of(Service& service, const ChallengeRequest& subject);
Refusal refusal_in(const Answer& answer);

// The vendor's key is found in the grant.
void expect_key(const Setting& setting, const Client& client, const Answer& answer);

// All entries of a log, oldest first.
std::vector<LogEntry> entries_of(Store& store);

}  // namespace sealpack::broker::testing
