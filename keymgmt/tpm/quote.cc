// SPDX-License-Identifier: Apache-2.0
// PCRs and what proves them.
#include <tss2/tss2_mu.h>

#include <algorithm>

#include "keymgmt/crypto/hash.h"
#include "keymgmt/tpm/connection.h"
#include "keymgmt/tpm/tpm.h"
#include "keymgmt/tpm/wire.h"

namespace sealpack::tpm {
namespace {

// pcrDigest of a TPMS_ATTEST of type quote; its other fields are the verifier's.
Result<Bytes> digest_in(Bytes quoted) {
  WireReader in(quoted, "TPM quote");
  TRY(in.u32("magic"));
  TRY(in.u16("type"));
  TRY(in.sized(68, "signer"));
  TRY(in.sized(64, "qualifying data"));
  TRY(in.raw(8 + 4 + 4 + 1 + 8, "clock"));
  const std::uint32_t banks = TRY(in.u32("selections"));
  if (banks != 1) return in.malformed("selections of several banks");
  TRY(in.u16("bank"));
  TRY(in.raw(TRY(in.u8("selection size")), "selection"));
  const Bytes digest = TRY(in.sized(64, "digest"));
  TRY(in.finish());
  return digest;
}

Result<ByteVector> signature_bytes(const TPMT_SIGNATURE& signature) {
  ByteVector out(sizeof(TPMT_SIGNATURE));
  std::size_t size = 0;
  if (Tss2_MU_TPMT_SIGNATURE_Marshal(&signature, out.data(), out.size(), &size) !=
      TSS2_RC_SUCCESS) {
    return Error(ErrorCode::kIo, "TPM: it gave a signature that cannot be written");
  }
  out.resize(size);
  return out;
}

// `session`: an audit session, in which nobody forges them, or none.
Result<std::vector<PcrValue>> read_values(Connection& connection, PcrMask mask,
                                          ESYS_TR session = ESYS_TR_NONE) {
  std::vector<PcrValue> values;
  PcrMask left = mask;
  while (left != 0) {
    // A TPM gives some, eight at most, and says which.
    const TPML_PCR_SELECTION wanted = to_tss(left);
    UINT32 counter = 0;
    TPML_PCR_SELECTION* given_selection = nullptr;
    TPML_DIGEST* given_values = nullptr;
    TRY(connection.call("read its PCRs", [&](ESYS_CONTEXT* esys) {
      return Esys_PCR_Read(esys, session, ESYS_TR_NONE, ESYS_TR_NONE, &wanted, &counter,
                           &given_selection, &given_values);
    }));
    const Given<TPML_PCR_SELECTION> selection(given_selection);
    const Given<TPML_DIGEST> digests(given_values);
    PcrMask got = 0;
    if (selection->count == 1) {
      for (unsigned i = 0; i < std::min<unsigned>(selection->pcrSelections[0].sizeofSelect, 3); ++i)
        got |= static_cast<PcrMask>(selection->pcrSelections[0].pcrSelect[i]) << (8 * i);
    }
    UINT32 next = 0;
    for (unsigned index = 0; index < kPcrCount; ++index) {
      if ((got >> index & 1U) == 0) continue;
      if (next == digests->count || digests->digests[next].size != Digest::kSize) {
        return Error(ErrorCode::kIo, "TPM: it gave other PCRs than it said");
      }
      PcrValue value{index, {}};
      std::copy_n(digests->digests[next++].buffer, Digest::kSize, value.value.bytes.begin());
      values.push_back(value);
    }
    if (got == 0 || (got & ~left) != 0) {
      return Error(ErrorCode::kUnsupported, "the TPM has no SHA-256 bank with these PCRs");
    }
    left &= ~got;
  }
  return values;
}

}  // namespace

Result<std::vector<PcrValue>> Tpm::read_pcrs(PcrMask mask) {
  return read_values(*state_->connection, mask, TRY(state_->audit_session()).get());
}

// In a session: who sits on the wire cannot make an extension vanish unnoticed.
Status Tpm::extend_pcr(unsigned index, const Digest& value) {
  if (index >= kPcrCount) return Error(ErrorCode::kUsage, "there are PCRs 0 to 23");
  const Loaded session = TRY(state_->hmac_session());
  TPML_DIGEST_VALUES values{};
  values.count = 1;
  values.digests[0].hashAlg = TPM2_ALG_SHA256;
  std::copy(value.bytes.begin(), value.bytes.end(), values.digests[0].digest.sha256);
  return state_->connection->call("extend a PCR", [&](ESYS_CONTEXT* esys) {
    return Esys_PCR_Extend(esys, ESYS_TR_PCR0 + index, session.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                           &values);
  });
}

Status extend_zero_pcrs(const std::string& tcti, PcrMask mask, const Digest& value) {
  const auto connection = TRY(Connection::open(tcti));
  TPML_DIGEST_VALUES values{};
  values.count = 1;
  values.digests[0].hashAlg = TPM2_ALG_SHA256;
  std::copy(value.bytes.begin(), value.bytes.end(), values.digests[0].digest.sha256);
  for (const PcrValue& pcr : TRY(read_values(*connection, mask))) {
    if (pcr.value != Digest{}) continue;
    TRY(connection->call("extend a PCR", [&](ESYS_CONTEXT* esys) {
      return Esys_PCR_Extend(esys, ESYS_TR_PCR0 + pcr.index, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                             ESYS_TR_NONE, &values);
    }));
  }
  for (const PcrValue& pcr : TRY(read_values(*connection, mask))) {
    if (pcr.value != Digest{}) continue;
    return Error(ErrorCode::kNotAuthentic, "PCR " + std::to_string(pcr.index) + " stays zero");
  }
  return done();
}

Result<Quote> Tpm::quote(PcrMask mask, Bytes qualifying) {
  Loaded key;
  TRY(state_->make_attestation_key(key));
  return state_->quote_by(key.get(), mask, qualifying);
}

Result<Quote> Tpm::quote_by_kept_key(std::uint32_t handle, PcrMask mask, Bytes qualifying) {
  ESYS_TR key = ESYS_TR_NONE;
  TRY(state_->connection->call("find the key that quotes", [&](ESYS_CONTEXT* esys) {
    return Esys_TR_FromTPMPublic(esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &key);
  }));
  return state_->quote_by(key, mask, qualifying);
}

Result<Quote> Tpm::State::quote_by(ESYS_TR key, PcrMask mask, Bytes qualifying) {
  const auto data = TRY(sized_of<TPM2B_DATA>(qualifying, "qualifying data"));
  const TPML_PCR_SELECTION selection = to_tss(mask);
  const TPMT_SIG_SCHEME scheme = [] {
    TPMT_SIG_SCHEME of_the_key{};
    of_the_key.scheme = TPM2_ALG_NULL;
    return of_the_key;
  }();
  // Something may extend a PCR between the quote and the reading of values.
  constexpr int kAttempts = 5;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const Loaded session = TRY(hmac_session());
    TPM2B_ATTEST* given = nullptr;
    TPMT_SIGNATURE* given_signature = nullptr;
    TRY(connection->call("quote", [&](ESYS_CONTEXT* esys) {
      return Esys_Quote(esys, key, session.get(), ESYS_TR_NONE, ESYS_TR_NONE, &data, &scheme,
                        &selection, &given, &given_signature);
    }));
    const Given<TPM2B_ATTEST> quoted(given);
    const Given<TPMT_SIGNATURE> signature(given_signature);
    Quote out;
    out.quoted.assign(quoted->attestationData, quoted->attestationData + quoted->size);
    out.signature = TRY(signature_bytes(*signature));
    out.values = TRY(read_values(*connection, mask));
    const Bytes digest = TRY(digest_in(out.quoted));
    ByteVector read;
    for (const PcrValue& pcr : out.values) {
      read.insert(read.end(), pcr.value.bytes.begin(), pcr.value.bytes.end());
    }
    // By the hash of the signature, whatever the bank is (Part 3, 18.4).
    const ByteVector expected = crypto::hash(
        digest.size() == 48 ? crypto::HashAlgorithm::kSha384 : crypto::HashAlgorithm::kSha256,
        read);
    if (std::equal(digest.begin(), digest.end(), expected.begin(), expected.end())) return out;
  }
  return Error(ErrorCode::kTryAgain, "PCRs change as fast as they are quoted");
}

