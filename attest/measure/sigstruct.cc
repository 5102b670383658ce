// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/sigstruct.h"

#include <algorithm>

#include "formats/base/byte_reader.h"
#include "keymgmt/crypto/device_signature.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::attest {
namespace {

constexpr std::array<std::uint8_t, 16> kHeader = {6, 0, 0, 0, 0xe1, 0, 0, 0,
                                                  0, 0, 1, 0, 0,    0, 0, 0};
constexpr std::array<std::uint8_t, 16> kHeader2 = {1,    1, 0, 0, 0x60, 0, 0, 0,
                                                   0x60, 0, 0, 0, 1,    0, 0, 0};
constexpr std::size_t kRsaSize = 384;
// Signed are [0, 128) and [900, 1028): neither the key nor its signature.
constexpr std::size_t kFirstEnd = 128;
constexpr std::size_t kSecondAt = 900;
constexpr std::size_t kSecondEnd = 1028;
constexpr std::uint32_t kExponent = 3;
constexpr std::uint8_t kDebugBit = 2;

ByteVector reversed(Bytes bytes) {
  return {bytes.rbegin(), bytes.rend()};
}

}  // namespace

Result<Sigstruct> parse_sigstruct(Bytes bytes) {
  ByteReader in(bytes, "SIGSTRUCT");
  if (bytes.size() != Sigstruct::kSize) {
    return in.malformed(std::to_string(bytes.size()) + " bytes, not " +
                        std::to_string(Sigstruct::kSize));
  }
  if (TRY(in.array<16>("header")) != kHeader) return in.malformed("no SIGSTRUCT");
  TRY(in.skip(8, "vendor and date"));
  if (TRY(in.array<16>("second header")) != kHeader2) return in.malformed("no SIGSTRUCT");
  TRY(in.skip(kFirstEnd - in.position(), "reserved"));
  const Bytes modulus = TRY(in.bytes(kRsaSize, "modulus"));
  if (TRY(in.u32("exponent")) != kExponent) return in.malformed("the exponent is not 3");
  const Bytes signature = TRY(in.bytes(kRsaSize, "signature"));
  constexpr std::size_t kAttributesAt = 928;
  TRY(in.skip(kAttributesAt - in.position(), "selections"));
  const auto attributes = TRY(in.array<16>("attributes"));
  const auto mask = TRY(in.array<16>("attribute mask"));
  Sigstruct out;
  out.mrenclave = TRY(in.array<32>("enclave hash"));
  TRY(in.skip(32, "reserved and product id"));
  out.isv_prod_id = TRY(in.u16("ISV product id"));
  out.isv_svn = TRY(in.u16("ISV SVN"));
  out.mrsigner = crypto::sha256(modulus).bytes;
  out.debug = (attributes[0] & kDebugBit) != 0;
  out.debug_open = (mask[0] & kDebugBit) == 0;

  ByteVector statement = to_vector(bytes.first(kFirstEnd));
  const Bytes second = bytes.subspan(kSecondAt, kSecondEnd - kSecondAt);
  statement.insert(statement.end(), second.begin(), second.end());
  const auto key = TRY(crypto::DeviceKey::from_rsa(reversed(modulus), kExponent));
  TRY(key.verify_rsa_pkcs1(crypto::HashAlgorithm::kSha256, statement, reversed(signature))
          .within("SIGSTRUCT"));
  return out;
}

}  // namespace sealpack::attest
