// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/simulated.h"
#include "bench/attest/verification_case.h"
#include "keymgmt/crypto/private_key.h"
#include "tests/attest/verify/cose/cca_maker.h"
#include "tests/attest/verify/cose/cose_maker.h"
#include "tests/attest/verify/nvidia/gpu_maker.h"

namespace sealpack::bench {
namespace {

using crypto::HashAlgorithm;
using testing::CborMapMaker;
using testing::CborWriter;
using testing::mint;
using testing::MintCertificate;
using testing::MintKey;
using testing::MintKeyType;
using Request = VerificationCase::Request;

constexpr std::uint64_t kNow = 1750000000;

ByteVector binding_of(std::size_t request, std::size_t size) {
  return ByteVector(size, static_cast<std::uint8_t>(request + 1));
}

// What cose_sign1 signs.
BareSignature cose_signature(const MintKey& key, Bytes payload) {
  const bool p256 = key.type() == MintKeyType::kP256;
  const HashAlgorithm hash = p256 ? HashAlgorithm::kSha256 : HashAlgorithm::kSha384;
  const ByteVector message =
      CborWriter()
          .array(4)
          .text("Signature1")
          .bytes(testing::header_of(p256 ? testing::kEs256 : testing::kEs384))
          .bytes({})
          .bytes(payload)
          .take();
  return {SignatureKind::kEcdsa, hash, key.spki(), message, key.sign(hash, message)};
}

VerificationCase nitro_case() {
  const MintCertificate root{.subject = "aws.nitro-enclaves", .authority = true};
  const MintCertificate zone{.subject = "zone.aws.nitro-enclaves", .authority = true};
  const MintCertificate leaf{.subject = "i-0123-enc0123.us-east-1.aws",
                             .not_before = kNow - 60,
                             .not_after = kNow + 3 * 3600};
  const MintKey root_key = MintKey::generate(MintKeyType::kP384);
  const MintKey zone_key = MintKey::generate(MintKeyType::kP384);
  const MintKey leaf_key = MintKey::generate(MintKeyType::kP384);
  CborMapMaker pcrs;
  for (std::int64_t i = 0; i < 16; ++i) {
    pcrs.put(i, CborWriter().bytes(ByteVector(48, static_cast<std::uint8_t>(i + 1))));
  }
  CborWriter bundle;
  bundle.array(2).bytes(mint(root, root_key, nullptr, root_key));
  bundle.bytes(mint(zone, zone_key, &root, root_key));
  CborMapMaker fields;
  fields.put("module_id", CborWriter().text("i-0123-enc0123"))
      .put("digest", CborWriter().text("SHA384"))
      .put("timestamp", CborWriter().number(kNow * 1000 - 500))
      .put("pcrs", CborWriter().raw(pcrs.take()))
      .put("certificate", CborWriter().bytes(mint(leaf, leaf_key, &zone, zone_key)))
      .put("cabundle", bundle)
      .put("public_key", CborWriter().null())
      .put("user_data", CborWriter().null());
  VerificationCase made{"nitro", {}, {}, kNow, {}};
  made.roots.nitro = {root_key.digest()};
  for (std::size_t i = 0; i < kRequests; ++i) {
    const ByteVector nonce = binding_of(i, 64);
    const ByteVector payload = fields.put("nonce", CborWriter().bytes(nonce)).take();
    const ByteVector document = testing::cose_sign1(leaf_key, payload, {.tag = std::nullopt});
    made.requests.push_back(
        {{"nitro", {{"document", document}}}, nonce, {cose_signature(leaf_key, payload)}});
  }
  return made;
}

CborMapMaker psa_claims() {
  ByteVector instance(33, 7);
  instance[0] = 1;
  CborWriter components;
  components.array(2);
  for (std::uint8_t i = 1; i <= 2; ++i) {
    components.raw(CborMapMaker()
                       .put(1, CborWriter().text(i == 1 ? "BL" : "SPE"))
                       .put(2, CborWriter().bytes(ByteVector(32, i)))
                       .put(5, CborWriter().bytes(ByteVector(32, 9)))
                       .take());
  }
  return CborMapMaker()
      .put(265, CborWriter().text("tag:psacertified.org,2023:psa#tfm"))
      .put(2394, CborWriter().number(-7))
      .put(2395, CborWriter().number(0x3000))
      .put(2396, CborWriter().bytes(ByteVector(32, 5)))
      .put(256, CborWriter().bytes(instance))
      .put(2399, components);
}

VerificationCase psa_case() {
  const MintKey device = MintKey::generate(MintKeyType::kP256);
  VerificationCase made{"psa", {}, {}, kNow, {}};
  made.roots.psa = {device.digest()};
  made.endorsements.public_keys = {device.spki()};
  CborMapMaker claims = psa_claims();
  for (std::size_t i = 0; i < kRequests; ++i) {
    const ByteVector nonce = binding_of(i, 64);
    const ByteVector payload = claims.put(10, CborWriter().bytes(nonce)).take();
    made.requests.push_back({{"psa", {{"token", testing::cose_sign1(device, payload)}}},
                             nonce,
                             {cose_signature(device, payload)}});
  }
  return made;
}

VerificationCase cca_case() {
  testing::CcaMaker maker;
  VerificationCase made{"cca", {}, {}, kNow, {}};
  made.roots.cca = {maker.platform_key.digest()};
  made.endorsements.public_keys = {maker.platform_key.spki()};
  for (std::size_t i = 0; i < kRequests; ++i) {
    const ByteVector challenge = binding_of(i, 64);
    maker.realm.put(10, CborWriter().bytes(challenge));
    const ByteVector token = maker.make();
    made.requests.push_back({{"cca", {{"token", token}}},
                             challenge,
                             {cose_signature(maker.platform_key, maker.platform.take()),
                              cose_signature(maker.realm_key, maker.realm.take())}});
  }
  return made;
}

VerificationCase gpu_case() {
  testing::GpuMaker maker;
  VerificationCase made{"nvidia-gpu", {}, {}, kNow, {}};
  made.roots.nvidia = {maker.root_key.digest()};
  const ByteVector chain = maker.chain();
  for (std::size_t i = 0; i < kRequests; ++i) {
    maker.nonce = binding_of(i, 32);
    ByteVector transcript = maker.request();
    testing::append(transcript, maker.unsigned_report());
    const BareSignature signature(SignatureKind::kEcdsa, HashAlgorithm::kSha384,
                                  maker.leaf_key.spki(), transcript,
                                  maker.leaf_key.sign(HashAlgorithm::kSha384, transcript));
    made.requests.push_back({{"nvidia-gpu",
                              {{"gpu-request", maker.request()},
                               {"gpu-report", maker.report()},
                               {"gpu-certificates", chain}}},
                             maker.nonce,
                             {signature}});
  }
  return made;
}

VerificationCase simulated_case() {
  const auto key = crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value();
  const auto root = key.signer().value();
  VerificationCase made{"simulated", {}, {}, kNow, {}};
  made.roots.simulated = {root->public_key().digest()};
  for (std::size_t i = 0; i < kRequests; ++i) {
    const ByteVector binding = binding_of(i, 64);
    attest::Evidence evidence =
        attest::parse_evidence(
            attest::make_simulated_evidence(Digest{{1, 2, 3}}, binding, *root).value())
            .value();
    const auto report = attest::parse_simulated_report(evidence.items.at(0).bytes).value();
    const BareSignature signature(SignatureKind::kEd25519, HashAlgorithm::kSha512, report.root_spki,
                                  attest::simulated_transcript(report), report.signature);
    made.requests.push_back({std::move(evidence), binding, {signature}});
  }
  return made;
}

}  // namespace

std::vector<VerificationCase> token_cases() {
  return {nitro_case(), psa_case(), cca_case(), gpu_case(), simulated_case()};
}

}  // namespace sealpack::bench
