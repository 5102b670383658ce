// SPDX-License-Identifier: Apache-2.0
// Opening a TPM, and the sessions in which everything else happens.
#include "keymgmt/tpm/tpm.h"

#include <algorithm>
#include <utility>

#include "keymgmt/crypto/sha256.h"
#include "keymgmt/tpm/connection.h"

namespace sealpack::tpm {
namespace {

constexpr TPMT_SYM_DEF session_cipher() {
  TPMT_SYM_DEF cipher{};
  cipher.algorithm = TPM2_ALG_AES;
  cipher.keyBits.aes = 128;
  cipher.mode.aes = TPM2_ALG_CFB;
  return cipher;
}

// Where manufacturers keep it (EK Credential Profile 2.5, section 2.2.1.4), and its certificate.
constexpr TPM2_HANDLE kPersistentRsa = 0x81010001;
constexpr TPM2_HANDLE kPersistentP256 = 0x81010002;
constexpr TPM2_HANDLE kCertificateRsa = 0x01c00002;
constexpr TPM2_HANDLE kCertificateP256 = 0x01c0000a;

std::string four_letters(std::uint32_t number) {
  std::string out;
  for (unsigned shift = 32; shift > 0; shift -= 8) {
    const char letter = static_cast<char>(number >> (shift - 8));
    if (letter >= ' ' && letter <= '~') out.push_back(letter);
  }
  return out;
}

}  // namespace

Digest digest_of(const std::vector<PcrValue>& values) {
  crypto::Sha256 hash;
  for (const PcrValue& pcr : values) hash.update(pcr.value.bytes);
  return hash.finish();
}

Tpm::Tpm(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tpm::~Tpm() = default;

Result<std::unique_ptr<Tpm>> Tpm::open(const TpmOptions& options) {
  auto state = std::make_unique<State>();
  state->connection = TRY(Connection::open(options.tcti));
  state->kind = options.endorsement;
  TRY(state->read_properties());
  TRY(state->find_endorsement_key(options.pinned));
  return std::unique_ptr<Tpm>(new Tpm(std::move(state)));
}

Status Tpm::State::read_properties() {
  TPMS_CAPABILITY_DATA* given = nullptr;
  TPMI_YES_NO more = 0;
  TRY(connection->call("read its properties", [&](ESYS_CONTEXT* esys) {
    return Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                              TPM2_CAP_TPM_PROPERTIES, TPM2_PT_MANUFACTURER, 16, &more, &given);
  }));
  const Given<TPMS_CAPABILITY_DATA> properties(given);
  const TPML_TAGGED_TPM_PROPERTY& list = properties->data.tpmProperties;
  for (UINT32 i = 0; i < std::min<UINT32>(list.count, TPM2_MAX_TPM_PROPERTIES); ++i) {
    const std::uint64_t value = list.tpmProperty[i].value;
    if (list.tpmProperty[i].property == TPM2_PT_MANUFACTURER) {
      maker = four_letters(list.tpmProperty[i].value);
    } else if (list.tpmProperty[i].property == TPM2_PT_FIRMWARE_VERSION_1) {
      firmware |= value << 32U;
    } else if (list.tpmProperty[i].property == TPM2_PT_FIRMWARE_VERSION_2) {
      firmware |= value;
    }
  }
  return done();
}

Status Tpm::State::find_endorsement_key(const std::optional<Name>& pinned) {
  const bool rsa = kind == EndorsementKind::kRsa2048;
  // A key of the manufacturer's template that is kept in the TPM saves making it, which takes
  // seconds for RSA. Only a pin tells it from another key at that place.
  if (pinned) {
    ESYS_TR kept = ESYS_TR_NONE;
    const TPM2_HANDLE place = rsa ? kPersistentRsa : kPersistentP256;
    const TSS2_RC code = connection->run([&](ESYS_CONTEXT* esys) {
      return Esys_TR_FromTPMPublic(esys, place, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &kept);
    });
    if (code == TSS2_RC_SUCCESS) {
      TPM2B_PUBLIC* given = nullptr;
      TRY(connection->call("read its endorsement key", [&](ESYS_CONTEXT* esys) {
        return Esys_ReadPublic(esys, kept, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &given,
                               nullptr, nullptr);
      }));
      const Given<TPM2B_PUBLIC> area(given);
      const auto parsed = from_tss(*area);
      if (parsed.ok() && name_of(*parsed) == *pinned) {
        endorsement = *parsed;
        endorsement_handle = kept;
        return done();
      }
    }
  }
  endorsement =
      TRY(make_primary(rsa ? endorsement_rsa2048() : endorsement_p256(), endorsement_transient));
  endorsement_handle = endorsement_transient.get();
  if (pinned && name_of(endorsement) != *pinned) {
    return Error(ErrorCode::kNotAuthentic, "this is another TPM: its endorsement key is " +
                                               to_hex(name_of(endorsement)) + ", not " +
                                               to_hex(*pinned))
        .with_hint("a board was exchanged, or something pretends to be its TPM: enrol it anew");
  }
  return done();
}

// Nothing secret goes in, and who answers is checked by name, so no session is needed; there could
// be none yet.
Result<PublicArea> Tpm::State::make_primary(const PublicArea& wanted, Loaded& handle) {
  const TPM2B_PUBLIC area = TRY(to_tss(wanted));
  const TPM2B_SENSITIVE_CREATE sensitive{};
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION pcrs{};
  ESYS_TR made = ESYS_TR_NONE;
  TPM2B_PUBLIC* given = nullptr;
  TRY(connection->call("make a primary key", [&](ESYS_CONTEXT* esys) {
    return Esys_CreatePrimary(esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                              ESYS_TR_NONE, &sensitive, &area, &outside, &pcrs, &made, &given,
                              nullptr, nullptr, nullptr);
  }));
  handle = Loaded(connection, made);
  const Given<TPM2B_PUBLIC> made_area(given);
  PublicArea out = TRY(from_tss(*made_area));
  if (out.kind != wanted.kind || out.attributes != wanted.attributes ||
      out.policy != wanted.policy) {
    return Error(ErrorCode::kNotAuthentic, "the TPM made another key than it was told to");
  }
  return out;
}

Result<Loaded> Tpm::State::start_session(TPM2_SE type, TPMA_SESSION attributes) {
  static constexpr TPMT_SYM_DEF kCipher = session_cipher();
  ESYS_TR handle = ESYS_TR_NONE;
  TRY(connection->call("start a session", [&](ESYS_CONTEXT* esys) {
    return Esys_StartAuthSession(esys, endorsement_handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 ESYS_TR_NONE, nullptr, type, &kCipher, TPM2_ALG_SHA256, &handle);
  }));
  Loaded session(connection, handle);
  TRY(connection->call("set up a session", [&](ESYS_CONTEXT* esys) {
    return Esys_TRSess_SetAttributes(
        esys, handle, static_cast<TPMA_SESSION>(attributes | TPMA_SESSION_CONTINUESESSION), 0xff);
  }));
  return session;
}

Result<Loaded> Tpm::State::endorsement_session(TPMA_SESSION attributes) {
  const Loaded owner = TRY(hmac_session());
  Loaded session = TRY(start_session(TPM2_SE_POLICY, attributes));
  TRY(connection->call("use its endorsement key", [&](ESYS_CONTEXT* esys) {
    return Esys_PolicySecret(esys, ESYS_TR_RH_ENDORSEMENT, session.get(), owner.get(), ESYS_TR_NONE,
                             ESYS_TR_NONE, nullptr, nullptr, nullptr, 0, nullptr, nullptr);
  }));
  return session;
}

const PublicArea& Tpm::endorsement_key() const {
  return state_->endorsement;
}
std::uint64_t Tpm::firmware_version() const {
  return state_->firmware;
}
const std::string& Tpm::manufacturer() const {
  return state_->maker;
}
Tpm::Time Tpm::time() const {
  return state_->connection->time();
}

Result<PublicArea> Tpm::attestation_key() {
  Loaded unused;
  return state_->make_primary(attestation_p256(), unused);
}

Result<std::optional<ByteVector>> Tpm::endorsement_certificate() {
  const TPM2_HANDLE index =
      state_->kind == EndorsementKind::kRsa2048 ? kCertificateRsa : kCertificateP256;
  ESYS_TR handle = ESYS_TR_NONE;
  Connection& connection = *state_->connection;
  const TSS2_RC found = connection.run([&](ESYS_CONTEXT* esys) {
    return Esys_TR_FromTPMPublic(esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &handle);
  });
  if (without_place(found) == TPM2_RC_HANDLE) return std::optional<ByteVector>();
  if (found != TSS2_RC_SUCCESS) return Connection::failed("find its certificate", found);
  TPM2B_NV_PUBLIC* given = nullptr;
  TRY(connection.call("find its certificate", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_ReadPublic(esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &given,
                              nullptr);
  }));
  const Given<TPM2B_NV_PUBLIC> index_public(given);
  const std::size_t size = index_public->nvPublic.dataSize;
  ByteVector certificate;
  constexpr std::size_t kPiece = 512;  // no TPM takes less at once
  while (certificate.size() < size) {
    const auto wanted = static_cast<UINT16>(std::min(kPiece, size - certificate.size()));
    const auto offset = static_cast<UINT16>(certificate.size());
    TPM2B_MAX_NV_BUFFER* piece = nullptr;
    TRY(connection.call("read its certificate", [&](ESYS_CONTEXT* esys) {
      return Esys_NV_Read(esys, handle, handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                          wanted, offset, &piece);
    }));
    const Given<TPM2B_MAX_NV_BUFFER> read(piece);
    if (read->size == 0) return Error(ErrorCode::kIo, "TPM: its certificate ends early");
    const Bytes bytes = bytes_of(*read);
    certificate.insert(certificate.end(), bytes.begin(), bytes.end());
  }
  return std::optional<ByteVector>(std::move(certificate));
}

}  // namespace sealpack::tpm
