// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/tpm/connection.h"

#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

namespace sealpack::tpm {
namespace {

constexpr const char* kDefaultTcti = "device:/dev/tpmrm0";

// What the caller of a command can do about its failure.
ErrorCode code_of(TSS2_RC code) {
  const TSS2_RC layer = code & TSS2_RC_LAYER_MASK;
  if (code == TSS2_ESYS_RC_RSP_AUTH_FAILED) return ErrorCode::kNotAuthentic;
  if (layer != TSS2_TPM_RC_LAYER && layer != TSS2_RESMGR_TPM_RC_LAYER) return ErrorCode::kIo;
  switch (without_place(code & ~TSS2_RC_LAYER_MASK)) {
    case TPM2_RC_POLICY_FAIL:
    case TPM2_RC_POLICY:
    case TPM2_RC_AUTH_FAIL:
    case TPM2_RC_BAD_AUTH:
    case TPM2_RC_AUTH_UNAVAILABLE:
    case TPM2_RC_AUTH_TYPE:
    case TPM2_RC_SIGNATURE:
      return ErrorCode::kRefused;
    case TPM2_RC_INTEGRITY:
    case TPM2_RC_BINDING:
      return ErrorCode::kKeyUnavailable;
    case TPM2_RC_LOCKOUT:
    case TPM2_RC_PCR_CHANGED:
    case TPM2_RC_RETRY:
    case TPM2_RC_YIELDED:
    case TPM2_RC_TESTING:
    case TPM2_RC_NV_RATE:
    case TPM2_RC_NV_UNAVAILABLE:
      return ErrorCode::kTryAgain;
    case TPM2_RC_COMMAND_CODE:
    case TPM2_RC_CURVE:
    case TPM2_RC_ASYMMETRIC:
      return ErrorCode::kUnsupported;
    case TPM2_RC_NV_DEFINED:
      return ErrorCode::kUsage;
    default:
      return ErrorCode::kIo;
  }
}

}  // namespace

TSS2_RC without_place(TSS2_RC code) {
  constexpr TSS2_RC kFormatOne = 0x080;
  constexpr TSS2_RC kPlace = 0xf40;
  return (code & kFormatOne) != 0 ? code & ~kPlace : code;
}

Error Connection::failed(const char* what, TSS2_RC code) {
  Error error(code_of(code), std::string("TPM: cannot ") + what + ": " + Tss2_RC_Decode(code));
  if (without_place(code) == TPM2_RC_LOCKOUT) {
    return std::move(error).with_hint(
        "the TPM is in its dictionary attack lockout, from something other than sealpack, whose "
        "objects cannot cause it: wait, or have its owner reset it");
  }
  return error;
}

Result<std::shared_ptr<Connection>> Connection::open(const std::string& tcti) {
  std::shared_ptr<Connection> out(new Connection());
  const std::string name = tcti.empty() ? kDefaultTcti : tcti;
  TSS2_RC code = Tss2_TctiLdr_Initialize(name.c_str(), &out->tcti_);
  if (code == TSS2_RC_SUCCESS) code = Esys_Initialize(&out->esys_, out->tcti_, nullptr);
  if (code != TSS2_RC_SUCCESS) {
    return Error(ErrorCode::kIo,
                 "cannot reach the TPM " + printable(name) + ": " + Tss2_RC_Decode(code))
        .with_hint("name it as tpm2-tss does: device:/dev/tpmrm0, swtpm:path=SOCKET");
  }
  return out;
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
