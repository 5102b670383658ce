// SPDX-License-Identifier: Apache-2.0
// What others keep in the TPM's NV memory: certificates, templates, reports.
#include <algorithm>

#include "keymgmt/tpm/connection.h"
#include "keymgmt/tpm/tpm.h"

namespace sealpack::tpm {
namespace {

constexpr std::size_t kPiece = 512;  // no TPM takes less at once
constexpr std::uint32_t kFirstOfChain = 0x01c00100;
constexpr std::uint32_t kLastOfChain = 0x01c001ff;

// Who may do something with an index: it itself, with its empty password, or the owner.
struct Access {
  ESYS_TR index = ESYS_TR_NONE;
  ESYS_TR authority = ESYS_TR_NONE;
  ESYS_TR session = ESYS_TR_PASSWORD;
  std::size_t size = 0;
};

Result<std::optional<ESYS_TR>> find_index(Connection& connection, std::uint32_t index) {
  ESYS_TR handle = ESYS_TR_NONE;
  const TSS2_RC found = connection.run([&](ESYS_CONTEXT* esys) {
    return Esys_TR_FromTPMPublic(esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &handle);
  });
  if (found == TSS2_RC_SUCCESS) return std::optional(handle);
  if (without_place(found) == TPM2_RC_HANDLE) return std::optional<ESYS_TR>();
  return Connection::failed("find an NV index", found);
}

Result<TPMS_NV_PUBLIC> public_of(Connection& connection, ESYS_TR index) {
  TPM2B_NV_PUBLIC* given = nullptr;
  TRY(connection.call("look at an NV index", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_ReadPublic(esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &given,
                              nullptr);
  }));
  const Given<TPM2B_NV_PUBLIC> area(given);
  return area->nvPublic;
}

Result<ByteVector> read_pieces(Connection& connection, const Access& access) {
  ByteVector content;
  while (content.size() < access.size) {
    const auto wanted = static_cast<UINT16>(std::min(kPiece, access.size - content.size()));
    const auto offset = static_cast<UINT16>(content.size());
    TPM2B_MAX_NV_BUFFER* piece = nullptr;
    TRY(connection.call("read an NV index", [&](ESYS_CONTEXT* esys) {
      return Esys_NV_Read(esys, access.authority, access.index, access.session, ESYS_TR_NONE,
                          ESYS_TR_NONE, wanted, offset, &piece);
    }));
    const Given<TPM2B_MAX_NV_BUFFER> read(piece);
    if (read->size == 0) return Error(ErrorCode::kIo, "TPM: an NV index ends early");
    const Bytes bytes = bytes_of(*read);
    content.insert(content.end(), bytes.begin(), bytes.end());
  }
  return content;
}

// Handles of NV indices from `first` to `last` that are there.
Result<std::vector<std::uint32_t>> indices_between(Connection& connection, std::uint32_t first,
                                                   std::uint32_t last) {
  std::vector<std::uint32_t> out;
  TPMI_YES_NO more = TPM2_YES;
  while (more == TPM2_YES && first <= last) {
    TPMS_CAPABILITY_DATA* given = nullptr;
    TRY(connection.call("list its NV indices", [&](ESYS_CONTEXT* esys) {
      return Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
                                first, TPM2_MAX_CAP_HANDLES, &more, &given);
    }));
    const Given<TPMS_CAPABILITY_DATA> listed(given);
    const TPML_HANDLE& handles = listed->data.handles;
    if (handles.count == 0) break;
    for (UINT32 i = 0; i < std::min<UINT32>(handles.count, TPM2_MAX_CAP_HANDLES); ++i) {
      if (handles.handle[i] < first || handles.handle[i] > last) return out;
      out.push_back(handles.handle[i]);
      first = handles.handle[i] + 1;
    }
  }
  return out;
}

}  // namespace

