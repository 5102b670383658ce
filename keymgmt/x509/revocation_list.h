// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
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
  // lists of parts or of others' certificates) is not understood here. Each key's signature is
  // verified once.
  bool is_by(const Certificate& issuer) const;
  // Says so of certificates of its issuer alone.
  bool names(const Certificate& certificate) const;

 private:
  struct State;
  explicit RevocationList(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

// Lists that were read, for several chains that are judged by the same ones: reading a list and
// verifying its signature take long. Knows them by where their bytes lie, which must stay there and
// as they are. For one thread.
class ReadLists {
 public:
  // As RevocationList::parse_der; what is none is read again each time.
  Result<RevocationList> parse(Bytes der);

 private:
  std::map<const std::uint8_t*, RevocationList> lists_;
};

}  // namespace sealpack::x509
