// SPDX-License-Identifier: Apache-2.0
// Opening a TPM, and the sessions in which everything else happens.
#include "keymgmt/tpm/tpm.h"

#include <tss2/tss2_mu.h>

#include <algorithm>
#include <utility>

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

TPMI_ALG_HASH algorithm_of(crypto::HashAlgorithm hash) {
  return hash == crypto::HashAlgorithm::kSha512   ? TPM2_ALG_SHA512
         : hash == crypto::HashAlgorithm::kSha384 ? TPM2_ALG_SHA384
                                                  : TPM2_ALG_SHA256;
}

std::string four_letters(std::uint32_t number) {
  std::string out;
  for (unsigned shift = 32; shift > 0; shift -= 8) {
    const char letter = static_cast<char>(number >> (shift - 8));
    if (letter >= ' ' && letter <= '~') out.push_back(letter);
  }
  return out;
}

std::uint32_t set_bit(Hierarchy hierarchy) {
  return hierarchy == Hierarchy::kOwner ? TPMA_PERMANENT_OWNERAUTHSET
                                        : TPMA_PERMANENT_ENDORSEMENTAUTHSET;
}
ESYS_TR handle_of(Hierarchy hierarchy) {
  return hierarchy == Hierarchy::kOwner ? ESYS_TR_RH_OWNER : ESYS_TR_RH_ENDORSEMENT;
}

TPML_DIGEST either_of(Bytes first, Bytes second) {
  TPML_DIGEST out{};
  for (const Bytes digest : {first, second}) {
    TPM2B_DIGEST& place = out.digests[out.count++];
    place.size = static_cast<UINT16>(digest.size());
    std::copy(digest.begin(), digest.end(), place.buffer);
  }
  return out;
}

// The nonce of a low range key goes to the start of what the TPM mixes in.
PublicArea with_nonce(PublicArea area, Bytes nonce) {
  const std::size_t room = area.kind == ObjectKind::kStorageP256 ? 32 : area.unique.size();
  std::copy_n(nonce.begin(), std::min(nonce.size(), room), area.unique.begin());
  return area;
}

}  // namespace

const char* to_string(Hierarchy hierarchy) {
  return hierarchy == Hierarchy::kOwner ? "owner" : "endorsement";
}

