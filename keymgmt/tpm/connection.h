// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/tpm: an ESAPI context and what is loaded through it. No public header
// includes this.

#include <tss2/tss2_esys.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "keymgmt/tpm/tpm.h"

namespace sealpack::tpm {

struct FreeEsys {
  template <typename T>
  void operator()(T* object) const {
    Esys_Free(object);
  }
};
// What an ESAPI call gives back.
template <typename T>
using Given = std::unique_ptr<T, FreeEsys>;

// Format-one response codes without the number of the parameter, handle or session they are about,
// and without the layer: a resource manager passes on what the TPM said as its own.
TSS2_RC without_place(TSS2_RC code);
// Whether the TPM has something else to do for a while, and the same command may work later.
bool is_busy(TSS2_RC code);

class Connection {
 public:
  static Result<std::shared_ptr<Connection>> open(const std::string& tcti);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  ESYS_CONTEXT* esys() const { return esys_; }
  const Tpm::Time& time() const { return time_; }

  // Runs a call of ESAPI on the clock; again after a while, for some seconds, while the TPM tests
  // itself or is busy otherwise.
  template <typename Call>
  TSS2_RC run(const Call& call) {
    TSS2_RC code = TSS2_RC_SUCCESS;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const auto start = std::chrono::steady_clock::now();
      code = call(esys_);
      const auto passed = std::chrono::steady_clock::now() - start;
      time_.nanoseconds += static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count());
      ++time_.calls;
      if (!is_busy(code)) break;
      if (attempt + 1 < kAttempts) std::this_thread::sleep_for(kFirstWait * (1 << attempt));
    }
    return code;
  }
  template <typename Call>
  Status call(const char* what, const Call& call) {
    const TSS2_RC code = run(call);
    if (code == TSS2_RC_SUCCESS) return done();
    return failed(what, code);
  }
  static Error failed(const char* what, TSS2_RC code);
  // Of the public area that ESAPI has for a handle.
  Result<Name> name_of(ESYS_TR handle);

 private:
  static constexpr int kAttempts = 10;
  static constexpr std::chrono::milliseconds kFirstWait{10};  // 5 seconds in all
  Connection() = default;
  TSS2_TCTI_CONTEXT* tcti_ = nullptr;
  ESYS_CONTEXT* esys_ = nullptr;
  Tpm::Time time_;
};

// Something loaded into the TPM: an object or a session. Taken out of it when destroyed; there is
// room for few, and no resource manager may be there to help.
class Loaded {
 public:
  Loaded() = default;
  Loaded(std::shared_ptr<Connection> connection, ESYS_TR handle)
      : connection_(std::move(connection)), handle_(handle) {}
  Loaded(Loaded&& other) noexcept
      : connection_(std::move(other.connection_)),
        handle_(std::exchange(other.handle_, ESYS_TR_NONE)) {}
  Loaded& operator=(Loaded&& other) noexcept {
    std::swap(connection_, other.connection_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Loaded() {
    if (handle_ == ESYS_TR_NONE) return;
    (void)connection_->run([&](ESYS_CONTEXT* esys) { return Esys_FlushContext(esys, handle_); });
  }
  ESYS_TR get() const { return handle_; }

 private:
  std::shared_ptr<Connection> connection_;
  ESYS_TR handle_ = ESYS_TR_NONE;
};

// ---- conversions between our types and those of tpm2-tss

// kMalformed unless tpm2-tss reads it.
Result<TPM2B_PUBLIC> to_tss(const PublicArea& area);
Result<PublicArea> from_tss(const TPM2B_PUBLIC& area);
TPML_PCR_SELECTION to_tss(PcrMask mask);

// `to` is one of the TPM2B structures of tpm2-tss.
template <typename Sized>
Result<Sized> sized_of(Bytes bytes, const char* what) {
  Sized out{};
  auto& room = out;
  constexpr std::size_t kRoom = sizeof(Sized) - sizeof(UINT16);
  if (bytes.size() > kRoom) {
    return Error(ErrorCode::kMalformed, std::string(what) + " of " + std::to_string(bytes.size()) +
                                            " bytes, at most " + std::to_string(kRoom));
  }
  room.size = static_cast<UINT16>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::uint8_t*>(&room) + sizeof(UINT16));
  return out;
}
template <typename Sized>
Bytes bytes_of(const Sized& sized) {
  return {reinterpret_cast<const std::uint8_t*>(&sized) + sizeof(UINT16), sized.size};
}

struct Tpm::State {
  State() = default;
  ~State();  // wipes the passwords that tpm2-tss has
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  std::shared_ptr<Connection> connection;
  PasswordSource password;
  EndorsementKind kind{};
  PublicArea endorsement;
  Loaded endorsement_transient;  // unless it is kept in the TPM
  ESYS_TR endorsement_handle = ESYS_TR_NONE;
  std::uint64_t firmware = 0;
  std::string maker;
  std::uint32_t permanent = 0;   // TPMA_PERMANENT
  std::uint32_t authorized = 0;  // those bits of it whose password was given

  Status read_properties();
  // Gives the hierarchy's password, if it has one, to the sessions that follow.
  Status authorize(Hierarchy hierarchy);
  bool has_password(Hierarchy hierarchy) const;

  Status find_endorsement_key(const std::optional<Name>& pinned);
  Result<bool> take_persistent(const Name& pinned);
  // Made as the TCG says, or else as the TPM's own template or nonce says.
  Status make_endorsement_key(const std::optional<Name>& pinned);
  Result<PublicArea> make_primary(const TPM2B_PUBLIC& wanted, Loaded& handle);
  Result<PublicArea> make_attestation_key(Loaded& handle);
  Result<TPM2B_PUBLIC> own_template(bool& there);

  // Salted with the endorsement key and encrypting what `attributes` say (TPMA_SESSION_DECRYPT:
  // what goes in, TPMA_SESSION_ENCRYPT: what comes out).
  Result<Loaded> start_session(TPM2_SE type, TPMA_SESSION attributes,
                               TPMI_ALG_HASH hash = TPM2_ALG_SHA256);
  Result<Loaded> hmac_session(TPMA_SESSION attributes = 0) {
    return start_session(TPM2_SE_HMAC, attributes);
  }
  // One that may use the endorsement key.
  Result<Loaded> endorsement_session(TPMA_SESSION attributes);
  // What an NV index holds; nullopt where there is none.
  Result<std::optional<ByteVector>> read_index(std::uint32_t index);
  // A session in which the TPM's answers are authentic, for commands that need no authorization
  // too.
  Result<Loaded> audit_session() { return hmac_session(TPMA_SESSION_AUDIT); }
  // The NV index of a counter of ours, as the TPM describes it in `session`, an audit_session().
  // Unwritten: defining it was cut off. kRefused where another index has its place.
  enum class CounterState { kMissing, kUnwritten, kReady };
  struct CounterHandle {
    CounterState state = CounterState::kMissing;
    ESYS_TR handle = ESYS_TR_NONE;
  };
  Result<CounterHandle> find_counter(std::uint32_t index, const Loaded& session);
  Result<Loaded> run_policy(const PolicyRun& policy);
  Status policy_nv(const Loaded& session, const PolicyRun::NvStep& step);
  Status policy_authorize(const Loaded& session, const PolicyRun& policy);
  Result<Quote> quote_by(ESYS_TR key, PcrMask mask, Bytes qualifying);
};

struct Tpm::Object::Handle {
  Loaded loaded;
};

}  // namespace sealpack::tpm
