// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "runtime-loader/core/counter_store.h"
#include "runtime-loader/core/grant.h"
#include "runtime-loader/core/launch.h"
#include "runtime-loader/core/receipt.h"
#include "runtime-loader/core/refusal.h"
#include "runtime-loader/core/sealed_spill.h"
#include "runtime-loader/nn/services.h"
#include "runtime-loader/nn/tensor.h"
#include "unpacker/core/bundle.h"

// Bundles opened and models run under one launch configuration. Used directly by the C ABI and by
// Machine. No files, threads, clock or random numbers of its own: Services.
namespace sealpack::loader {

// Number of a bundle in a session, chosen by the caller.
using BundleId = std::uint32_t;

// Evidence about this TEE. The process backend has a simulated one; real ones come with
// attestation.
class EvidenceCollector {
 public:
  virtual ~EvidenceCollector() = default;
  // Evidence that binds exactly `report_data`: report_data_for(Backend::tee, what it vouches for).
  virtual Result<ByteVector> collect(Bytes report_data) = 0;
};

// What the backend is.
struct Backend {
  std::string tee = "none";  // "none", "simulated", "sev-snp", …: as in a release's policy
  Digest measurement;
  // The host has the keys anyway (SIMULATED, in-process): grants may be unsigned, and open only
  // releases that do not require attestation.
  bool host_holds_keys = false;
  // Hardware releases keys to this measured environment and to no other: attested slots for them
  // open here.
  bool device_keys = false;
};

struct Services {
  nn::Memory& memory;
  CounterStore& counters;
  HostMemory* spill = nullptr;              // room outside for activations that do not fit
  EvidenceCollector* evidence = nullptr;    // none: key requests carry no evidence
  nn::Workers& workers = nn::no_workers();  // count() is the number of threads that compute
  nn::Background& background = nn::no_background();
  // Seconds since any start, that go on while the machine sleeps and never go back. None: leases
  // are refused, for nobody could say when they end.
  std::function<std::uint64_t()> seconds = {};
  // The key that hardware released to this environment, where Backend::device_keys says so.
  const crypto::Decryptor* device_key = nullptr;
};

struct AddBundle {
  std::string owner;           // names an Owner of the launch configuration
  std::string role = "model";  // 1 to 64 bytes of a-z, 0-9, '-'
  unpacker::Clock host_time;   // may expire a bundle, never extend it
};

struct LoadOptions {
  std::string model;  // path of the graph among several; empty: the only one
  std::map<std::string, nn::Shape, std::less<>> input_shapes;
  // Bytes of Services::memory for this model with its inputs and answers; the launch configuration
  // may say less.
  std::uint64_t memory_limit = ~std::uint64_t{0};
  bool may_spill = true;
};

struct Port {
  std::string name;
  nn::TensorType type;
  bool operator==(const Port&) const = default;
};

// A model that is ready.
struct ModelInfo {
  std::vector<Port> inputs;   // from the caller
  std::vector<Port> taps;     // inputs that the public part computes
  std::vector<Port> outputs;  // as they leave: shaped by the answer rule
  bool sealed_answers = false;
  std::uint64_t peak = 0;              // bytes of memory while it runs, inputs and answers too
  std::uint64_t unlimited_peak = 0;    // what it would take with no limit
  std::uint64_t least_limit = 0;       // smallest memory_limit that loads
  std::uint64_t resident_weights = 0;  // bytes kept from run to run
  std::uint64_t streamed = 0;          // bytes of weights decrypted again in every run
  bool operator==(const ModelInfo&) const = default;
};

struct InputTensor {
  std::string name;
  nn::TensorType type;
  Bytes bytes;  // read once
};

struct RunCounters {
  std::uint64_t weights_read = 0;  // bytes verified and decrypted in this run
  std::uint64_t spill_stored = 0;
  std::uint64_t spill_loaded = 0;
  std::uint64_t answers_left = 0;  // of the query budget; ~0: not limited
  bool operator==(const RunCounters&) const = default;
};

struct Answer {
  struct Tensor {
    Port port;
    ByteVector bytes;
  };
  std::vector<Tensor> tensors;  // empty when sealed
  ByteVector sealed;            // a sealed output whose plaintext is an Answer message
  RunCounters counters;
};

// All failures: the code and message of what failed; last_refusal() has the stage and number. What
// fails changes nothing, but that an exchange or run under way is over; kTryAgain, from a source
// whose bytes are not there yet, changes nothing at all.
class Session {
 public:
  // kUsage, kMalformed for a configuration that can trust nothing.
  static Result<Session> create(Bytes launch_config, Backend backend, const Services& services);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();  // wipes

