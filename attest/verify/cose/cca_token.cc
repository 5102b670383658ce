// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/cose/cca_token.h"

#include "attest/verify/cose/cbor.h"

namespace sealpack::attest {
namespace {

constexpr std::uint64_t kTagToken = 399;
constexpr std::uint64_t kTagCollection = 907;
constexpr std::int64_t kPlatform = 44234;
constexpr std::int64_t kRealm = 44241;
constexpr std::string_view kCollectionType = "__cmwc_t";
constexpr std::uint64_t kEatCwt = 263;  // CoAP content format of application/eat+cwt

constexpr std::size_t kRawKeySize = 97;

// Parameters of a COSE_Key.
constexpr std::int64_t kKeyType = 1;
constexpr std::int64_t kKeyTypeEc2 = 2;
constexpr std::int64_t kCurve = -1;
constexpr std::int64_t kX = -2;
constexpr std::int64_t kY = -3;

Error malformed(const std::string& why) {
  return Error(ErrorCode::kMalformed, "cca token: " + why);
}

Result<Bytes> part_of(const CborMap& map, std::int64_t key, bool collection) {
  const auto value = map.find(key);
  if (!value) return malformed("the part " + std::to_string(key) + " is missing");
  CborReader in(*value, "cca token");
  if (!collection) return in.bytes("part");
  // A conceptual message wrapper: type, value, and no bits that say what else it could be.
  const std::uint64_t count = TRY(in.array("wrapper"));
  if (count != 2) return malformed("a wrapper of " + std::to_string(count) + " elements");
  const std::uint64_t type = TRY(in.unsigned_number("content format"));
  if (type != kEatCwt) return malformed("content format " + std::to_string(type));
  return in.bytes("part");
}

Result<std::int64_t> parameter(const CborMap& map, std::int64_t key) {
  const auto value = map.find(key);
  if (!value) return malformed("the realm's key lacks parameter " + std::to_string(key));
  return CborReader(*value, "realm key").number("parameter");
}

Result<Bytes> coordinate(const CborMap& map, std::int64_t key, std::size_t size) {
  const auto value = map.find(key);
  if (!value) return malformed("the realm's key lacks parameter " + std::to_string(key));
  const Bytes bytes = TRY(CborReader(*value, "realm key").bytes("coordinate"));
  if (bytes.size() != size) return malformed("a coordinate of the realm's key has a wrong size");
  return bytes;
}

}  // namespace

Result<CcaToken> parse_cca_token(Bytes bytes) {
  CborReader in(bytes, "cca token");
  const std::uint64_t tag = TRY(in.tag("tag"));
  if (tag != kTagToken && tag != kTagCollection) {
    return malformed("tag " + std::to_string(tag) + ", expected 399 or 907");
  }
  const bool collection = tag == kTagCollection;
  const CborMap map = TRY(CborMap::read(in, "parts"));
  TRY(in.finish());
  const std::size_t known = collection && map.find(kCollectionType) ? 3 : 2;
  if (map.size() != known) return malformed("parts besides the platform's and the realm's");
  return CcaToken{TRY(part_of(map, kPlatform, collection)), TRY(part_of(map, kRealm, collection))};
}

Result<crypto::DeviceKey> parse_raw_realm_key(Bytes bytes) {
  if (bytes.size() != kRawKeySize || bytes[0] != 0x04) {
    return malformed("the realm's key is not an uncompressed point on P-384");
  }
  return crypto::DeviceKey::from_point(bytes.subspan(1));
}

Result<crypto::DeviceKey> parse_cose_realm_key(Bytes bytes) {
  static constexpr std::size_t kSizes[] = {32, 48, 66};  // curves 1 to 3
  const CborMap map = TRY(CborMap::parse(bytes, "realm key"));
  const std::int64_t type = TRY(parameter(map, kKeyType));
  const std::int64_t curve = TRY(parameter(map, kCurve));
  if (type != kKeyTypeEc2 || curve < 1 || curve > 3) {
    return malformed("the realm's key is of type " + std::to_string(type) + " on curve " +
                     std::to_string(curve) + ", expected 2 (EC2) on 1 to 3");
  }
  const std::size_t size = kSizes[curve - 1];
  ByteVector point = to_vector(TRY(coordinate(map, kX, size)));
  const Bytes y = TRY(coordinate(map, kY, size));
  point.insert(point.end(), y.begin(), y.end());
  return crypto::DeviceKey::from_point(point);
}

}  // namespace sealpack::attest