Result<std::optional<ByteVector>> Tpm::State::read_index(std::uint32_t index) {
  const auto handle = TRY(find_index(*connection, index));
  if (!handle) return std::optional<ByteVector>();
  const TPMS_NV_PUBLIC area = TRY(public_of(*connection, *handle));
  if ((area.attributes & TPMA_NV_WRITTEN) == 0) return std::optional<ByteVector>();
  Access access{*handle, *handle, ESYS_TR_PASSWORD, area.dataSize};
  Loaded session;
  if ((area.attributes & TPMA_NV_AUTHREAD) == 0) {
    if ((area.attributes & TPMA_NV_OWNERREAD) == 0) {
      return Error(ErrorCode::kRefused,
                   "the TPM lets neither everybody nor its owner read an index");
    }
    TRY(authorize(Hierarchy::kOwner));
    session = TRY(hmac_session());  // a password of the owner's does not cross in the clear
    access.authority = ESYS_TR_RH_OWNER;
    access.session = session.get();
  }
  return std::optional<ByteVector>(TRY(read_pieces(*connection, access)));
}

Result<std::optional<ByteVector>> Tpm::read_nv(std::uint32_t index) {
  return state_->read_index(index);
}

Status Tpm::write_nv(std::uint32_t index, Bytes content) {
  Connection& connection = *state_->connection;
  TRY(state_->authorize(Hierarchy::kOwner));
  auto handle = TRY(find_index(connection, index));
  const Loaded session = TRY(state_->hmac_session());
  if (!handle) {
    TPM2B_NV_PUBLIC area{};
    area.nvPublic.nvIndex = index;
    area.nvPublic.nameAlg = TPM2_ALG_SHA256;
    area.nvPublic.attributes = TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE;
    area.nvPublic.dataSize = static_cast<UINT16>(content.size());
    const TPM2B_AUTH none{};
    ESYS_TR made = ESYS_TR_NONE;
    TRY(connection.call("define an NV index", [&](ESYS_CONTEXT* esys) {
      return Esys_NV_DefineSpace(esys, ESYS_TR_RH_OWNER, session.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                                 &none, &area, &made);
    }));
    handle = made;
  }
  for (std::size_t at = 0; at < content.size(); at += kPiece) {
    const auto piece = TRY(sized_of<TPM2B_MAX_NV_BUFFER>(
        content.subspan(at, std::min(kPiece, content.size() - at)), "NV content"));
    TRY(connection.call("write an NV index", [&](ESYS_CONTEXT* esys) {
      return Esys_NV_Write(esys, ESYS_TR_RH_OWNER, *handle, session.get(), ESYS_TR_NONE,
                           ESYS_TR_NONE, &piece, static_cast<UINT16>(at));
    }));
  }
  return done();
}

Result<std::vector<EndorsementKind>> certified_kinds(const std::string& tcti) {
  const auto connection = TRY(Connection::open(tcti));
  std::vector<EndorsementKind> out;
  for (const EndorsementProfile& profile : endorsement_profiles()) {
    if (TRY(find_index(*connection, profile.certificate))) out.push_back(profile.kind);
  }
  return out;
}

Result<std::optional<ByteVector>> Tpm::endorsement_certificate() {
  const auto content = TRY(state_->read_index(profile_of(state_->kind).certificate));
  if (!content) return std::optional<ByteVector>();
  return std::optional<ByteVector>(TRY(certificate_in_index(*content)));
}

Result<std::vector<ByteVector>> Tpm::endorsement_chain() {
  constexpr std::size_t kMostIndices = 16;
  ByteVector joined;  // a certificate may go on in the index behind
  const auto indices = TRY(indices_between(*state_->connection, kFirstOfChain, kLastOfChain));
  for (std::size_t i = 0; i < std::min(indices.size(), kMostIndices); ++i) {
    const auto content = TRY(state_->read_index(indices[i]));
    if (content) joined.insert(joined.end(), content->begin(), content->end());
  }
  return split_chain(joined);
}

}  // namespace sealpack::tpm
