// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/endorsements.h"

#include <algorithm>

#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"

namespace sealpack::attest {
namespace {

constexpr std::uint32_t kVersion = 1;

// 6 is reserved: it had documents that no verifier read.
struct List {
  std::uint32_t field;
  std::vector<ByteVector> Endorsements::*member;
  std::string_view name;
};
constexpr List kLists[] = {{2, &Endorsements::certificates, "certificate"},
                           {3, &Endorsements::revocation_lists, "revocation list"},
                           {4, &Endorsements::tcb_infos, "TCB info"},
                           {5, &Endorsements::enclave_identities, "enclave identity"},
                           {7, &Endorsements::public_keys, "public key"},
                           {8, &Endorsements::ocsp_responses, "OCSP response"}};

Status parse_list(bundle::MessageReader& in, const List& list, std::vector<ByteVector>& out) {
  const std::string name(list.name);
  while (TRY(in.at(list.field))) {
    const Bytes element = TRY(in.element(list.field, list.name));
    if (element.empty()) return in.malformed("empty " + name);
    if (element.size() > kMaxEndorsementSize || out.size() == kMaxEndorsements) {
      return Error(ErrorCode::kLimit, "endorsements: a " + name + " of " +
                                          format_size(element.size()) + " beside " +
                                          std::to_string(out.size()) + " others; at most " +
                                          std::to_string(kMaxEndorsements) + " of at most " +
                                          format_size(kMaxEndorsementSize) + " are allowed");
    }
    ByteVector value = to_vector(element);
    if (!out.empty() && !(out.back() < value)) {
      return in.malformed("each " + name + " is greater than the one before");
    }
    out.push_back(std::move(value));
  }
  return done();
}

}  // namespace

ByteVector serialize_endorsements(const Endorsements& endorsements) {
  bundle::MessageWriter out;
  out.u64(1, kVersion);
  for (const List& list : kLists) {
    std::vector<ByteVector> sorted = endorsements.*list.member;
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    for (const ByteVector& element : sorted) out.element(list.field, element);
  }
  return out.take();
}

Result<Endorsements> parse_endorsements(Bytes bytes) {
  if (bytes.size() > kMaxEndorsementsSize) {
    return Error(ErrorCode::kLimit, "endorsements of " + format_size(bytes.size()) + ", at most " +
                                        format_size(kMaxEndorsementsSize) + " are allowed");
  }
  bundle::MessageReader in(bytes, "endorsements");
  const std::uint32_t version = TRY(in.u32(1, "version"));
  if (version != kVersion) {
    return Error(ErrorCode::kUnsupported, "endorsements of version " + std::to_string(version) +
                                              ", this version knows " + std::to_string(kVersion));
  }
  Endorsements endorsements;
  for (const List& list : kLists) TRY(parse_list(in, list, endorsements.*list.member));
  TRY(in.finish());
  return endorsements;
}

void merge_endorsements(Endorsements& into, const Endorsements& more) {
  for (const List& list : kLists) {
    std::vector<ByteVector>& to = into.*list.member;
    for (const ByteVector& element : more.*list.member) {
      if (std::find(to.begin(), to.end(), element) == to.end()) to.push_back(element);
    }
  }
}

}  // namespace sealpack::attest
