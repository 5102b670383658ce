// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/verify.h"
#include "tests/attest/verify/cose/cose_maker.h"

namespace sealpack::testing {

// A CCA token that can be edited before it is made: platform and realm claims, keys, and how they
// are put together. The platform's challenge is made to fit the realm's key unless it is kept.
struct CcaMaker {
  CcaMaker() {
    ByteVector instance(33, 7);
    instance[0] = 1;
    CborMapMaker component;
    component.put(2, CborWriter().bytes(ByteVector(32, 1)));
    component.put(5, CborWriter().bytes(ByteVector(32, 2)));
    platform.put(265, CborWriter().text("http://arm.com/CCA-SSD/1.0.0"))
        .put(2396, CborWriter().bytes(ByteVector(32, 5)))
        .put(256, CborWriter().bytes(instance))
        .put(2401, CborWriter().bytes(ByteVector{0xCF, 0xCF}))
        .put(2395, CborWriter().number(0x3003))
        .put(2402, CborWriter().text("sha-256"))
        .put(2400, CborWriter().text("https://veraison.example/verification"))
        .put(2399, CborWriter().array(1).raw(component.take()));
    CborWriter extensible;
    extensible.array(4);
    for (std::uint8_t i = 0; i < 4; ++i) extensible.bytes(ByteVector(32, i));
    realm.put(10, CborWriter().bytes(challenge))
        .put(44235, CborWriter().bytes(ByteVector(64, 3)))
        .put(44236, CborWriter().text("sha-256"))
        .put(44237, CborWriter().bytes(raw_key(realm_key)))
        .put(44240, CborWriter().text("sha-512"))
        .put(44238, CborWriter().bytes(ByteVector(32, 4)))
        .put(44239, extensible);
  }

  static ByteVector raw_key(const MintKey& key) {
    ByteVector raw{0x04};
    const ByteVector point = key.point();
    raw.insert(raw.end(), point.begin(), point.end());
    return raw;
  }
  static CborMapMaker cose_key(const MintKey& key) {
    const ByteVector point = key.point();
    const Bytes xy(point);
    const std::int64_t curve = key.type() == MintKeyType::kP256 ? 1 : 2;
    return CborMapMaker()
        .put(1, CborWriter().number(2))
        .put(-1, CborWriter().number(curve))
        .put(-2, CborWriter().bytes(xy.first(xy.size() / 2)))
        .put(-3, CborWriter().bytes(xy.last(xy.size() / 2)));
  }

  // The profiles of 2023, whose realms state their key as a COSE_Key.
  CcaMaker& use_profiles_of_2023() {
    platform.put(265, CborWriter().text("tag:arm.com,2023:cca_platform#1.0.0"));
    realm.put(265, CborWriter().text("tag:arm.com,2023:realm#1.0.0"));
    return use_key(cose_key(realm_key).take());
  }
  CcaMaker& use_key(ByteVector encoded) {
    realm.put(44237, CborWriter().bytes(encoded));
    encoded_key = std::move(encoded);
    return *this;
  }

  ByteVector platform_token() {
    if (fit_challenge) {
      platform.put(10, CborWriter().bytes(crypto::hash(hash, encoded_key)));
    }
    return cose_sign1(platform_signer, platform.take(), platform_shape);
  }
  ByteVector realm_token() { return cose_sign1(realm_signer, realm.take(), realm_shape); }
  ByteVector make() {
    CborWriter out;
    out.tag(tag).map(2);
    const bool wrapped = tag == 907;
    out.number(44234);
    if (wrapped) out.array(2).number(263);
    out.bytes(platform_token()).number(44241);
    if (wrapped) out.array(2).number(263);
    return out.bytes(realm_token()).take();
  }

  ByteVector challenge = ByteVector(64, 9);
  MintKey platform_key = MintKey::generate(MintKeyType::kP384);
  MintKey realm_key = MintKey::generate(MintKeyType::kP384);
  MintKey platform_signer = platform_key;
  MintKey realm_signer = realm_key;
  CborMapMaker platform;
  CborMapMaker realm;
  ByteVector encoded_key = raw_key(realm_key);
  crypto::HashAlgorithm hash = crypto::HashAlgorithm::kSha512;
  bool fit_challenge = true;
  CoseShape platform_shape;
  CoseShape realm_shape;
  std::uint64_t tag = 399;
};

}  // namespace sealpack::testing
