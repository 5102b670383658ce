// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to the session.

#include "keymgmt/crypto/private_key.h"
#include "runtime-loader/core/session_run.h"

namespace sealpack::loader::internal {

// A request for a key that has no grant yet.
struct Exchange {
  GrantTerms terms;
  std::unique_ptr<crypto::Decryptor> key;
  std::uint64_t asked_at = 0;  // Services::seconds; 0 without
};

// Until when a bundle may be used.
struct Lease {
  Instance instance{};
  std::uint64_t ends_at = 0;  // Services::seconds
};

// A bundle of the session: verified, then open, then with a model.
struct Member {
  const Owner* owner = nullptr;
  std::string role;
  unpacker::Clock time;                                // by which validity is judged
  std::unique_ptr<unpacker::VerifiedBundle> verified;  // one of the two
  std::unique_ptr<unpacker::OpenBundle> open;
  std::optional<Exchange> exchange;
  std::uint64_t granted_at = 0;
  std::optional<Lease> lease;
  std::uint64_t answers = 0;  // given since it was opened
  bundle::AnswerRule rule;    // in force
  std::unique_ptr<LoadedModel> model;

  const unpacker::VerifiedBundle& bundle() const { return open ? open->verified() : *verified; }
};

struct ActiveRun {
  Member* member = nullptr;
  Run run;
};

}  // namespace sealpack::loader::internal

namespace sealpack::loader {

struct Session::State {
  State(LaunchConfig launch_config, Digest digest, Backend its_backend,
        const Services& its_services, std::unique_ptr<crypto::Signer> key)
      : config(std::move(launch_config)),
        launch(digest),
        backend(std::move(its_backend)),
        services(its_services),
        tee_key(std::move(key)) {}

  // The same result; a failure is remembered with its stage.
  template <typename T>
  Result<T> at(Stage stage, Result<T> result, std::uint64_t number = 0) {
    if (!result.ok()) last_refusal = {result.error().code(), stage, number};
    return result;
  }

  Result<internal::Member*> find(BundleId id);
  Result<internal::Member*> find_open(BundleId id);
  Result<internal::Member> verify(std::shared_ptr<const BlockSource> source, const AddBundle& how);
  Status check_counter(const internal::Member& member);
  // Rules for a key that came without a grant.
  Status check_ungranted(const internal::Member& member) const;
  Status open(internal::Member& member, unpacker::AdmittedKey key);
  // What a grant gives, all of it judged; the exchange is over.
  struct Admitted {
    unpacker::AdmittedKey key;
    GrantFacts facts;
    std::optional<internal::Lease> lease;
  };
  Result<Admitted> admit_grant(internal::Member& member, const KeyGrant& grant);
  Result<std::optional<internal::Lease>> lease_of(const GrantFacts& facts,
                                                  const internal::Exchange& exchange) const;
  Status check_lease(const internal::Member& member) const;
  Status check_granting(const internal::Member& member) const;
  // kRefused unless a release that requires attestation opens in environments of this type.
  Status check_environment(const internal::Member& member) const;
  Status check_granted_floor(const internal::Member& member, const GrantFacts& facts) const;
  template <typename Admit>
  Status unlock(BundleId id, const Admit& admit);
  Status count_answers(internal::Member& member);
  Status seal(const internal::Member& member, Answer& answer);

  LaunchConfig config;
  Digest launch;
  Backend backend;
  Services services;
  std::unique_ptr<crypto::Signer> tee_key;
  Refusal last_refusal;
  std::map<BundleId, std::unique_ptr<internal::Member>> members;
  std::optional<internal::ActiveRun> run;  // after members: it is taken apart first
  std::uint64_t sealed_outputs = 0;
};

}  // namespace sealpack::loader
