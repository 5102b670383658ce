// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/verify/tpm/hcl_lab.h"

#include <cstdlib>

#include "keymgmt/crypto/sha256.h"

namespace sealpack::testing {
namespace {

void append_u32(ByteVector& out, std::uint32_t value) {
  for (unsigned i = 0; i < 4; ++i) {
    out.push_back(static_cast<std::uint8_t>((value >> (8U * i)) & 0xffU));
  }
}

std::string key_json(const std::string& kid, const std::string& operation, Bytes modulus) {
  return R"({"kid":")" + kid + R"(","key_ops":[")" + operation +
         R"("],"kty":"RSA","e":"AQAB","n":")" + base64url(modulus) + R"("})";
}

}  // namespace

std::string base64url(Bytes bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const std::uint8_t byte : bytes) {
    buffer = (buffer << 8U) | byte;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      out += kDigits[(buffer >> bits) & 63U];
    }
  }
  if (bits != 0) out += kDigits[(buffer << (6U - bits)) & 63U];
  return out;
}

void replace_once(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) std::abort();
  text.replace(at, from.size(), to);
}

HclLab::HclLab(std::uint32_t type) : report_type(type), tpm(MintKeyType::kRsa2048) {
  json = R"({"keys":[)" + key_json("HCLAkPub", "sign", tpm.key().modulus()) + "," +
         key_json("HCLEkPub", "encrypt", ByteVector(256, 0xe1)) +
         R"(],"vm-configuration":{"console-enabled":true,"root-cert-thumbprint":"6nZZ",)"
         R"("secure-boot":true,"tpm-enabled":true,"tpm-persisted":false,)"
         R"("vmUniqueId":"26F8BC30-774E-4290-8E7A-535F3B672AEE"},"user-data":")" +
         std::string(128, 'A') + R"("})";
  log.boot(true);
  values = log.values(crypto::HashAlgorithm::kSha256, {0, 4, 7, 9});
  fields = tpm.fields_for(values);
}

ByteVector HclLab::binding() const {
  ByteVector out = to_vector(crypto::sha256(as_bytes(json)).bytes);
  out.resize(64);
  return out;
}

ByteVector HclLab::report(Bytes hardware) const {
  ByteVector out = to_vector(as_bytes("HCLA"));
  const std::uint32_t between = data_version == 1 ? 0 : 4;
  const auto size = static_cast<std::uint32_t>(json.size());
  for (const std::uint32_t field : {version, 1236 + between + size, 2U, 0U, 0U, 0U, 0U}) {
    append_u32(out, field);
  }
  out.insert(out.end(), hardware.begin(), hardware.end());
  for (const std::uint32_t field :
       {data_size.value_or(20 + between + size), data_version, report_type, hash_type, size}) {
    append_u32(out, field);
  }
  out.resize(out.size() + between, 0x0f);
  const Bytes text = as_bytes(json);
  out.insert(out.end(), text.begin(), text.end());
  out.insert(out.end(), behind.begin(), behind.end());
  return out;
}

attest::Evidence HclLab::evidence(const std::string& tee, Bytes hardware) const {
  attest::Evidence out = tpm.evidence(fields, values, log.bytes());
  out.tee = tee;
  std::erase_if(out.items, [](const auto& one) { return one.kind == "ak-public"; });
  out.items.insert(out.items.begin(), {"hcl-report", report(hardware)});
  return out;
}

}  // namespace sealpack::testing
