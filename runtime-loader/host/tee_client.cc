// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/host/tee_client.h"

#include <algorithm>

namespace sealpack::host {
namespace {

using loader::BufferRange;
using loader::BufferTensor;
using loader::HostMessage;
using loader::TeeMessage;

constexpr std::uint64_t kTensorAlignment = 64;

Error out_of_turn() {
  return Error(ErrorCode::kInternal, "the TEE answered something else than it was asked");
}

Error too_large(std::uint64_t size, std::uint64_t room) {
  return Error(ErrorCode::kLimit, "inputs of " + format_size(size) + " do not fit the buffer of " +
                                      format_size(room) + " that both worlds share")
      .with_hint("give smaller batches");
}

}  // namespace

Result<BufferTensor> TeeClient::place(const HostTensor& tensor, std::uint64_t& end) {
  const loader::SharedBuffer shared = backend_.shared();
  const std::uint64_t at = (end + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
  const std::uint64_t size = tensor.bytes.size();
  if (at > shared.size || size > shared.size - at) return too_large(at + size, shared.size);
  std::copy(tensor.bytes.begin(), tensor.bytes.end(), shared.data + at);
  end = at + size;
  shared_in_ += size;
  return BufferTensor{tensor.port, BufferRange{at, size}};
}

// The other side may be a real TEE, but nothing says that its answer is sane.
Result<ByteVector> TeeClient::copy_out(const BufferRange& range) {
  const loader::SharedBuffer shared = backend_.shared();
  if (range.at > shared.size || range.size > shared.size - range.at) {
    return Error(ErrorCode::kMalformed, "the TEE's answer lies outside the shared buffer");
  }
  shared_out_ += range.size;
  return ByteVector(shared.data + range.at, shared.data + range.at + range.size);
}

Result<HostMessage> TeeClient::blocks(const loader::NeedBlocksMessage& need) {
  const auto source = sources_.find(need.bundle);
  if (source == sources_.end()) return out_of_turn();
  const loader::SharedBuffer shared = backend_.shared();
  loader::BlocksMessage answer;
  answer.bundle = need.bundle;
  std::uint64_t end = 0;
  for (const loader::BundleRange& range : need.ranges) {
    if (end > shared.size || range.size > shared.size - end) return out_of_turn();
    TRY(source->second->read_at(range.offset, {shared.data + end, range.size}));
    answer.blocks.push_back({range, end});
    shared_in_ += range.size;
    end += range.size;
  }
  return HostMessage(std::move(answer));
}

Result<TeeMessage> TeeClient::exchange(const HostMessage& first, const TapSource& taps) {
  HostMessage message = first;
  for (;;) {
    const ByteVector bytes = TRY(backend_.step(loader::serialize(message)));
    TeeMessage answer = TRY(loader::parse_tee_message(bytes).within("message of the TEE"));
    Result<HostMessage> next = out_of_turn();
    if (const auto* need = std::get_if<loader::NeedBlocksMessage>(&answer)) {
      next = blocks(*need);
    } else if (const auto* tap = std::get_if<loader::NeedTapMessage>(&answer)) {
      if (taps) {
        const Result<HostTensor> tensor = taps(tap->tap);
        std::uint64_t end = 0;
        Result<BufferTensor> placed =
            tensor.ok() ? place(*tensor, end) : Result<BufferTensor>(tensor.error());
        next = placed.ok() ? Result<HostMessage>(loader::TapMessage{*std::move(placed)})
                           : Result<HostMessage>(std::move(placed).take_error());
      }
    } else {
      return answer;
    }
    if (!next.ok()) {
      // What waits inside is given up, so that the session goes on.
      (void)backend_.step(loader::serialize(HostMessage(loader::AbandonMessage{})));
      return std::move(next).take_error();
    }
    message = *std::move(next);
  }
}

template <typename Answer>
Result<Answer> TeeClient::expect(const HostMessage& message, const TapSource& taps) {
  TeeMessage answer = TRY(exchange(message, taps));
  if (auto* wanted = std::get_if<Answer>(&answer)) return std::move(*wanted);
  if (const auto* refused = std::get_if<loader::RefusedMessage>(&answer)) {
    last_refusal_ = refused->refusal;
    return loader::to_error(refused->refusal);
  }
  return out_of_turn();
}

Result<loader::LaunchedMessage> TeeClient::launch(const loader::LaunchConfig& config) {
  return expect<loader::LaunchedMessage>(loader::LaunchMessage{loader::serialize_launch(config)});
}

Status TeeClient::add_bundle(const loader::AddBundleMessage& message, const BlockSource& source) {
  sources_[message.bundle] = &source;
  const auto added = expect<loader::DoneMessage>(message);
  if (added.ok()) return done();
  sources_.erase(message.bundle);
  return added.error();
}

Status TeeClient::unlock(loader::BundleId bundle, const loader::Challenge& challenge,
                         const Granter& granter) {
  const auto need =
      TRY(expect<loader::NeedGrantMessage>(loader::RequestKeyMessage{bundle, challenge}));
  const loader::KeyRequest request = TRY(loader::parse_key_request(need.request));
  const loader::KeyGrant grant = TRY(granter(request));
  (void)TRY(expect<loader::DoneMessage>(
      loader::GrantMessage{bundle, loader::serialize_key_grant(grant)}));
  return done();
}

Status TeeClient::unlock_device(loader::BundleId bundle) {
  (void)TRY(expect<loader::DoneMessage>(loader::UnlockDeviceMessage{bundle}));
  return done();
}

Result<loader::ModelInfo> TeeClient::load(loader::BundleId bundle,
                                          const loader::LoadOptions& options) {
  auto loaded = TRY(expect<loader::LoadedMessage>(loader::LoadMessage{bundle, options}));
  return std::move(loaded.model);
}

Result<HostAnswer> TeeClient::run(loader::BundleId bundle, const std::vector<HostTensor>& inputs,
                                  const TapSource& taps) {
  loader::RunMessage message;
  message.bundle = bundle;
  std::uint64_t end = 0;
  for (const HostTensor& input : inputs) message.inputs.push_back(TRY(place(input, end)));
  const auto answer = TRY(expect<loader::AnswerMessage>(message, taps));
  HostAnswer out;
  for (const BufferTensor& tensor : answer.tensors) {
    auto bytes = TRY(copy_out(tensor.range));
    out.tensors.push_back({tensor.port, std::move(bytes)});
  }
  if (answer.sealed.size != 0) out.sealed = TRY(copy_out(answer.sealed));
  out.counters = answer.counters;
  return out;
}

Status TeeClient::confirm(loader::BundleId bundle) {
  (void)TRY(expect<loader::DoneMessage>(loader::ConfirmMessage{bundle}));
  return done();
}

Result<loader::SignedReceipt> TeeClient::receipt(loader::BundleId bundle, Bytes nonce) {
  const auto answer =
      TRY(expect<loader::ReceiptMessage>(loader::ReceiptRequestMessage{bundle, to_vector(nonce)}));
  return loader::parse_receipt(answer.receipt);
}

Status TeeClient::close(loader::BundleId bundle) {
  (void)TRY(expect<loader::DoneMessage>(loader::CloseMessage{bundle}));
  sources_.erase(bundle);
  return done();
}

}  // namespace sealpack::host
