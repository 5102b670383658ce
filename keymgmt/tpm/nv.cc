// SPDX-License-Identifier: Apache-2.0
// Counters that only go up.
#include <tss2/tss2_mu.h>

#include "keymgmt/tpm/connection.h"
#include "keymgmt/tpm/tpm.h"

namespace sealpack::tpm {
namespace {

Error other_index(std::uint32_t index) {
  return Error(ErrorCode::kRefused, "NV index 0x" +
                                        to_hex(ByteVector{static_cast<std::uint8_t>(index >> 24U),
                                                          static_cast<std::uint8_t>(index >> 16U),
                                                          static_cast<std::uint8_t>(index >> 8U),
                                                          static_cast<std::uint8_t>(index)}) +
                                        " is not the counter that sealpack defines")
      .with_hint("something else uses this index: choose another one when you enrol");
}

}  // namespace

Status Tpm::define_counter(std::uint32_t index) {
  const ByteVector bytes = serialize_nv_public({index, false});
  TPM2B_NV_PUBLIC area{};
  std::size_t offset = 0;
  if (Tss2_MU_TPMS_NV_PUBLIC_Unmarshal(bytes.data(), bytes.size(), &offset, &area.nvPublic) !=
      TSS2_RC_SUCCESS) {
    return Error(ErrorCode::kInternal, "tpm2-tss does not take our NV index");
  }
  area.size = static_cast<UINT16>(bytes.size());
  TRY(state_->authorize(Hierarchy::kOwner));
  const TPM2B_AUTH no_authorization{};
  const Loaded session = TRY(state_->hmac_session());
  ESYS_TR handle = ESYS_TR_NONE;
  TRY(state_->connection->call("define a counter", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_DefineSpace(esys, ESYS_TR_RH_OWNER, session.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                               &no_authorization, &area, &handle);
  }));
  return state_->connection->call("start a counter", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_Increment(esys, handle, handle, session.get(), ESYS_TR_NONE, ESYS_TR_NONE);
  });
}

Result<ESYS_TR> Tpm::State::nv_handle(std::uint32_t index, bool& there) {
  ESYS_TR handle = ESYS_TR_NONE;
  const TSS2_RC found = connection->run([&](ESYS_CONTEXT* esys) {
    return Esys_TR_FromTPMPublic(esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &handle);
  });
  there = found == TSS2_RC_SUCCESS;
  if (there) {
    // ESAPI puts the name that it was told into the authorization, so that a lie about the index
    // makes every later use of it fail.
    TPM2B_NAME* given = nullptr;
    TRY(connection->call("name a counter", [&](ESYS_CONTEXT* esys) {
      return Esys_TR_GetName(esys, handle, &given);
    }));
    const Given<TPM2B_NAME> name(given);
    const Name ours = name_of(CounterIndex{index, true});
    const Bytes theirs(name->name, name->size);
    if (!std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end())) {
      return other_index(index);
    }
    return handle;
  }
  if (without_place(found) == TPM2_RC_HANDLE) return handle;
  return Connection::failed("find a counter", found);
}

Status Tpm::remove_counter(std::uint32_t index) {
  bool there = false;
  const ESYS_TR handle = TRY(state_->nv_handle(index, there));
  if (!there) return done();
  TRY(state_->authorize(Hierarchy::kOwner));
  const Loaded session = TRY(state_->hmac_session());
  return state_->connection->call("remove a counter", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_UndefineSpace(esys, ESYS_TR_RH_OWNER, handle, session.get(), ESYS_TR_NONE,
                                 ESYS_TR_NONE);
  });
}

Result<std::optional<std::uint64_t>> Tpm::read_counter(std::uint32_t index) {
  bool there = false;
  const ESYS_TR handle = TRY(state_->nv_handle(index, there));
  if (!there) return std::optional<std::uint64_t>();
  const Loaded session = TRY(state_->hmac_session());
  TPM2B_MAX_NV_BUFFER* given = nullptr;
  TRY(state_->connection->call("read a counter", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_Read(esys, handle, handle, session.get(), ESYS_TR_NONE, ESYS_TR_NONE, 8, 0,
                        &given);
  }));
  const Given<TPM2B_MAX_NV_BUFFER> value(given);
  if (value->size != 8) return Error(ErrorCode::kIo, "TPM: a counter without 8 bytes");
  std::uint64_t number = 0;
  for (const BYTE byte : bytes_of(*value)) number = number << 8U | byte;
  return std::optional<std::uint64_t>(number);
}

Status Tpm::increment_counter(std::uint32_t index) {
  bool there = false;
  const ESYS_TR handle = TRY(state_->nv_handle(index, there));
  if (!there) return Error(ErrorCode::kRefused, "the TPM has lost its counter");
  const Loaded session = TRY(state_->hmac_session());
  return state_->connection->call("increment a counter", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_Increment(esys, handle, handle, session.get(), ESYS_TR_NONE, ESYS_TR_NONE);
  });
}

}  // namespace sealpack::tpm