  const LaunchConfig& config() const;
  const Digest& launch_digest() const;
  const Backend& backend() const;
  // Key born here, for receipts and sealed outputs.
  const crypto::VerifyingKey& tee_key() const;
  // Evidence that this TEE made tee_key(): over report_data_for(Backend::tee,
  // LP("sealpack/v1/endorse-key") || LP(SPKI)).
  // kUnsupported without a collector.
  Result<ByteVector> endorse_tee_key();
  // What was refused last, for those who tell a host.
  const Refusal& last_refusal() const;

  // Verifies head, signatures, trust, manifest and the backend's counter floor. kUsage for an id
  // that is taken or an owner that is not configured.
  Status add_bundle(BundleId id, std::shared_ptr<const BlockSource> source, const AddBundle& how);

  // Opens a verified bundle with a key that is here: one of the bundle's slots, or one of a grant
  // file. Attested slots do not open by a key that somebody has: kRefused. kKeyUnavailable.
  Status unlock(BundleId id, const crypto::Decryptor& recipient);
  Status unlock(BundleId id, const crypto::WrappingKey& recipient);
  Status unlock_with(BundleId id, const bundle::Slot& slot, const crypto::Decryptor& recipient);
  Status unlock_with(BundleId id, const bundle::Slot& slot, const crypto::WrappingKey& recipient);

  // Opens a verified bundle with a key that hardware released to this environment: attested slots
  // alone, of a release that opens in environments of this type. kUnsupported where the backend has
  // no such keys; kRefused, kKeyUnavailable.
  Status unlock_device(BundleId id, const crypto::Decryptor& device_key);

  // Opens a verified bundle with a key from outside: a request, then its grant. A new request makes
  // the one before void; so does a grant that is refused. For a bundle that a lease opened, the
  // same prolongs the lease; a refusal then leaves it as it was.
  Result<KeyRequest> request_key(BundleId id, Challenge challenge);
  Status accept_grant(BundleId id, const KeyGrant& grant);
  // kRefused when the bundle was opened for a time that is over: then nothing is loaded or run. The
  // time runs from the request on, so that a grant that is held back gains nothing.
  Status check_lease(BundleId id);
  // When that is, by Services::seconds; nullopt: never, or not open.
  std::optional<std::uint64_t> lease_ends_at(BundleId id) const;

  // Null until it is verified, or open. verified() is valid until the bundle is opened or closed,
  // opened() until it is closed; for readers in any thread.
  const unpacker::VerifiedBundle* verified(BundleId id) const;
  const unpacker::OpenBundle* opened(BundleId id) const;

  // The caller found this release good: raises the counter store's floor to it.
  Status confirm(BundleId id);

  // Makes the model of an open bundle ready. kLimit when memory_limit is too small; then
  // last_refusal().number is what would do. Takes down a model loaded before, also when it fails,
  // but keeps the count of answers: the budget is of the opening.
  Result<ModelInfo> load(BundleId id, const LoadOptions& options);
  const ModelInfo* model(BundleId id) const;

  // One run. Inputs and taps in any order, all of them, exactly the types of ModelInfo; floats are
  // finite. Counts against the query budget as soon as it has its inputs.
  Result<Answer> run(BundleId id, std::span<const InputTensor> inputs);

  // The same in pieces. begin_run and add_input copy their inputs; when missing_inputs is empty,
  // advance_run runs a piece: false asks for another call, true ends the run. kTryAgain leaves the
  // run where it was; every other failure ends it.
  Status begin_run(BundleId id, std::span<const InputTensor> inputs);
  std::vector<Port> missing_inputs() const;
  Status add_input(const InputTensor& input);
  Result<bool> advance_run();
  Result<Answer> take_answer();  // after advance_run said true
  void abandon_run();
  bool is_running() const;

  Result<SignedReceipt> receipt(BundleId id, Bytes nonce);

  // Wipes what belongs to it.
  void close_bundle(BundleId id);

 private:
  struct State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sealpack::loader
