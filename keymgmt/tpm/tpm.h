// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "keymgmt/crypto/secret_bytes.h"
#include "keymgmt/tpm/counter_proof.h"
#include "keymgmt/tpm/endorsement.h"
#include "keymgmt/tpm/policy_digest.h"
#include "keymgmt/tpm/protect.h"

// A TPM 2.0, reached through tpm2-tss. Secrets, and answers that decisions rest on, cross to it in
// sessions salted with its endorsement key, so that who sits on the wire (the bus of a discrete
// TPM) neither reads nor forges them, as long as the caller pins that key.
namespace sealpack::tpm {

// What of the TPM may have a password that its owner set.
enum class Hierarchy { kOwner, kEndorsement };
const char* to_string(Hierarchy hierarchy);  // "owner"
// Asked only where there is one, and at most once a hierarchy.
using PasswordSource = std::function<Result<crypto::SecretBytes>(Hierarchy)>;

struct TpmOptions {
  // A way to it that tpm2-tss knows: "device:/dev/tpmrm0", "tabrmd", "swtpm:path=S",
  // "swtpm:host=H,port=P"; empty: device:/dev/tpmrm0.
  std::string tcti;
  EndorsementKind endorsement = EndorsementKind::kP256;
  // The endorsement key that must be there. Without it whoever answers is believed: only to enrol,
  // where the vendor proves the key afterwards.
  std::optional<Name> pinned;
  PasswordSource password = {};  // none: a TPM that wants one is refused
};

// The kinds of endorsement keys for which the TPM has a certificate of its maker. kIo.
Result<std::vector<EndorsementKind>> certified_kinds(const std::string& tcti);
// Extends, of the SHA-256 bank, those PCRs of the mask that are zero; without a session, so that it
// needs no key and no room in the TPM. kIo; kNotAuthentic where one stays zero.
Status extend_zero_pcrs(const std::string& tcti, PcrMask mask, const Digest& value);

struct Quote {
  ByteVector quoted;     // TPMS_ATTEST
  ByteVector signature;  // TPMT_SIGNATURE
  std::vector<PcrValue> values;
};

// One connection; for one thread. All calls: kIo when the TPM does not answer, kTryAgain when it is
// busy or locked out, kRefused when a policy does not hold, kUnsupported for commands it lacks.
class Tpm {
 public:
  static Result<std::unique_ptr<Tpm>> open(const TpmOptions& options);
  ~Tpm();  // takes what it loaded out of the TPM
  Tpm(const Tpm&) = delete;
  Tpm& operator=(const Tpm&) = delete;

  // The source of passwords is done with: one that was not given yet is missing from here on.
  void ask_no_more();

  const PublicArea& endorsement_key() const;
  // DER from the NV index where manufacturers put it; nullopt where there is none.
  Result<std::optional<ByteVector>> endorsement_certificate();
  // Those between it and the maker's root, from NV indices 0x01c00100 on; none on most TPMs.
  Result<std::vector<ByteVector>> endorsement_chain();
  // A key that signs quotes alone; the same at every call, made again from the TPM's seed.
  Result<PublicArea> attestation_key();
  std::uint64_t firmware_version() const;
  const std::string& manufacturer() const;  // four letters

  Result<std::vector<PcrValue>> read_pcrs(PcrMask mask);
  Status extend_pcr(unsigned index, const Digest& value);
  // By attestation_key(), over at most 64 bytes of `qualifying`. Values and quote agree.
  Result<Quote> quote(PcrMask mask, Bytes qualifying);
  // By a signing key that somebody keeps at a persistent handle and that needs no password.
  Result<Quote> quote_by_kept_key(std::uint32_t handle, PcrMask mask, Bytes qualifying);
  Result<crypto::SecretBytes> activate_credential(const Credential& credential);

  // TPM_RC_NV_DEFINED and the like: kUsage. The counter is written once, so that it has a value.
  Status define_counter(std::uint32_t index);
  Status remove_counter(std::uint32_t index);  // by the owner
  // nullopt where there is no such index; kRefused where there is another one than ours.
  Result<std::optional<std::uint64_t>> read_counter(std::uint32_t index);
  Status increment_counter(std::uint32_t index);
  // By attestation_key(). kRefused where the index is not there.
  Result<CounterProof> prove_counter(std::uint32_t index);

  // What an NV index holds that its own empty password, or the owner, may read; nullopt where there
  // is none. kLimit beyond 64 KiB.
  Result<std::optional<ByteVector>> read_nv(std::uint32_t index);
  // Defined for the owner to read and write where it is not there.
  Status write_nv(std::uint32_t index, Bytes content);

  // TPM2B_PRIVATE of the object under the endorsement key. kKeyUnavailable when it was made for
  // another TPM or is not what it was.
  Result<ByteVector> import(const Duplicate& duplicate, const crypto::SecretBytes& inner_key);

  // An object under the endorsement key that is loaded; taken out when destroyed.
  class Object {
   public:
    Object(Object&&) noexcept;
    Object& operator=(Object&&) noexcept;
    ~Object();

   private:
    friend class Tpm;
    struct Handle;
    explicit Object(std::unique_ptr<Handle> handle);
    std::unique_ptr<Handle> handle_;
  };
  Result<Object> load(const PublicArea& object, Bytes private_part);
  // kRefused where the policy does not hold now.
  Result<crypto::SecretBytes> unseal(const Object& object, const PolicyRun& policy);
  // x coordinate of the shared point; `point` is 0x04 || X || Y.
  Result<crypto::SecretBytes> agree(const Object& object, Bytes point, const PolicyRun& policy);

  // A P-256 key for a KEYREF: made in the TPM, bound to it, used without a policy. `kind` is
  // kAgreeP256 or kSignP256.
  struct Created {
    PublicArea object;
    ByteVector private_part;
  };
  Result<Created> create_key(ObjectKind kind);
  Result<crypto::SecretBytes> agree(const Object& object, Bytes point);
  Result<ByteVector> sign(const Object& object, const Digest& digest);  // r || s

  // Spent inside calls to the TPM, and their number, since it was opened.
  struct Time {
    std::uint64_t nanoseconds = 0;
    std::uint64_t calls = 0;
  };
  Time time() const;

 private:
  struct State;
  explicit Tpm(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sealpack::tpm
