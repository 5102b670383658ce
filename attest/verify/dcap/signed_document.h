// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "formats/base/bytes.h"
#include "formats/models/json_reader.h"

// The JSON documents of Intel's Provisioning Certification Service (PCS API v4): {"NAME": {…},
// "signature": "…"}, where the signature is over the bytes of the inner value as they stand.
namespace sealpack::attest::dcap {

inline constexpr std::size_t kMaxDocumentSize = 1U << 20U;

struct SignedDocument {
  Bytes inner;           // a view into the document, never serialised again
  ByteVector signature;  // r || s, 64 bytes
};

// Strict: both members once and no other, no key twice at any depth. kMalformed, kLimit.
Result<SignedDocument> split_document(Bytes json, std::string_view name);

// --- for readers of inner values

// Reads the object that comes next; `member(key)` reads the value behind the key, and returns false
// if it does not know it: it is then passed over. No key may occur twice.
template <typename Member>
Status read_object(models::JsonReader& in, std::string_view field, Member member);

// Base 16 of exactly out.size() bytes.
Status read_hex(models::JsonReader& in, std::string_view field, MutableBytes out);
Result<std::uint32_t> read_number(models::JsonReader& in, std::string_view field,
                                  std::uint32_t largest);
// "2025-06-19T10:16:03Z", the form of RFC 3339 that PCS writes, as Unix seconds.
Result<std::uint64_t> read_time(models::JsonReader& in, std::string_view field);
std::optional<std::uint64_t> parse_time(std::string_view text);
// An array of at most 256 strings of at most 64 bytes.
Result<std::vector<std::string>> read_advisories(models::JsonReader& in);

// What both kinds of document have in common.
struct DocumentHeader {
  std::uint64_t version = 0;
  std::uint64_t issue_date = 0;  // Unix seconds
  std::uint64_t next_update = 0;
  std::uint32_t evaluation = 0;  // tcbEvaluationDataNumber
};

// Collects the header, and that all of it is there.
class HeaderReader {
 public:
  // False if the key is not one of the header.
  Result<bool> member(models::JsonReader& in, std::string_view key);
  Result<DocumentHeader> finish(const models::JsonReader& in, std::uint64_t version) const;

 private:
  std::optional<std::uint64_t> version_;
  std::optional<std::uint64_t> issue_date_;
  std::optional<std::uint64_t> next_update_;
  std::optional<std::uint32_t> evaluation_;
};

// ------------------------------------------------------------------------------------------------

namespace internal {
inline constexpr std::size_t kMaxMembers = 64;
Status check_new_key(const models::JsonReader& in, const std::string& key,
                     std::vector<std::string>& keys);
}  // namespace internal

template <typename Member>
Status read_object(models::JsonReader& in, std::string_view field, Member member) {
  TRY(in.begin_object(field));
  std::vector<std::string> keys;
  while (auto key = TRY(in.next_key())) {
    TRY(internal::check_new_key(in, *key, keys));
    if (!TRY(member(std::string_view(keys.back())))) TRY(in.skip_value());
  }
  return done();
}

}  // namespace sealpack::attest::dcap
