// SPDX-License-Identifier: Apache-2.0
#include "attest/files/json_web_key.h"

#include <map>
#include <set>

#include "attest/files/text_encodings.h"
#include "formats/models/json_reader.h"
#include "keymgmt/crypto/device_signature.h"

namespace sealpack::attest {
namespace {

constexpr std::size_t kMaxKeys = 64;
using Members = std::map<std::string, std::string, std::less<>>;

// The members that make a key, of the object that comes next.
Result<Members> read_members(models::JsonReader& in) {
  static const std::set<std::string_view> kKeyMembers = {"kty", "crv", "x", "y", "n", "e"};
  static const std::set<std::string_view> kPrivate = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
  Members members;
  std::set<std::string> seen;
  TRY(in.begin_object("key"));
  while (const auto key = TRY(in.next_key())) {
    if (!seen.insert(*key).second) return in.malformed("member " + printable(*key) + " twice");
    if (kPrivate.count(*key) != 0) return in.malformed("a private or symmetric key");
    if (kKeyMembers.count(*key) == 0) {
      TRY(in.skip_value());
    } else {
      members[*key] = TRY(in.string(*key));
    }
  }
  return members;
}

Result<ByteVector> member_bytes(const Members& members, const char* name) {
  const auto found = members.find(name);
  if (found == members.end() || found->second.empty()) {
    return Error(ErrorCode::kMalformed, std::string("JSON Web Key without ") + name);
  }
  return decode_base64(found->second).within(std::string("JSON Web Key, ") + name);
}

Result<ByteVector> elliptic_spki(const Members& members) {
  const auto curve = members.find("crv");
  std::size_t size = 0;
  if (curve != members.end() && curve->second == "P-256") size = 32;
  if (curve != members.end() && curve->second == "P-384") size = 48;
  if (curve != members.end() && curve->second == "P-521") size = 66;
  if (size == 0) return Error(ErrorCode::kUnsupported, "JSON Web Key on an unknown curve");
  ByteVector point = TRY(member_bytes(members, "x"));
  const ByteVector y = TRY(member_bytes(members, "y"));
  if (point.size() != size || y.size() != size) {
    return Error(ErrorCode::kMalformed,
                 "JSON Web Key: coordinates of " + std::to_string(point.size()) + " and " +
                     std::to_string(y.size()) + " bytes, not of " + std::to_string(size));
  }
  point.insert(point.end(), y.begin(), y.end());
  return TRY(crypto::DeviceKey::from_point(point)).spki();
}

Result<ByteVector> rsa_spki(const Members& members) {
  const ByteVector modulus = TRY(member_bytes(members, "n"));
  const ByteVector exponent_bytes = TRY(member_bytes(members, "e"));
  if (exponent_bytes.size() > 4) {
    return Error(ErrorCode::kUnsupported, "JSON Web Key: an RSA exponent above 32 bits");
  }
  std::uint32_t exponent = 0;
  for (const std::uint8_t byte : exponent_bytes) exponent = (exponent << 8U) | byte;
  return TRY(crypto::DeviceKey::from_rsa(modulus, exponent)).spki();
}

Result<ByteVector> read_key(models::JsonReader& in) {
  const Members members = TRY(read_members(in));
  const auto type = members.find("kty");
  if (type != members.end() && type->second == "EC") return elliptic_spki(members);
  if (type != members.end() && type->second == "RSA") return rsa_spki(members);
  return Error(ErrorCode::kUnsupported, "JSON Web Key that is neither EC nor RSA");
}

Result<std::vector<ByteVector>> read_set(models::JsonReader& in) {
  std::vector<ByteVector> keys;
  bool found = false;
  TRY(in.begin_object("key set"));
  while (const auto member = TRY(in.next_key())) {
    if (*member != "keys") {
      TRY(in.skip_value());
      continue;
    }
    if (found) return in.malformed("member 'keys' twice");
    found = true;
    TRY(in.begin_array("keys"));
    while (TRY(in.next_element())) {
      if (keys.size() == kMaxKeys) return in.malformed("more than 64 keys");
      keys.push_back(TRY(read_key(in)));
    }
  }
  return keys;
}

// Whether the object has that member.
Result<bool> has_member(Bytes text, std::string_view name) {
  models::JsonReader in(text, "JSON Web Key");
  bool found = false;
  TRY(in.begin_object("key"));
  while (const auto member = TRY(in.next_key())) {
    found = found || *member == name;
    TRY(in.skip_value());
  }
  TRY(in.finish());
  return found;
}

}  // namespace

Result<std::vector<ByteVector>> parse_json_web_keys(Bytes text) {
  const bool is_set = TRY(has_member(text, "keys"));
  models::JsonReader in(text, "JSON Web Key");
  if (is_set) return read_set(in);
  return std::vector<ByteVector>{TRY(read_key(in))};
}

}  // namespace sealpack::attest
