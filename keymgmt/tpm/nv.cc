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

Error lost_counter() {
  return Error(ErrorCode::kRefused, "the TPM has lost its counter");
}

// Defined, with no value yet.
Result<ESYS_TR> define_index(Connection& connection, std::uint32_t index, const Loaded& session) {
  const ByteVector bytes = serialize_nv_public({index, false});
  TPM2B_NV_PUBLIC area{};
  std::size_t offset = 0;
  if (Tss2_MU_TPMS_NV_PUBLIC_Unmarshal(bytes.data(), bytes.size(), &offset, &area.nvPublic) !=
      TSS2_RC_SUCCESS) {
    return Error(ErrorCode::kInternal, "tpm2-tss does not take our NV index");
  }
  area.size = static_cast<UINT16>(bytes.size());
  const TPM2B_AUTH no_authorization{};
  ESYS_TR handle = ESYS_TR_NONE;
  TRY(connection.call("define a counter", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_DefineSpace(esys, ESYS_TR_RH_OWNER, session.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                               &no_authorization, &area, &handle);
  }));
  return handle;
}

}  // namespace

// Where the power failed between the two steps, the first is not done again.
Status Tpm::define_counter(std::uint32_t index) {
  using CounterState = State::CounterState;
  State::CounterHandle counter = TRY(state_->find_counter(index, TRY(state_->audit_session())));
  if (counter.state != CounterState::kUnwritten) TRY(state_->authorize(Hierarchy::kOwner));
  const Loaded session = TRY(state_->hmac_session());
  if (counter.state != CounterState::kUnwritten) {
    counter.handle = TRY(define_index(*state_->connection, index, session));
  }
  return state_->connection->call("start a counter", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_Increment(esys, counter.handle, counter.handle, session.get(), ESYS_TR_NONE,
                             ESYS_TR_NONE);
  });
}

Result<Tpm::State::CounterHandle> Tpm::State::find_counter(std::uint32_t index,
                                                           const Loaded& session) {
  CounterHandle out;
  const TSS2_RC found = connection->run([&](ESYS_CONTEXT* esys) {
    return Esys_TR_FromTPMPublic(esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 &out.handle);
  });
  if (without_place(found) == TPM2_RC_HANDLE) return out;
  if (found != TSS2_RC_SUCCESS) return Connection::failed("find a counter", found);
  // That answer is anybody's. This one is the TPM's, and there is none where ESAPI was told another
  // name before: it puts that name into the command, and the TPM compares.
  TPM2B_NAME* given = nullptr;
  TRY(connection->call("name a counter", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_ReadPublic(esys, out.handle, session.get(), ESYS_TR_NONE, ESYS_TR_NONE, nullptr,
                              &given);
  }));
  const Given<TPM2B_NAME> name(given);
  const Name theirs(name->name, name->name + name->size);
  if (theirs == name_of(CounterIndex{index, true})) {
    out.state = CounterState::kReady;
  } else if (theirs == name_of(CounterIndex{index, false})) {
    out.state = CounterState::kUnwritten;
  } else {
    return other_index(index);
  }
  return out;
}

Status Tpm::remove_counter(std::uint32_t index) {
  const State::CounterHandle counter =
      TRY(state_->find_counter(index, TRY(state_->audit_session())));
  if (counter.state == State::CounterState::kMissing) return done();
  TRY(state_->authorize(Hierarchy::kOwner));
  const Loaded session = TRY(state_->hmac_session());
  return state_->connection->call("remove a counter", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_UndefineSpace(esys, ESYS_TR_RH_OWNER, counter.handle, session.get(),
                                 ESYS_TR_NONE, ESYS_TR_NONE);
  });
}

Result<std::optional<std::uint64_t>> Tpm::read_counter(std::uint32_t index) {
  const Loaded session = TRY(state_->audit_session());
  const State::CounterHandle counter = TRY(state_->find_counter(index, session));
  if (counter.state != State::CounterState::kReady) return std::optional<std::uint64_t>();
  TPM2B_MAX_NV_BUFFER* given = nullptr;
  TRY(state_->connection->call("read a counter", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_Read(esys, counter.handle, counter.handle, session.get(), ESYS_TR_NONE,
                        ESYS_TR_NONE, 8, 0, &given);
  }));
  const Given<TPM2B_MAX_NV_BUFFER> value(given);
  if (value->size != 8) return Error(ErrorCode::kIo, "TPM: a counter without 8 bytes");
  std::uint64_t number = 0;
  for (const BYTE byte : bytes_of(*value)) number = number << 8U | byte;
  return std::optional<std::uint64_t>(number);
}

Status Tpm::increment_counter(std::uint32_t index) {
  const Loaded session = TRY(state_->audit_session());
  const State::CounterHandle counter = TRY(state_->find_counter(index, session));
  if (counter.state != State::CounterState::kReady) return lost_counter();
  return state_->connection->call("increment a counter", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_Increment(esys, counter.handle, counter.handle, session.get(), ESYS_TR_NONE,
                             ESYS_TR_NONE);
  });
}

}  // namespace sealpack::tpm
