// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "attest/verify/cose/cbor.h"
#include "tests/attest/authority/mint.h"

namespace sealpack::testing {

// Writes CBOR, well-formed or not: counts are stated and not checked.
class CborWriter {
 public:
  CborWriter& head(attest::CborType type, std::uint64_t value) {
    attest::append_cbor_head(out_, type, value);
    return *this;
  }
  CborWriter& map(std::uint64_t count) { return head(attest::CborType::kMap, count); }
  CborWriter& array(std::uint64_t count) { return head(attest::CborType::kArray, count); }
  CborWriter& tag(std::uint64_t tag) { return head(attest::CborType::kTag, tag); }
  CborWriter& number(std::int64_t value) {
    return value < 0 ? head(attest::CborType::kNegative, static_cast<std::uint64_t>(-1 - value))
                     : head(attest::CborType::kUnsigned, static_cast<std::uint64_t>(value));
  }
  CborWriter& bytes(Bytes value) { return head(attest::CborType::kBytes, value.size()).raw(value); }
  CborWriter& text(std::string_view value) {
    return head(attest::CborType::kText, value.size()).raw(as_bytes(value));
  }
  CborWriter& null() { return raw(ByteVector{0xF6}); }
  CborWriter& raw(Bytes bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  ByteVector take() { return std::move(out_); }

 private:
  ByteVector out_;
};

// A map that can be edited before it is written: keys and values as they are encoded.
class CborMapMaker {
 public:
  static ByteVector key(std::int64_t key) { return CborWriter().number(key).take(); }
  static ByteVector key(std::string_view key) { return CborWriter().text(key).take(); }

  template <typename Key>
  CborMapMaker& put(const Key& name, CborWriter value) {
    remove(name);
    entries_.emplace_back(key(name), value.take());
    return *this;
  }
  template <typename Key>
  CborMapMaker& remove(const Key& name) {
    const ByteVector encoded = key(name);
    std::erase_if(entries_, [&](const auto& entry) { return entry.first == encoded; });
    return *this;
  }
  // The same key once more.
  template <typename Key>
  CborMapMaker& repeat(const Key& name) {
    const ByteVector encoded = key(name);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].first == encoded) {
        entries_.push_back(entries_[i]);
        break;
      }
    }
    return *this;
  }
  ByteVector take() const {
    CborWriter out;
    out.map(entries_.size());
    for (const auto& [name, value] : entries_) out.raw(name).raw(value);
    return out.take();
  }
  // Without a count, up to a break.
  ByteVector take_until_break() const {
    CborWriter out;
    out.raw(ByteVector{0xBF});
    for (const auto& [name, value] : entries_) out.raw(name).raw(value);
    return out.raw(ByteVector{0xFF}).take();
  }

 private:
  std::vector<std::pair<ByteVector, ByteVector>> entries_;
};

inline constexpr std::int64_t kEs256 = -7;
inline constexpr std::int64_t kEs384 = -35;

struct CoseShape {
  std::optional<std::uint64_t> tag = 18;
  std::optional<ByteVector> protected_header{};  // else the algorithm of the key alone
  ByteVector unprotected_header{0xA0};
  ByteVector external_data{};                   // not in the token: signed besides
  std::optional<crypto::HashAlgorithm> hash{};  // else that of the key's algorithm
};

inline ByteVector header_of(std::int64_t algorithm) {
  return CborWriter().map(1).number(1).number(algorithm).take();
}

// A COSE_Sign1 over `payload` by `key` (P-256: ES256, P-384: ES384).
inline ByteVector cose_sign1(const MintKey& key, Bytes payload, const CoseShape& shape = {}) {
  const bool p256 = key.type() == MintKeyType::kP256;
  const ByteVector header = shape.protected_header.value_or(header_of(p256 ? kEs256 : kEs384));
  const ByteVector message = CborWriter()
                                 .array(4)
                                 .text("Signature1")
                                 .bytes(header)
                                 .bytes(shape.external_data)
                                 .bytes(payload)
                                 .take();
  const auto hash =
      shape.hash.value_or(p256 ? crypto::HashAlgorithm::kSha256 : crypto::HashAlgorithm::kSha384);
  CborWriter out;
  if (shape.tag) out.tag(*shape.tag);
  out.array(4).bytes(header).raw(shape.unprotected_header).bytes(payload);
  return out.bytes(key.sign(hash, message)).take();
}

}  // namespace sealpack::testing
