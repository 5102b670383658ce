// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "formats/base/reason.h"
#include "keymgmt/x509/certificate.h"
#include "keymgmt/x509/ocsp_response.h"
#include "keymgmt/x509/revocation_list.h"

// Certificate chains as all the TEEs need them: strict, at a given time, up to a root known by its
// key.
namespace sealpack::x509 {

// Whose revocation must be known: every certificate's below the root, that of authorities alone
// (where the manufacturer publishes no list for leaves), nobody's (where it publishes none).
enum class Revocation { kAll, kAuthorities, kNone };

struct ChainRules {
  std::uint64_t now = 0;  // Unix seconds
  // SPKI digests of roots; the last certificate of the chain must have one of these keys and be
  // signed by it.
  std::span<const Digest> roots = {};
  // A list counts if it is signed by the issuer and thisUpdate <= now < nextUpdate, both there. One
  // that names a certificate refuses it, required or not.
  Revocation revocation = Revocation::kAll;
  // DER. Read once the chain leads to a root: those by its issuers, of which there are at most 128,
  // and those that do not say by whom they are; each of them must parse.
  std::span<const ByteVector> revocation_lists = {};
  // Of those lists, where several chains are judged by them.
  ReadLists* read_lists = nullptr;
  // An answer counts as a list of the issuer does: by the issuer or a responder that it appointed,
  // thisUpdate <= now < nextUpdate, both there, good. Of what was supplied about a certificate of
  // the chain one answer must count, required or not; one that says revoked or on hold refuses it,
  // whatever others say and whenever it said so: its responder's certificate may have expired
  // since. At most 16 responses about one certificate are verified, and 32 of a chain; more refuse
  // it.
  std::span<const OcspResponse> ocsp_responses = {};
  // Critical extensions that the caller judges itself, as dotted OIDs.
  std::span<const std::string_view> judged_by_caller = {};
  std::size_t longest = 6;
};

// Finds the issuers of `leaf` among `pool` (by name, of which at most 64 certificates may be there,
// and by signature), and checks all the way up:
// signatures (RSA-PSS parameters too), names, CA flags, path lengths, critical extensions that are
// not known (refused), validity at `now`, CRLs, OCSP. Adds its reasons with codes "chain.…" that
// name the certificate. Returns the chain from leaf to root, or nothing.
std::optional<std::vector<Certificate>> verify_chain(const Certificate& leaf,
                                                     std::span<const Certificate> pool,
                                                     const ChainRules& rules,
                                                     std::vector<Reason>& reasons);

}  // namespace sealpack::x509
