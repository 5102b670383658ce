// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/tpm/connection.h"

#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#include <algorithm>

namespace sealpack::tpm {
namespace {

constexpr const char* kDefaultTcti = "device:/dev/tpmrm0";
constexpr std::string_view kTctis[] = {"device", "swtpm", "tabrmd"};

// What the caller of a command can do about its failure.
struct Advice {
  TSS2_RC code;
  ErrorCode error;
  const char* hint;
};
constexpr const char* kNoRoom =
    "something else left keys or sessions in the TPM: reach it through a resource manager "
    "(device:/dev/tpmrm0), or restart the machine";
constexpr const char* kBusy = "the TPM stayed busy for seconds: try again";
constexpr Advice kAdvice[] = {
    {TPM2_RC_POLICY_FAIL, ErrorCode::kRefused, ""},
    {TPM2_RC_POLICY, ErrorCode::kRefused, ""},
    {TPM2_RC_AUTH_FAIL, ErrorCode::kRefused, "the password is another one"},
    {TPM2_RC_BAD_AUTH, ErrorCode::kRefused, "the password is another one"},
    {TPM2_RC_AUTH_UNAVAILABLE, ErrorCode::kRefused, ""},
    {TPM2_RC_AUTH_TYPE, ErrorCode::kRefused, ""},
    {TPM2_RC_SIGNATURE, ErrorCode::kRefused, ""},
    {TPM2_RC_INTEGRITY, ErrorCode::kKeyUnavailable, ""},
    {TPM2_RC_BINDING, ErrorCode::kKeyUnavailable, ""},
    {TPM2_RC_LOCKOUT, ErrorCode::kTryAgain,
     "the TPM is in its dictionary attack lockout, from something other than sealpack, whose "
     "objects cannot cause it: wait, or have its owner reset it"},
    {TPM2_RC_PCR_CHANGED, ErrorCode::kTryAgain, ""},
    {TPM2_RC_RETRY, ErrorCode::kTryAgain, kBusy},
    {TPM2_RC_YIELDED, ErrorCode::kTryAgain, kBusy},
    {TPM2_RC_TESTING, ErrorCode::kTryAgain, "the TPM tests itself: try again"},
    {TPM2_RC_NV_RATE, ErrorCode::kTryAgain, "the TPM protects its memory from wear: try again"},
    {TPM2_RC_NV_UNAVAILABLE, ErrorCode::kTryAgain, kBusy},
    {TPM2_RC_OBJECT_MEMORY, ErrorCode::kTryAgain, kNoRoom},
    {TPM2_RC_SESSION_MEMORY, ErrorCode::kTryAgain, kNoRoom},
    {TPM2_RC_MEMORY, ErrorCode::kTryAgain, kNoRoom},
    {TPM2_RC_OBJECT_HANDLES, ErrorCode::kTryAgain, kNoRoom},
    {TPM2_RC_SESSION_HANDLES, ErrorCode::kTryAgain, kNoRoom},
    {TPM2_RC_CONTEXT_GAP, ErrorCode::kTryAgain, kNoRoom},
    {TPM2_RC_INITIALIZE, ErrorCode::kIo,
     "nobody started the TPM since it was powered (TPM2_Startup): firmware or kernel do that"},
    {TPM2_RC_FAILURE, ErrorCode::kIo,
     "the TPM failed its self test: restart the machine; if it stays so, the TPM is broken"},
    {TPM2_RC_NV_SPACE, ErrorCode::kLimit, "the TPM's NV memory is full: its owner can make room"},
    {TPM2_RC_COMMAND_CODE, ErrorCode::kUnsupported, "the TPM lacks this command"},
    {TPM2_RC_HASH, ErrorCode::kUnsupported, ""},
    {TPM2_RC_SYMMETRIC, ErrorCode::kUnsupported, ""},
    {TPM2_RC_CURVE, ErrorCode::kUnsupported, ""},
    {TPM2_RC_ASYMMETRIC, ErrorCode::kUnsupported, ""},
    {TPM2_RC_KEY_SIZE, ErrorCode::kUnsupported, ""},
    {TPM2_RC_NV_DEFINED, ErrorCode::kUsage, ""},
};

bool said_by_tpm(TSS2_RC code) {
  const TSS2_RC layer = code & TSS2_RC_LAYER_MASK;
  return layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER;
}

Advice advice_for(TSS2_RC code) {
  if (code == TSS2_ESYS_RC_RSP_AUTH_FAILED) return {code, ErrorCode::kNotAuthentic, ""};
  if (said_by_tpm(code)) {
    for (const Advice& advice : kAdvice) {
      if (advice.code == without_place(code)) return advice;
    }
  }
  return {code, ErrorCode::kIo, ""};
}

// Names are opened as shared libraries: none but those that are known.
Status check_tcti(const std::string& name) {
  std::string_view kind = std::string_view(name).substr(0, name.find(':'));
  if (std::find(std::begin(kTctis), std::end(kTctis), kind) != std::end(kTctis)) return done();
  return Error(ErrorCode::kUsage, printable(name) + " names no way to a TPM")
      .with_hint(
          "device:/dev/tpmrm0, tabrmd (its daemon), swtpm:path=SOCKET or swtpm:host=H,port=P");
}

}  // namespace

TSS2_RC without_place(TSS2_RC code) {
  constexpr TSS2_RC kFormatOne = 0x080;
  constexpr TSS2_RC kPlace = 0xf40;
  code &= ~TSS2_RC_LAYER_MASK;
  return (code & kFormatOne) != 0 ? code & ~kPlace : code;
}

bool is_busy(TSS2_RC code) {
  if (!said_by_tpm(code)) return false;
  const TSS2_RC said = without_place(code);
  return said == TPM2_RC_RETRY || said == TPM2_RC_YIELDED || said == TPM2_RC_TESTING ||
         said == TPM2_RC_NV_RATE;
}

Error Connection::failed(const char* what, TSS2_RC code) {
  const Advice advice = advice_for(code);
  Error error(advice.error, std::string("TPM: cannot ") + what + ": " + Tss2_RC_Decode(code));
  if (*advice.hint == '\0') return error;
  return std::move(error).with_hint(advice.hint);
}

Result<std::shared_ptr<Connection>> Connection::open(const std::string& tcti) {
  std::shared_ptr<Connection> out(new Connection());
  const std::string name = tcti.empty() ? kDefaultTcti : tcti;
  TRY(check_tcti(name));
  TSS2_RC code = Tss2_TctiLdr_Initialize(name.c_str(), &out->tcti_);
  if (code == TSS2_RC_SUCCESS) code = Esys_Initialize(&out->esys_, out->tcti_, nullptr);
  if (code != TSS2_RC_SUCCESS) {
    return Error(ErrorCode::kIo,
                 "cannot reach the TPM " + printable(name) + ": " + Tss2_RC_Decode(code))
        .with_hint(
            "name it as tpm2-tss does: device:/dev/tpmrm0, tabrmd, swtpm:path=SOCKET; it loads "
            "libtss2-tcti-NAME, and the device is for group tss or root; swtpm listens on SOCKET "
            "and its control channel on SOCKET.ctrl (docs/PROVISIONING.md)");
  }
  return out;
}

Result<Name> Connection::name_of(ESYS_TR handle) {
  TPM2B_NAME* given = nullptr;
  TRY(call("name what it has",
           [&](ESYS_CONTEXT* esys) { return Esys_TR_GetName(esys, handle, &given); }));
  const Given<TPM2B_NAME> name(given);
  return Name(name->name, name->name + name->size);
}

Connection::~Connection() {
  if (esys_ != nullptr) Esys_Finalize(&esys_);
  if (tcti_ != nullptr) Tss2_TctiLdr_Finalize(&tcti_);
}

Result<TPM2B_PUBLIC> to_tss(const PublicArea& area) {
  const ByteVector bytes = serialize_public(area);
  TPM2B_PUBLIC out{};
  std::size_t offset = 0;
  if (Tss2_MU_TPMT_PUBLIC_Unmarshal(bytes.data(), bytes.size(), &offset, &out.publicArea) !=
          TSS2_RC_SUCCESS ||
      offset != bytes.size()) {
    return Error(ErrorCode::kMalformed, "tpm2-tss does not take this public area");
  }
  out.size = static_cast<UINT16>(bytes.size());
  return out;
}

Result<PublicArea> from_tss(const TPM2B_PUBLIC& area) {
  ByteVector bytes(sizeof(TPMT_PUBLIC));
  std::size_t size = 0;
  if (Tss2_MU_TPMT_PUBLIC_Marshal(&area.publicArea, bytes.data(), bytes.size(), &size) !=
      TSS2_RC_SUCCESS) {
    return Error(ErrorCode::kMalformed, "the TPM gave a public area that cannot be written");
  }
  bytes.resize(size);
  return parse_public(bytes);
}

TPML_PCR_SELECTION to_tss(PcrMask mask) {
  TPML_PCR_SELECTION out{};
  out.count = 1;
  out.pcrSelections[0].hash = TPM2_ALG_SHA256;
  out.pcrSelections[0].sizeofSelect = 3;
  for (unsigned i = 0; i < 3; ++i) {
    out.pcrSelections[0].pcrSelect[i] = static_cast<BYTE>(mask >> (8 * i));
  }
  return out;
}

}  // namespace sealpack::tpm
