// SPDX-License-Identifier: Apache-2.0
// Objects under the endorsement key: imported keys, and keys made here.
#include <algorithm>

#include "keymgmt/crypto/sha256.h"
#include "keymgmt/crypto/signature.h"
#include "keymgmt/tpm/connection.h"
#include "keymgmt/tpm/tpm.h"

namespace sealpack::tpm {
namespace {

using crypto::SecretBytes;

TPM2B_ECC_POINT point_of(Bytes point) {
  constexpr std::size_t kCoordinate = 32;
  TPM2B_ECC_POINT out{};
  out.point.x.size = out.point.y.size = kCoordinate;
  std::copy_n(point.begin() + 1, kCoordinate, out.point.x.buffer);
  std::copy_n(point.begin() + 1 + kCoordinate, kCoordinate, out.point.y.buffer);
  return out;
}

// x with its leading zeros, which a TPM may leave out.
Result<SecretBytes> x_of(TPM2B_ECC_POINT& point) {
  constexpr std::size_t kCoordinate = 32;
  TPM2B_ECC_PARAMETER& x = point.point.x;
  if (x.size > kCoordinate) return Error(ErrorCode::kIo, "TPM: a coordinate of another size");
  SecretBytes out(kCoordinate);
  std::copy_n(x.buffer, x.size,
              out.reveal_for_writing().begin() + static_cast<std::ptrdiff_t>(kCoordinate - x.size));
  crypto::wipe({x.buffer, x.size});
  crypto::wipe({point.point.y.buffer, sizeof point.point.y.buffer});
  return out;
}

TPMT_SIGNATURE ecdsa_signature(Bytes r_s) {
  TPMT_SIGNATURE out{};
  out.sigAlg = TPM2_ALG_ECDSA;
  TPMS_SIGNATURE_ECC& ecc = out.signature.ecdsa;
  ecc.hash = TPM2_ALG_SHA256;
  ecc.signatureR.size = ecc.signatureS.size = 32;
  std::copy_n(r_s.begin(), 32, ecc.signatureR.buffer);
  std::copy_n(r_s.begin() + 32, 32, ecc.signatureS.buffer);
  return out;
}

void put_coordinate(const TPM2B_ECC_PARAMETER& from, MutableBytes to) {
  const std::size_t size = std::min<std::size_t>(from.size, to.size());
  std::copy_n(from.buffer, size, to.end() - static_cast<std::ptrdiff_t>(size));
}

}  // namespace

Tpm::Object::Object(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
Tpm::Object::Object(Object&&) noexcept = default;
Tpm::Object& Tpm::Object::operator=(Object&&) noexcept = default;
Tpm::Object::~Object() = default;

Result<ByteVector> Tpm::import(const Duplicate& duplicate, const SecretBytes& inner_key) {
  const TPM2B_PUBLIC area = TRY(to_tss(duplicate.object));
  const auto blob = TRY(sized_of<TPM2B_PRIVATE>(duplicate.blob, "wrapped key"));
  const auto seed = TRY(sized_of<TPM2B_ENCRYPTED_SECRET>(duplicate.secret, "its seed"));
  TPMT_SYM_DEF_OBJECT cipher{};
  cipher.algorithm = TPM2_ALG_AES;
  cipher.keyBits.aes = 128;
  cipher.mode.aes = TPM2_ALG_CFB;
  const Loaded session = TRY(state_->endorsement_session(TPMA_SESSION_DECRYPT));
  TPM2B_PRIVATE* given = nullptr;
  auto inner = TRY(sized_of<TPM2B_DATA>(inner_key.reveal(), "inner key"));  // wiped below
  const TSS2_RC code = state_->connection->run([&](ESYS_CONTEXT* esys) {
    return Esys_Import(esys, state_->endorsement_handle, session.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                       &inner, &area, &blob, &seed, &cipher, &given);
  });
  crypto::wipe({inner.buffer, sizeof inner.buffer});
  if (code != TSS2_RC_SUCCESS) {
    Error error = Connection::failed("import the key", code);
    if (error.code() == ErrorCode::kTryAgain) return error;
    return Error(ErrorCode::kKeyUnavailable, "the key was not wrapped for this TPM");
  }
  const Given<TPM2B_PRIVATE> imported(given);
  return to_vector(bytes_of(*imported));
}

Result<Tpm::Object> Tpm::load(const PublicArea& object, Bytes private_part) {
  const TPM2B_PUBLIC area = TRY(to_tss(object));
  const auto blob = TRY(sized_of<TPM2B_PRIVATE>(private_part, "wrapped key"));
  const Loaded session = TRY(state_->endorsement_session(0));
  ESYS_TR handle = ESYS_TR_NONE;
  const TSS2_RC code = state_->connection->run([&](ESYS_CONTEXT* esys) {
    return Esys_Load(esys, state_->endorsement_handle, session.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                     &blob, &area, &handle);
  });
  if (code != TSS2_RC_SUCCESS) {
    Error error = Connection::failed("load the key", code);
    if (error.code() == ErrorCode::kTryAgain) return error;
    return Error(ErrorCode::kKeyUnavailable, "the key belongs to another TPM, or was changed");
  }
  return Object(
      std::make_unique<Object::Handle>(Object::Handle{Loaded(state_->connection, handle)}));
}

Status Tpm::State::policy_nv(const Loaded& session, const PolicyRun::NvStep& step) {
  const Loaded reader = TRY(audit_session());
  const CounterHandle counter = TRY(find_counter(step.index, reader));
  if (counter.state != CounterState::kReady) {
    return Error(ErrorCode::kRefused, "the TPM has lost the counter that the key is bound to")
        .with_hint("the device must be enrolled again");
  }
  const auto operand = TRY(sized_of<TPM2B_OPERAND>(step.operand, "operand"));
  return connection->call("show that the counter fits", [&](ESYS_CONTEXT* esys) {
    return Esys_PolicyNV(esys, counter.handle, counter.handle, session.get(), reader.get(),
                         ESYS_TR_NONE, ESYS_TR_NONE, &operand, step.offset,
                         static_cast<TPM2_EO>(step.compare));
  });
}

Status Tpm::State::policy_authorize(const Loaded& session, const PolicyRun& policy) {
  const PublicArea key = TRY(external_signing_key(policy.key));
  const TPM2B_PUBLIC area = TRY(to_tss(key));
  ESYS_TR handle = ESYS_TR_NONE;
  TRY(connection->call("load the authority's key", [&](ESYS_CONTEXT* esys) {
    return Esys_LoadExternal(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, nullptr, &area,
                             ESYS_TR_RH_OWNER, &handle);
  }));
  const Loaded loaded(connection, handle);
  ByteVector message = to_vector(policy.approved.bytes);
  message.insert(message.end(), policy.reference.begin(), policy.reference.end());
  const Digest hashed = crypto::sha256(message);
  const auto digest = TRY(sized_of<TPM2B_DIGEST>(hashed.bytes, "digest"));
  const TPMT_SIGNATURE signature = ecdsa_signature(policy.signature);
  TPMT_TK_VERIFIED* given = nullptr;
  TRY(connection->call("verify the authority's signature", [&](ESYS_CONTEXT* esys) {
    return Esys_VerifySignature(esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &digest,
                                &signature, &given);
  }));
  const Given<TPMT_TK_VERIFIED> ticket(given);
  const auto approved = TRY(sized_of<TPM2B_DIGEST>(policy.approved.bytes, "policy"));
  const auto reference = TRY(sized_of<TPM2B_NONCE>(policy.reference, "reference"));
  const auto name = TRY(sized_of<TPM2B_NAME>(name_of(key), "name"));
  const TSS2_RC code = connection->run([&](ESYS_CONTEXT* esys) {
    return Esys_PolicyAuthorize(esys, session.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                &approved, &reference, &name, ticket.get());
  });
  if (code == TSS2_RC_SUCCESS) return done();
  if (without_place(code) == TPM2_RC_VALUE) {
    return Error(ErrorCode::kRefused, "the TPM's PCRs are not those that the authority approved");
  }
  return Connection::failed("use the authority's approval", code);
}

Result<Loaded> Tpm::State::run_policy(const PolicyRun& policy) {
  if (policy.signature.size() != 64) {
    return Error(ErrorCode::kMalformed, "an approval has a signature of 64 bytes");
  }
  Loaded session = TRY(start_session(TPM2_SE_POLICY, TPMA_SESSION_ENCRYPT));
  const TPML_PCR_SELECTION pcrs = to_tss(policy.pcrs);
  TRY(connection->call("take its PCRs into a policy", [&](ESYS_CONTEXT* esys) {
    return Esys_PolicyPCR(esys, session.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, nullptr,
                          &pcrs);
  }));
  if (policy.approved_nv) TRY(policy_nv(session, *policy.approved_nv));
  TRY(policy_authorize(session, policy));
  for (const PolicyRun::NvStep& step : policy.own_nv) TRY(policy_nv(session, step));
  TRY(connection->call("say what the key is for", [&](ESYS_CONTEXT* esys) {
    return Esys_PolicyCommandCode(esys, session.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                  static_cast<TPM2_CC>(policy.command));
  }));
  return session;
}

namespace {

// Something may extend a PCR between policy and use: then both are done once more.
constexpr int kPolicyAttempts = 5;

}  // namespace

Result<SecretBytes> Tpm::unseal(const Object& object, const PolicyRun& policy) {
  for (int attempt = 1;; ++attempt) {
    const Loaded session = TRY(state_->run_policy(policy));
    TPM2B_SENSITIVE_DATA* given = nullptr;
    const TSS2_RC code = state_->connection->run([&](ESYS_CONTEXT* esys) {
      return Esys_Unseal(esys, object.handle_->loaded.get(), session.get(), ESYS_TR_NONE,
                         ESYS_TR_NONE, &given);
    });
    if (without_place(code) == TPM2_RC_PCR_CHANGED && attempt < kPolicyAttempts) continue;
    if (code != TSS2_RC_SUCCESS) return Connection::failed("release the key", code);
    const Given<TPM2B_SENSITIVE_DATA> data(given);
    SecretBytes out = SecretBytes::copy_of(bytes_of(*data));
    crypto::wipe({data->buffer, sizeof data->buffer});
    return out;
  }
}

Result<SecretBytes> Tpm::agree(const Object& object, Bytes point, const PolicyRun& policy) {
  const TPM2B_ECC_POINT ours = point_of(point);
  for (int attempt = 1;; ++attempt) {
    const Loaded session = TRY(state_->run_policy(policy));
    TPM2B_ECC_POINT* given = nullptr;
    const TSS2_RC code = state_->connection->run([&](ESYS_CONTEXT* esys) {
      return Esys_ECDH_ZGen(esys, object.handle_->loaded.get(), session.get(), ESYS_TR_NONE,
                            ESYS_TR_NONE, &ours, &given);
    });
    if (without_place(code) == TPM2_RC_PCR_CHANGED && attempt < kPolicyAttempts) continue;
    if (code != TSS2_RC_SUCCESS) return Connection::failed("use the key", code);
    const Given<TPM2B_ECC_POINT> shared(given);
    return x_of(*shared);
  }
}

Result<Tpm::Created> Tpm::create_key(ObjectKind kind) {
  PublicArea wanted;
  wanted.kind = kind;
  wanted.attributes = kFixedTpm | kFixedParent | kSensitiveDataOrigin | kUserWithAuth | kNoDa |
                      (kind == ObjectKind::kSignP256 ? kSign : kDecrypt);
  wanted.unique.resize(64);
  const TPM2B_PUBLIC area = TRY(to_tss(wanted));
  const TPM2B_SENSITIVE_CREATE sensitive{};
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION pcrs{};
  const Loaded session =
      TRY(state_->endorsement_session(TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT));
  TPM2B_PRIVATE* given = nullptr;
  TPM2B_PUBLIC* given_area = nullptr;
  TRY(state_->connection->call("make a key", [&](ESYS_CONTEXT* esys) {
    return Esys_Create(esys, state_->endorsement_handle, session.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                       &sensitive, &area, &outside, &pcrs, &given, &given_area, nullptr, nullptr,
                       nullptr);
  }));
  const Given<TPM2B_PRIVATE> blob(given);
  const Given<TPM2B_PUBLIC> made(given_area);
  return Created{TRY(from_tss(*made)), to_vector(bytes_of(*blob))};
}

Result<SecretBytes> Tpm::agree(const Object& object, Bytes point) {
  const TPM2B_ECC_POINT ours = point_of(point);
  const Loaded session = TRY(state_->hmac_session(TPMA_SESSION_ENCRYPT));
  TPM2B_ECC_POINT* given = nullptr;
  TRY(state_->connection->call("use the key", [&](ESYS_CONTEXT* esys) {
    return Esys_ECDH_ZGen(esys, object.handle_->loaded.get(), session.get(), ESYS_TR_NONE,
                          ESYS_TR_NONE, &ours, &given);
  }));
  const Given<TPM2B_ECC_POINT> shared(given);
  return x_of(*shared);
}

Result<ByteVector> Tpm::sign(const Object& object, const Digest& digest) {
  const auto hashed = TRY(sized_of<TPM2B_DIGEST>(digest.bytes, "digest"));
  TPMT_SIG_SCHEME scheme{};
  scheme.scheme = TPM2_ALG_NULL;
  TPMT_TK_HASHCHECK not_restricted{};
  not_restricted.tag = TPM2_ST_HASHCHECK;
  not_restricted.hierarchy = TPM2_RH_NULL;
  const Loaded session = TRY(state_->hmac_session());
  TPMT_SIGNATURE* given = nullptr;
  TRY(state_->connection->call("sign", [&](ESYS_CONTEXT* esys) {
    return Esys_Sign(esys, object.handle_->loaded.get(), session.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                     &hashed, &scheme, &not_restricted, &given);
  }));
  const Given<TPMT_SIGNATURE> signature(given);
  if (signature->sigAlg != TPM2_ALG_ECDSA) {
    return Error(ErrorCode::kIo, "TPM: a signature of another algorithm");
  }
  ByteVector out(64);
  put_coordinate(signature->signature.ecdsa.signatureR, MutableBytes(out).first(32));
  put_coordinate(signature->signature.ecdsa.signatureS, MutableBytes(out).last(32));
  return out;
}

}  // namespace sealpack::tpm
