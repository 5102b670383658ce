// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>

#include "attest/verify/verify.h"
#include "formats/bundle/release.h"
#include "keymgmt/broker/messages.h"
#include "keymgmt/broker/service.h"

// What a State says about one request: pure functions, no store, no keys, no clock.
namespace sealpack::broker {

// A registered release with all that decides about it.
struct ServedRelease {
  const RegisteredRelease* registered = nullptr;
  bundle::Release release;
  loader::Floor floor;  // never 0: a loader may insist on one
  const Licence* licence = nullptr;
  // The broker's own policy for the product; `broken_policy`: there is one that does not parse.
  std::optional<bundle::MeasurementPolicy> own_policy;
  bool broken_policy = false;
  attest::Roots laboratories;   // for simulated evidence: those that the release names
  bool vendor_listed = false;   // by any trust
  bool vendor_trusted = false;  // by the trust that the release was verified by
  bool highest = false;         // no higher counter is registered for the product
};

class Rules {
 public:
  static Result<std::shared_ptr<const Rules>> create(std::shared_ptr<const State> state,
                                                     const ServiceOptions& options);
  const State& state() const { return *state_; }

  // The release that is asked for, or why it is not given to anybody. Cheap.
  struct Found {
    const ServedRelease* release = nullptr;
    std::vector<Reason> reasons;
  };
  Found find(const ChallengeRequest& subject, std::uint64_t now) const;

  // Why an environment with these claims does not get it. Reasons of the broker's own policy are in
  // `own`, for the log alone.
  struct Judged {
    std::vector<Reason> reasons;
    std::vector<Reason> own;
  };
  Judged judge(const ServedRelease& release, const attest::Claims& claims) const;

  // What chains and signatures of evidence for this TEE may end in.
  const attest::Roots& roots_for(const ServedRelease& release, std::string_view tee) const {
    return tee == "simulated" ? release.laboratories : roots_;
  }

  // The key for this use with this digest, if it is in use.
  bool is_listed(KeyUse use, const Digest& key, std::uint64_t now) const;
  // Whether it was, and its time is over.
  bool has_ended(KeyUse use, const Digest& key, std::uint64_t now) const;

 private:
  using Product = std::pair<Digest, std::string>;  // of an authority
  struct ListedKey {
    Digest digest;
    const BrokerKey* key = nullptr;
  };

  Rules() = default;
  void index();
  Result<ServedRelease> serve(const RegisteredRelease& registered,
                              const ServiceOptions& options) const;
  bool is_revoked(RevokedKind kind, Bytes value) const;
  void judge_registered(const ServedRelease& served, std::uint64_t now,
                        std::vector<Reason>& reasons) const;
  Reason why_unknown(const ChallengeRequest& subject) const;

  std::shared_ptr<const State> state_;
  bool lab_ = false;
  attest::Roots roots_;                       // of manufacturers, and enrolled TPMs
  std::map<Digest, ServedRelease> releases_;  // by release digest
  std::set<std::pair<RevokedKind, ByteVector>> revoked_;
  std::map<Product, std::uint64_t> highest_;  // counter that is registered
  std::map<Product, loader::Floor> floors_;
  std::map<Product, const Licence*> licences_;
  std::map<Product, const ProductPolicy*> policies_;
  std::vector<ListedKey> keys_;
};

// Value of the claim that names the device; empty where the evidence names none.
ByteVector device_of(const attest::Claims& claims);
// As they are kept beside the log: 1 tee, 2 repeated {1 name, 2 value}. What the evidence was bound
// to is left out, so that a device that comes again proves the same claims.
ByteVector serialize_claims(const attest::Claims& claims);

}  // namespace sealpack::broker
