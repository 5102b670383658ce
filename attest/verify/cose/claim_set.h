// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attest/policy/claims.h"
#include "attest/verify/cose/cbor.h"
#include "formats/base/reason.h"

namespace sealpack::attest {

// A measured component of the boot, in PSA and CCA tokens (RFC 9783 section 4.4.1).
struct SoftwareComponent {
  Bytes measurement;
  Bytes signer_id;
};

// Name of the lifecycle state in the high byte of the claim, as policies know it; the low byte is
// the implementation's. nullopt for states that are not defined.
std::optional<std::string_view> lifecycle_name(std::uint64_t value);

// States each measurement and each signer once.
void add_components(const std::vector<SoftwareComponent>& components, std::string_view measurement,
                    std::string_view signer_id, Claims& claims);

// 32, 48 or 64: sizes of psa-hash-type.
bool is_hash_size(std::size_t size);

// Reads the claims of one token, each by its key and the short name under which policies and
// reasons know it. Everything that is missing or wrong gives a reason "FAMILY.NAME", so that all of
// it is said at once. Claims that nobody asks for are ignored (RFC 8392 section 3).
class ClaimSet {
 public:
  enum class Need { kMandatory, kOptional };

  ClaimSet(CborMap map, std::string family, std::vector<Reason>& reasons)
      : map_(std::move(map)), family_(std::move(family)), reasons_(reasons) {}

  bool has(std::int64_t key) const { return map_.find(key).has_value(); }
  // What a claim says before anything is judged; empty where it is none of bytes.
  Bytes unjudged_bytes(std::int64_t key) const;
  // nullopt for a claim that is not there or not well-formed.
  std::optional<Bytes> bytes(std::int64_t key, std::string_view name, Need need,
                             std::size_t least = 1, std::size_t most = SIZE_MAX);
  std::optional<Bytes> hash(std::int64_t key, std::string_view name);  // mandatory
  std::optional<std::string_view> text(std::int64_t key, std::string_view name, Need need);
  std::optional<std::int64_t> number(std::int64_t key, std::string_view name, Need need);
  // 33 bytes of the kind RAND (EAT UEID, RFC 9711 section 4.2.1).
  std::optional<Bytes> instance_id(std::int64_t key, std::string_view name);
  std::optional<std::string_view> lifecycle(std::int64_t key, std::string_view name);
  // At least one, each with a measurement and who signed it.
  std::vector<SoftwareComponent> software_components(std::int64_t key, std::string_view name);
  // `count` hashes.
  std::vector<Bytes> hashes(std::int64_t key, std::string_view name, std::size_t count);

  void refuse(std::string_view name, const std::string& why);

 private:
  // A reader over the item; nullopt (and a reason where it is mandatory) if it is not there.
  std::optional<CborReader> item(std::int64_t key, std::string_view name, Need need);
  Result<std::vector<SoftwareComponent>> read_components(CborReader& in) const;

  CborMap map_;
  std::string family_;
  std::vector<Reason>& reasons_;
};

}  // namespace sealpack::attest
