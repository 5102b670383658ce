// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "attest/verify/tpm/hcl_report.h"
#include "formats/base/base64.h"
#include "formats/models/json_reader.h"

namespace sealpack::attest {
namespace {

using models::JsonReader;

constexpr std::string_view kWhat = "HCL variable data";
constexpr std::string_view kAttestationKey = "HCLAkPub";
constexpr std::size_t kUserDataSize = 64;

// A JWK (RFC 7517) as the firmware writes them.
struct Jwk {
  std::string kid;
  std::string kty;
  std::string modulus;
  std::string exponent;
  std::vector<std::string> operations;
};

Status read_operations(JsonReader& in, Jwk& key) {
  TRY(in.begin_array("key_ops"));
  while (TRY(in.next_element())) key.operations.push_back(TRY(in.string("key_ops")));
  return done();
}

Result<Jwk> read_key(JsonReader& in) {
  Jwk key;
  std::set<std::string> seen;
  TRY(in.begin_object("key"));
  while (const auto name = TRY(in.next_key())) {
    if (!seen.insert(*name).second) return in.malformed("member " + printable(*name) + " twice");
    if (*name == "kid") {
      key.kid = TRY(in.string("kid"));
    } else if (*name == "kty") {
      key.kty = TRY(in.string("kty"));
    } else if (*name == "n") {
      key.modulus = TRY(in.string("n"));
    } else if (*name == "e") {
      key.exponent = TRY(in.string("e"));
    } else if (*name == "key_ops") {
      TRY(read_operations(in, key));
    } else {
      TRY(in.skip_value());
    }
  }
  return key;
}

// The firmware makes the key and nobody else names one HCLAkPub. That of early 2023 writes of it,
// as of the endorsement key, that it encrypts; its quotes show that it signs.
bool is_for_quotes(const Jwk& key) {
  return key.kty == "RSA" && key.operations.size() == 1 &&
         (key.operations[0] == "sign" || key.operations[0] == "encrypt");
}

Result<crypto::DeviceKey> attestation_key(const JsonReader& in, const Jwk& key) {
  if (!is_for_quotes(key)) {
    return in.malformed("HCLAkPub is no RSA key that signs and does nothing else");
  }
  const ByteVector modulus = TRY(from_base64(key.modulus, Base64::kUrl).within(std::string(kWhat)));
  const ByteVector exponent =
      TRY(from_base64(key.exponent, Base64::kUrl).within(std::string(kWhat)));
  if (exponent.empty() || exponent.size() > 4) {
    return in.malformed("HCLAkPub with an exponent of " + std::to_string(exponent.size()) +
                        " bytes");
  }
  std::uint32_t value = 0;
  for (const std::uint8_t byte : exponent) value = (value << 8U) | byte;
  return crypto::DeviceKey::from_rsa(modulus, value);
}

// The one key of that name. Were the first of two taken, the second would be free to choose.
Result<crypto::DeviceKey> read_keys(JsonReader& in) {
  std::optional<Jwk> found;
  TRY(in.begin_array("keys"));
  while (TRY(in.next_element())) {
    Jwk key = TRY(read_key(in));
    if (key.kid != kAttestationKey) continue;
    if (found) return in.malformed("two keys HCLAkPub");
    found = std::move(key);
  }
  if (!found) return in.malformed("no key HCLAkPub");
  return attestation_key(in, *found);
}

struct Setting {
  std::string_view member;
  std::string_view claim;
  bool is_flag;
};
constexpr Setting kSettings[] = {
    {"console-enabled", "hcl_console_enabled", true},
    {"filtered-vpci-devices-allowed", "hcl_filtered_vpci_devices_allowed", true},
    {"interactive-console-enabled", "hcl_interactive_console_enabled", true},
    {"root-cert-thumbprint", "hcl_root_cert_thumbprint", false},
    {"secure-boot", "hcl_secure_boot", true},
    {"tpm-enabled", "hcl_tpm_enabled", true},
    {"tpm-persisted", "hcl_tpm_persisted", true},
    {"vmUniqueId", "hcl_vm_unique_id", false},
};

Status read_setting(JsonReader& in, const std::string& member, Claims& claims) {
  for (const Setting& setting : kSettings) {
    if (setting.member != member) continue;
    if (setting.is_flag) {
      claims.add_flag(setting.claim, TRY(in.boolean(member)));
      return done();
    }
    const std::string text = TRY(in.string(member));
    // Policies accept texts that are not empty; an empty one says as much as none.
    if (!text.empty()) claims.add_text(setting.claim, text);
    return done();
  }
  return in.skip_value();
}

Status read_configuration(JsonReader& in, Claims& claims) {
  std::set<std::string> seen;
  TRY(in.begin_object("vm-configuration"));
  while (const auto member = TRY(in.next_key())) {
    if (!seen.insert(*member).second) {
      return in.malformed("member " + printable(*member) + " twice");
    }
    TRY(read_setting(in, *member, claims));
  }
  return done();
}

Status read_user_data(JsonReader& in, Claims& claims) {
  const std::string text = TRY(in.string("user-data"));
  if (text.empty()) return done();
  const ByteVector bytes = TRY(from_hex(text).within("user-data"));
  if (bytes.size() != kUserDataSize) {
    return in.malformed("user-data of " + std::to_string(bytes.size()) + " bytes, not 64");
  }
  claims.add_bytes("hcl_user_data", bytes);
  return done();
}

}  // namespace

Result<HclVariableData> parse_hcl_variable_data(Bytes json) {
  JsonReader in(json, kWhat);
  std::optional<crypto::DeviceKey> ak;
  Claims claims;
  std::set<std::string> seen;
  TRY(in.begin_object("variable data"));
  while (const auto member = TRY(in.next_key())) {
    if (!seen.insert(*member).second) {
      return in.malformed("member " + printable(*member) + " twice");
    }
    if (*member == "keys") {
      ak = TRY(read_keys(in));
    } else if (*member == "vm-configuration") {
      TRY(read_configuration(in, claims));
    } else if (*member == "user-data") {
      TRY(read_user_data(in, claims));
    } else {
      TRY(in.skip_value());
    }
  }
  TRY(in.finish());
  if (!ak) return in.malformed("no keys");
  if (seen.count("vm-configuration") == 0) return in.malformed("no vm-configuration");
  return HclVariableData{*std::move(ak), std::move(claims)};
}

}  // namespace sealpack::attest