Tpm::Tpm(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tpm::~Tpm() = default;

Result<std::unique_ptr<Tpm>> Tpm::open(const TpmOptions& options) {
  auto state = std::make_unique<State>();
  state->connection = TRY(Connection::open(options.tcti));
  state->kind = options.endorsement;
  state->password = options.password;
  TRY(state->read_properties());
  TRY(state->find_endorsement_key(options.pinned));
  return std::unique_ptr<Tpm>(new Tpm(std::move(state)));
}

Status Tpm::State::read_properties() {
  for (const UINT32 first : {TPM2_PT_MANUFACTURER, TPM2_PT_PERMANENT}) {
    TPMS_CAPABILITY_DATA* given = nullptr;
    TPMI_YES_NO more = 0;
    TRY(connection->call("read its properties", [&](ESYS_CONTEXT* esys) {
      return Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                TPM2_CAP_TPM_PROPERTIES, first, 16, &more, &given);
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
      } else if (list.tpmProperty[i].property == TPM2_PT_PERMANENT) {
        permanent = list.tpmProperty[i].value;
      }
    }
  }
  return done();
}

Tpm::State::~State() {
  for (const Hierarchy hierarchy : {Hierarchy::kOwner, Hierarchy::kEndorsement}) {
    if ((authorized & set_bit(hierarchy)) == 0) continue;
    const TPM2B_AUTH none{};
    (void)Esys_TR_SetAuth(connection->esys(), handle_of(hierarchy), &none);
  }
}

bool Tpm::State::has_password(Hierarchy hierarchy) const {
  return (permanent & set_bit(hierarchy)) != 0;
}

Status Tpm::State::authorize(Hierarchy hierarchy) {
  if (!has_password(hierarchy) || (authorized & set_bit(hierarchy)) != 0) return done();
  if (!password) {
    return Error(ErrorCode::kRefused, std::string("the TPM's ") + to_string(hierarchy) +
                                          " hierarchy has a password, and none is given");
  }
  const crypto::SecretBytes secret = TRY(password(hierarchy));
  auto value = TRY(sized_of<TPM2B_AUTH>(secret.reveal(), "password of the TPM"));
  Status set = connection->call("take a password", [&](ESYS_CONTEXT* esys) {
    return Esys_TR_SetAuth(esys, handle_of(hierarchy), &value);
  });
  crypto::wipe({value.buffer, sizeof value.buffer});
  TRY(std::move(set));
  authorized |= set_bit(hierarchy);
  return done();
}

// A key that is kept in the TPM saves making it, which takes seconds for RSA. Only a pin tells it
// from another key at that place.
Result<bool> Tpm::State::take_persistent(const Name& pinned) {
  ESYS_TR kept = ESYS_TR_NONE;
  const TSS2_RC code = connection->run([&](ESYS_CONTEXT* esys) {
    return Esys_TR_FromTPMPublic(esys, profile_of(kind).persistent, ESYS_TR_NONE, ESYS_TR_NONE,
                                 ESYS_TR_NONE, &kept);
  });
  if (code != TSS2_RC_SUCCESS) return false;
  // Sessions are salted with what ESAPI was told when it found the key. What follows is another
  // answer, and who sits on the wire gives each as he likes.
  if (TRY(connection->name_of(kept)) != pinned) return false;
  TPM2B_PUBLIC* given = nullptr;
  TRY(connection->call("read its endorsement key", [&](ESYS_CONTEXT* esys) {
    return Esys_ReadPublic(esys, kept, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &given, nullptr,
                           nullptr);
  }));
  const Given<TPM2B_PUBLIC> area(given);
  const auto parsed = from_tss(*area);
  if (!parsed.ok() || name_of(*parsed) != pinned) return false;
  endorsement = *parsed;
  endorsement_handle = kept;
  return true;
}

// TPM2B_PUBLIC or TPMT_PUBLIC, as both are seen.
Result<TPM2B_PUBLIC> Tpm::State::own_template(bool& there) {
  const EndorsementProfile& profile = profile_of(kind);
  const auto content = TRY(read_index(profile.own_template));
  there = content.has_value();
  if (!there) return TPM2B_PUBLIC{};
  for (const std::size_t skip : {std::size_t{0}, std::size_t{2}}) {
    TPM2B_PUBLIC out{};
    std::size_t offset = skip;
    if (content->size() > skip &&
        Tss2_MU_TPMT_PUBLIC_Unmarshal(content->data(), content->size(), &offset, &out.publicArea) ==
            TSS2_RC_SUCCESS) {
      return out;
    }
  }
  return Error(ErrorCode::kMalformed, "the TPM's own template of its endorsement key is none");
}

Status Tpm::State::make_endorsement_key(const std::optional<Name>& pinned) {
  const EndorsementProfile& profile = profile_of(kind);
  bool own = false;
  TPM2B_PUBLIC wanted = TRY(own_template(own));
  if (!own) {
    PublicArea area = endorsement_template(kind);
    const auto nonce =
        profile.nonce == 0 ? std::optional<ByteVector>() : TRY(read_index(profile.nonce));
    wanted = TRY(to_tss(nonce ? with_nonce(std::move(area), *nonce) : area));
  }
  endorsement = TRY(make_primary(wanted, endorsement_transient));
  endorsement_handle = endorsement_transient.get();
  const std::string why_not = why_not_endorsement_key(endorsement);
  if (!why_not.empty() || endorsement.kind != profile.object) {
    return Error(ErrorCode::kNotAuthentic, "the TPM made a key that " +
                                               (why_not.empty() ? "is of another kind" : why_not) +
                                               ", and no endorsement key");
  }
  if (!pinned || name_of(endorsement) == *pinned) return done();
  return Error(ErrorCode::kNotAuthentic, "this is another TPM: its endorsement key is " +
                                             to_hex(name_of(endorsement)) + ", not " +
                                             to_hex(*pinned))
      .with_hint("a board was exchanged, or something pretends to be its TPM: enrol it anew");
}

Status Tpm::State::find_endorsement_key(const std::optional<Name>& pinned) {
  if (pinned && TRY(take_persistent(*pinned))) return done();
  return make_endorsement_key(pinned);
}

// Nothing secret goes in, and who answers is checked by name. The endorsement hierarchy's password,
// if there is one, goes as an HMAC: before the endorsement key is there, no session can be salted.
Result<PublicArea> Tpm::State::make_primary(const TPM2B_PUBLIC& wanted, Loaded& handle) {
  const TPM2B_SENSITIVE_CREATE sensitive{};
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION pcrs{};
  TRY(authorize(Hierarchy::kEndorsement));
  Loaded session;
  if (has_password(Hierarchy::kEndorsement)) session = TRY(hmac_session());
  const ESYS_TR authority = session.get() == ESYS_TR_NONE ? ESYS_TR_PASSWORD : session.get();
  ESYS_TR made = ESYS_TR_NONE;
  TPM2B_PUBLIC* given = nullptr;
  const TSS2_RC code = connection->run([&](ESYS_CONTEXT* esys) {
    return Esys_CreatePrimary(esys, ESYS_TR_RH_ENDORSEMENT, authority, ESYS_TR_NONE, ESYS_TR_NONE,
                              &sensitive, &wanted, &outside, &pcrs, &made, &given, nullptr, nullptr,
                              nullptr);
  });
  if (without_place(code) == TPM2_RC_VALUE) {
    return Error(ErrorCode::kUnsupported, "the TPM makes no keys of this kind");
  }
  if (code != TSS2_RC_SUCCESS) return Connection::failed("make a primary key", code);
  handle = Loaded(connection, made);
  const Given<TPM2B_PUBLIC> made_area(given);
  return from_tss(*made_area);
}

Result<PublicArea> Tpm::State::make_attestation_key(Loaded& handle) {
  PublicArea out = TRY(make_primary(TRY(to_tss(attestation_p256())), handle));
  if (is_attestation_key(out)) return out;
  return Error(ErrorCode::kNotAuthentic, "the TPM made another key than it was told to");
}

Result<Loaded> Tpm::State::start_session(TPM2_SE type, TPMA_SESSION attributes,
                                         TPMI_ALG_HASH hash) {
  static constexpr TPMT_SYM_DEF kCipher = session_cipher();
  ESYS_TR handle = ESYS_TR_NONE;
  TRY(connection->call("start a session", [&](ESYS_CONTEXT* esys) {
    return Esys_StartAuthSession(esys, endorsement_handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 ESYS_TR_NONE, nullptr, type, &kCipher, hash, &handle);
  }));
  Loaded session(connection, handle);
  TRY(connection->call("set up a session", [&](ESYS_CONTEXT* esys) {
    return Esys_TRSess_SetAttributes(
        esys, handle, static_cast<TPMA_SESSION>(attributes | TPMA_SESSION_CONTINUESESSION), 0xff);
  }));
  return session;
}

// By policy even where the key's own, empty, password would do: keys with a password are locked
// with all others when somebody guesses at one of them.
Result<Loaded> Tpm::State::endorsement_session(TPMA_SESSION attributes) {
  const crypto::HashAlgorithm hash = name_hash(endorsement.kind);
  const bool either = endorsement.policy == policy_b(hash);
  const bool known = either || endorsement.policy == policy_a(hash);
  const bool locked = has_password(Hierarchy::kEndorsement) && !password;
  if ((endorsement.attributes & kUserWithAuth) != 0 && (!known || locked)) {
    return hmac_session(attributes);
  }
  if (!known) {
    return Error(ErrorCode::kUnsupported, "the TPM's endorsement key has a policy of its maker's");
  }
  TRY(authorize(Hierarchy::kEndorsement));
  const Loaded owner = TRY(hmac_session());
  Loaded session = TRY(start_session(TPM2_SE_POLICY, attributes, algorithm_of(hash)));
  TRY(connection->call("use its endorsement key", [&](ESYS_CONTEXT* esys) {
    return Esys_PolicySecret(esys, ESYS_TR_RH_ENDORSEMENT, session.get(), owner.get(), ESYS_TR_NONE,
                             ESYS_TR_NONE, nullptr, nullptr, nullptr, 0, nullptr, nullptr);
  }));
  if (!either) return session;
  const TPML_DIGEST branches = either_of(policy_a(hash), policy_c(hash));
  TRY(connection->call("use its endorsement key", [&](ESYS_CONTEXT* esys) {
    return Esys_PolicyOR(esys, session.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &branches);
  }));
  return session;
}

void Tpm::ask_no_more() {
  state_->password = nullptr;
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
  return state_->make_attestation_key(unused);
}

}  // namespace sealpack::tpm
