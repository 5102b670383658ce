// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/enclave_identity.h"

namespace sealpack::attest::dcap {
namespace {

using models::JsonReader;

constexpr std::uint64_t kVersion = 2;
constexpr unsigned kMemberCount = 8;

// False if the key is not one of these.
Result<bool> read_member(JsonReader& in, std::string_view key, EnclaveIdentity& out) {
  if (key == "id") {
    out.id = TRY(in.string(key));
    if (out.id != "QE" && out.id != "TD_QE" && out.id != "QVE") {
      return in.malformed("id is " + printable(out.id));
    }
  } else if (key == "miscselect") {
    TRY(read_hex(in, key, out.misc_select));
  } else if (key == "miscselectMask") {
    TRY(read_hex(in, key, out.misc_select_mask));
  } else if (key == "attributes") {
    TRY(read_hex(in, key, out.attributes));
  } else if (key == "attributesMask") {
    TRY(read_hex(in, key, out.attributes_mask));
  } else if (key == "mrsigner") {
    TRY(read_hex(in, key, out.mr_signer));
  } else if (key == "isvprodid") {
    out.isv_prod_id = static_cast<std::uint16_t>(TRY(read_number(in, key, 0xffff)));
  } else if (key == "tcbLevels") {
    out.levels = TRY(read_identity_levels(in));
  } else {
    return false;
  }
  return true;
}

}  // namespace

Result<EnclaveIdentity> parse_enclave_identity(Bytes json) {
  JsonReader in(json, EnclaveIdentity::kName);
  EnclaveIdentity out;
  HeaderReader header;
  unsigned count = 0;
  TRY(read_object(in, EnclaveIdentity::kName, [&](std::string_view key) -> Result<bool> {
    if (!TRY(read_member(in, key, out))) return header.member(in, key);
    ++count;
    return true;
  }));
  TRY(in.finish());
  out.header = TRY(header.finish(in, kVersion));
  if (count != kMemberCount) return in.malformed("lacks a member");
  return out;
}

std::string_view quoting_enclave(Tee tee) {
  return tee == Tee::kSgx ? "QE" : "TD_QE";
}

}  // namespace sealpack::attest::dcap
