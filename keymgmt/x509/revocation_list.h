// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "keymgmt/x509/certificate.h"

namespace sealpack::x509 {

inline constexpr std::size_t kMaxListSize = 4U << 20U;

// A parsed revocation list (RFC 5280 section 5); nothing about it is proven. Copies share it.
class RevocationList {
 public:
  // kMalformed for other encodings than DER's one, for anything behind it, for times that are none;
  // kLimit for more than 4 MiB.
  static Result<RevocationList> parse_der(Bytes der);
  // As issuer_name() of what parse_der accepts, whatever its size: of a list that may have nothing
  // to do with the question. Says nothing of the rest; nullopt for what is no list.
  static std::optional<ByteVector> issuer_of(Bytes der);

  ByteVector issuer_name() const;                    // DER, for comparing
  std::uint64_t this_update() const;                 // Unix seconds
  std::optional<std::uint64_t> next_update() const;  // lists without one never count
  bool is_current(std::uint64_t now) const;          // thisUpdate <= now < nextUpdate

  // Named so, signed by its key (which may sign lists), with a strong algorithm, and without a
  // critical extension but its number and its key's identifier: what others change (delta lists,
  // lists of parts or of others' certificates) is not understood here.
  bool is_by(const Certificate& issuer) const;
  // Says so of certificates of its issuer alone.
  bool names(const Certificate& certificate) const;

 private:
  struct State;
  explicit RevocationList(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace sealpack::x509
