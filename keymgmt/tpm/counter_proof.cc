// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/tpm/counter_proof.h"

#include <algorithm>

#include "keymgmt/crypto/sha256.h"
#include "keymgmt/crypto/signature.h"
#include "keymgmt/tpm/wire.h"

namespace sealpack::tpm {
namespace {

constexpr std::size_t kCoordinate = 32;

Error not_authentic(const char* why) {
  return Error(ErrorCode::kNotAuthentic, std::string("the proof of a TPM's counter ") + why);
}

// r || s of an ECDSA signature with SHA-256.
Result<ByteVector> parse_signature(Bytes bytes) {
  WireReader in(bytes, "signature of a counter's proof");
  if (TRY(in.u16("algorithm")) != kAlgEcdsa || TRY(in.u16("hash")) != kAlgSha256) {
    return in.malformed("no ECDSA with SHA-256");
  }
  ByteVector out(2 * kCoordinate);
  for (std::size_t end : {kCoordinate, 2 * kCoordinate}) {
    const Bytes number = TRY(in.sized(kCoordinate, "number"));
    std::copy(number.rbegin(), number.rend(),
              out.rbegin() + static_cast<std::ptrdiff_t>(out.size() - end));
  }
  TRY(in.finish());
  return out;
}

struct Stated {
  Bytes context;
  Bytes index;  // its name
  Bytes content;
};

// TPMS_ATTEST of type TPM_ST_ATTEST_NV (Part 2, 10.12.12).
Result<Stated> parse_attest(Bytes bytes) {
  WireReader in(bytes, "proof of a TPM's counter");
  // Without the magic the signed bytes could be anything that the key was given to sign.
  if (TRY(in.u32("magic")) != kGeneratedValue || TRY(in.u16("type")) != kAttestNv) {
    return not_authentic("is nothing that a TPM states of NV memory");
  }
  Stated out;
  TRY(in.sized(68, "signer"));
  out.context = TRY(in.sized(64, "context"));
  TRY(in.raw(8 + 4 + 4 + 1 + 8, "clock"));
  out.index = TRY(in.sized(68, "index"));
  if (TRY(in.u16("offset")) != 0) return in.malformed("a part of the counter");
  out.content = TRY(in.sized(64, "content"));
  TRY(in.finish());
  return out;
}

bool same(Bytes a, Bytes b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

Digest counter_proof_context() {
  return crypto::sha256(as_bytes("sealpack/v1/tpm-counter"));
}

Result<std::uint64_t> verify_counter_proof(const PublicArea& attestation, std::uint32_t index,
                                           const CounterProof& proof) {
  const auto key = TRY(crypto::VerifyingKey::from_spki(TRY(attestation.spki())));
  const auto signature =
      crypto::ecdsa_with_low_s(key.algorithm(), TRY(parse_signature(proof.signature)));
  if (!signature.ok() || !key.verify(proof.attest, *signature).ok()) {
    return not_authentic("is not signed by the attestation key");
  }
  const Stated stated = TRY(parse_attest(proof.attest));
  if (!same(stated.context, counter_proof_context().bytes)) {
    return not_authentic("was made for something else");
  }
  if (!same(stated.index, name_of(CounterIndex{index}))) {
    return not_authentic(
        "is about another NV index, or about one that is no counter of sealpack's");
  }
  if (stated.content.size() != 8) return not_authentic("has no value of 8 bytes");
  std::uint64_t value = 0;
  for (const std::uint8_t byte : stated.content) value = value << 8U | byte;
  return value;
}

}  // namespace sealpack::tpm