Result<crypto::SecretBytes> Tpm::activate_credential(const Credential& credential) {
  Loaded key;
  TRY(state_->make_attestation_key(key));
  const auto blob = TRY(sized_of<TPM2B_ID_OBJECT>(credential.blob, "credential"));
  const auto secret = TRY(sized_of<TPM2B_ENCRYPTED_SECRET>(credential.secret, "its secret"));
  const Loaded attestation = TRY(state_->hmac_session(TPMA_SESSION_ENCRYPT));
  const Loaded endorsement = TRY(state_->endorsement_session(0));
  TPM2B_DIGEST* given = nullptr;
  const TSS2_RC code = state_->connection->run([&](ESYS_CONTEXT* esys) {
    return Esys_ActivateCredential(esys, key.get(), state_->endorsement_handle, attestation.get(),
                                   endorsement.get(), ESYS_TR_NONE, &blob, &secret, &given);
  });
  if (code != TSS2_RC_SUCCESS) {
    const Error error = Connection::failed("activate the credential", code);
    if (error.code() == ErrorCode::kTryAgain) return error;
    // Wrong TPM, wrong attestation key or a changed byte: they look alike.
    return Error(ErrorCode::kKeyUnavailable, "the credential was not made for this TPM");
  }
  const Given<TPM2B_DIGEST> activated(given);
  crypto::SecretBytes out = crypto::SecretBytes::copy_of(Bytes(activated->buffer, activated->size));
  crypto::wipe({activated->buffer, activated->size});
  return out;
}

Result<CounterProof> Tpm::prove_counter(std::uint32_t index) {
  Loaded key;
  TRY(state_->make_attestation_key(key));
  const Loaded reading = TRY(state_->audit_session());
  const State::CounterHandle counter = TRY(state_->find_counter(index, reading));
  if (counter.state != State::CounterState::kReady) {
    return Error(ErrorCode::kRefused, "the TPM has lost its counter");
  }
  const Digest context = counter_proof_context();
  const auto data = TRY(sized_of<TPM2B_DATA>(context.bytes, "context"));
  TPMT_SIG_SCHEME of_the_key{};
  of_the_key.scheme = TPM2_ALG_NULL;
  const Loaded signing = TRY(state_->hmac_session());
  TPM2B_ATTEST* given = nullptr;
  TPMT_SIGNATURE* given_signature = nullptr;
  constexpr UINT16 kSize = 8;
  TRY(state_->connection->call("prove a counter", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_Certify(esys, key.get(), counter.handle, counter.handle, signing.get(),
                           reading.get(), ESYS_TR_NONE, &data, &of_the_key, kSize, 0, &given,
                           &given_signature);
  }));
  const Given<TPM2B_ATTEST> attest(given);
  const Given<TPMT_SIGNATURE> signature(given_signature);
  ByteVector signature_given = TRY(signature_bytes(*signature));
  return CounterProof{{attest->attestationData, attest->attestationData + attest->size},
                      std::move(signature_given)};
}

}  // namespace sealpack::tpm
