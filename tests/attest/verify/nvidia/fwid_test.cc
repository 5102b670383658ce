// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/nvidia/fwid.h"

#include <gmock/gmock.h>

#include "tests/attest/verify/nvidia/gpu_maker.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using testing::composite_device_id;
using testing::der;
using testing::der_fwid;
using testing::dice_tcb_info;
using testing::Fails;
using testing::MintCertificate;
using testing::MintKey;
using testing::MintKeyType;
using testing::Succeeds;

const ByteVector kDigest(48, 0xFA);

TEST(Fwid, IsFoundInBothForms) {
  const MintKey key = MintKey::generate(MintKeyType::kP384);
  for (const ByteVector& bytes :
       {composite_device_id(key.spki(), kDigest), dice_tcb_info(kDigest)}) {
    const auto fwid = parse_fwid(bytes);
    ASSERT_THAT(fwid, Succeeds());
    EXPECT_EQ(*fwid, kDigest);
  }
}

TEST(Fwid, IsRefusedCutAndFollowedByMore) {
  for (ByteVector bytes :
       {composite_device_id(ByteVector{0x30, 0}, kDigest), dice_tcb_info(kDigest)}) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(parse_fwid(Bytes(bytes).first(size)).ok()) << size;
    }
    bytes.push_back(0);
    EXPECT_THAT(parse_fwid(bytes), Fails(ErrorCode::kMalformed));
  }
}

TEST(Fwid, IsRefusedInOtherForms) {
  const ByteVector version = der(0x02, {{1}});
  const ByteVector key = der(0x30, {});
  for (const ByteVector& bytes :
       {der(0x31, {version, key, der_fwid(kDigest)}),                  // a SET
        der(0x30, {version, key, der_fwid(kDigest), version}),         // more behind it
        der(0x30, {version, key}),                                     // none
        der(0x30, {version, key, der_fwid(ByteVector(20, 1))}),        // SHA-1
        der(0x30, {version, key, der(0x30, {der(0x04, {kDigest})})}),  // no algorithm
        der(0x30, {der(0x80, {})}),                                    // no FWIDs
        der(0x30, {der(0xA6, {})}),                                    // an empty list
        der(0x30, {der(0xA6, {der_fwid(kDigest)}), der(0xA6, {der_fwid(kDigest)})}),
        ByteVector{0x30, 0x80, 0x00, 0x00},  // indefinite
        ByteVector{0x30, 0x81, 0x00},        // not the shortest
        ByteVector{0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF}}) {
    EXPECT_THAT(parse_fwid(bytes), Fails(ErrorCode::kMalformed)) << to_hex(bytes);
  }
}

TEST(Fwid, OfACertificateIsInOneExtensionOrNone) {
  const MintKey key = MintKey::generate(MintKeyType::kP384);
  const auto of = [&](std::vector<testing::MintExtension> extensions) {
    MintCertificate what;
    what.subject = "leaf";
    what.extensions = std::move(extensions);
    return fwid_of(x509::Certificate::parse_der(testing::mint(what, key, nullptr, key)).value());
  };
  EXPECT_EQ(of({}).value(), std::nullopt);
  EXPECT_EQ(of({{"2.23.133.5.4.1", false, composite_device_id(key.spki(), kDigest)}}).value(),
            kDigest);
  EXPECT_EQ(of({{"2.23.133.5.4.1.1", false, dice_tcb_info(kDigest)}}).value(), kDigest);
  EXPECT_THAT(of({{"2.23.133.5.4.1", false, dice_tcb_info(kDigest)},
                  {"2.23.133.5.4.1.1", false, dice_tcb_info(kDigest)}}),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(of({{"2.23.133.5.4.1", false, {1, 2, 3}}}), Fails(ErrorCode::kMalformed));
}

}  // namespace
}  // namespace sealpack::attest
