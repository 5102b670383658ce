// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>

#include "runtime-loader/core/messages.h"
#include "runtime-loader/tee/backend.h"

// The normal world's side of a session with a TEE, whatever the backend is.
namespace sealpack::host {

struct HostTensor {
  loader::Port port;
  ByteVector bytes;
};

struct HostAnswer {
  std::vector<HostTensor> tensors;
  ByteVector sealed;  // instead of tensors, where answers are sealed to their owner
  loader::RunCounters counters;
};

// Makes the grant for a key request. Called while a bundle is unlocked.
using Granter = std::function<Result<loader::KeyGrant>(const loader::KeyRequest&)>;
// Gives a tap that the run waits for.
using TapSource = std::function<Result<HostTensor>(const loader::Port&)>;

// Every refusal of the TEE comes back as the Error of loader::to_error. Not for several threads.
class TeeClient {
 public:
  explicit TeeClient(tee::Backend& backend) : backend_(backend) {}

  tee::Backend& backend() { return backend_; }

  Result<loader::LaunchedMessage> launch(const loader::LaunchConfig& config);
  // `source` serves backends that ask for blocks; it must outlive the bundle.
  Status add_bundle(const loader::AddBundleMessage& message, const BlockSource& source);
  // Again, to prolong the lease of a bundle that a lease opened.
  Status unlock(loader::BundleId bundle, const loader::Challenge& challenge,
                const Granter& granter);
  // With the key that hardware released to the TEE; kUnsupported where it has none.
  Status unlock_device(loader::BundleId bundle);
  Result<loader::ModelInfo> load(loader::BundleId bundle, const loader::LoadOptions& options);
  Result<HostAnswer> run(loader::BundleId bundle, const std::vector<HostTensor>& inputs,
                         const TapSource& taps);
  Status confirm(loader::BundleId bundle);
  Result<loader::SignedReceipt> receipt(loader::BundleId bundle, Bytes nonce);
  Status close(loader::BundleId bundle);

  // Of the last refusal: its number says how much would do.
  const loader::Refusal& last_refusal() const { return last_refusal_; }
  // Bytes of inputs and answers that crossed in the shared buffer.
  std::uint64_t shared_in() const { return shared_in_; }
  std::uint64_t shared_out() const { return shared_out_; }

 private:
  // Sends, and serves what the TEE asks for on the way, until it answers.
  Result<loader::TeeMessage> exchange(const loader::HostMessage& message, const TapSource& taps);
  template <typename Answer>
  Result<Answer> expect(const loader::HostMessage& message, const TapSource& taps = nullptr);
  Result<loader::HostMessage> blocks(const loader::NeedBlocksMessage& need);
  Result<loader::BufferTensor> place(const HostTensor& tensor, std::uint64_t& end);
  Result<ByteVector> copy_out(const loader::BufferRange& range);

  tee::Backend& backend_;
  std::map<loader::BundleId, const BlockSource*> sources_;
  loader::Refusal last_refusal_;
  std::uint64_t shared_in_ = 0;
  std::uint64_t shared_out_ = 0;
};

}  // namespace sealpack::host
