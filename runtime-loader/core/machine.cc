// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/machine.h"

#include <algorithm>
#include <cstring>

namespace sealpack::loader {
namespace {

constexpr std::uint64_t kAnswerAlignment = 64;

std::uint64_t aligned(std::uint64_t size) {
  return (size + kAnswerAlignment - 1) / kAnswerAlignment * kAnswerAlignment;
}

TeeMessage refused(ErrorCode code, Stage stage, std::uint64_t number = 0) {
  return RefusedMessage{{code, stage, number}};
}

// What an answer takes in the shared buffer, at most.
std::uint64_t answer_room(const ModelInfo& model) {
  std::uint64_t room = 0;
  for (const Port& port : model.outputs) room += aligned(port.type.size());
  constexpr std::uint64_t kSealedHead = std::uint64_t{64} << 10U;
  return model.sealed_answers ? room + room / 512 + kSealedHead : room;
}

bool is_inside(const BufferRange& range, const SharedBuffer& shared) {
  return range.at <= shared.size && range.size <= shared.size - range.at;
}

// The bytes of a tensor, which the host may change until they are copied.
Result<InputTensor> input_in(const BufferTensor& tensor, const SharedBuffer& shared) {
  if (!is_inside(tensor.range, shared)) {
    return Error(ErrorCode::kMalformed, "a tensor lies outside the shared buffer");
  }
  return InputTensor{
      tensor.port.name, tensor.port.type,
      Bytes(shared.data + tensor.range.at, static_cast<std::size_t>(tensor.range.size))};
}

}  // namespace

struct Machine::State {
  // A message that cannot go on before the host brings something.
  struct Waiting {
    HostMessage message;
    BundleId bundle = 0;
    bool for_tap = false;  // else for blocks
  };

  State(MachineOptions machine_options, const Services& its_services)
      : options(std::move(machine_options)), services(its_services) {}

  TeeMessage step(const HostMessage& message);
  TeeMessage while_waiting(const HostMessage& message);
  TeeMessage handle(const LaunchMessage& message);
  TeeMessage handle(const AddBundleMessage& message);
  TeeMessage handle(const BlocksMessage&) { return refused(ErrorCode::kUsage, Stage::kMessage); }
  TeeMessage handle(const RequestKeyMessage& message);
  TeeMessage handle(const GrantMessage& message);
  TeeMessage handle(const LoadMessage& message);
  TeeMessage handle(const RunMessage& message);
  TeeMessage handle(const TapMessage&) { return refused(ErrorCode::kUsage, Stage::kMessage); }
  TeeMessage handle(const ConfirmMessage& message);
  TeeMessage handle(const ReceiptRequestMessage& message);
  TeeMessage handle(const CloseMessage& message);
  TeeMessage handle(const AbandonMessage&) { return DoneMessage{}; }
  TeeMessage handle(const UnlockDeviceMessage& message);

  Result<std::shared_ptr<const BlockSource>> source_of(const AddBundleMessage& message);
  PendingSource* pending_source(BundleId bundle);
  void start_attempt(BundleId bundle);
  TeeMessage failed(const HostMessage& message, BundleId bundle);
  TeeMessage need_blocks(const HostMessage& message, BundleId bundle, PendingSource& source);
  TeeMessage continue_run(const RunMessage& message);
  TeeMessage give_answer();
  Result<BufferRange> put(std::uint64_t& end, Bytes bytes) const;
  TeeMessage drop(TeeMessage message);

  MachineOptions options;
  Services services;
  std::optional<Session> session;
  std::map<BundleId, std::shared_ptr<PendingSource>> sources;  // without open_source
  std::optional<Waiting> waiting;
  SharedBuffer shared;  // of the step that runs
};

Machine::Machine(MachineOptions options, const Services& services)
    : state_(std::make_unique<State>(std::move(options), services)) {}
Machine::~Machine() = default;
Machine::Machine(Machine&&) noexcept = default;
Machine& Machine::operator=(Machine&&) noexcept = default;

ByteVector Machine::step(Bytes message, SharedBuffer shared) {
  if (message.size() > kMaxMessageSize) {
    return serialize(refused(ErrorCode::kLimit, Stage::kMessage, kMaxMessageSize));
  }
  const ByteVector copy = to_vector(message);
  const auto parsed = parse_host_message(copy);
  if (!parsed.ok()) return serialize(refused(parsed.error().code(), Stage::kMessage));
  state_->shared = shared;
  ByteVector answer = serialize(state_->step(*parsed));
  // The host may use the buffer as it likes until the next message.
  for (const auto& [bundle, source] : state_->sources) source->withdraw();
  state_->shared = {};
  return answer;
}

TeeMessage Machine::State::step(const HostMessage& message) {
  if (waiting) return while_waiting(message);
  if (!session && !std::holds_alternative<LaunchMessage>(message)) {
    return refused(ErrorCode::kUsage, Stage::kMessage);
  }
  return std::visit([this](const auto& kind) { return handle(kind); }, message);
}

// Only what was asked for, or giving up. Everything else leaves the wait as it is.
TeeMessage Machine::State::while_waiting(const HostMessage& message) {
  if (std::holds_alternative<AbandonMessage>(message)) {
    return drop(DoneMessage{});
  }
  if (const auto* blocks = std::get_if<BlocksMessage>(&message)) {
    PendingSource* source = pending_source(waiting->bundle);
    if (waiting->for_tap || source == nullptr || blocks->bundle != waiting->bundle) {
      return refused(ErrorCode::kUsage, Stage::kMessage);
    }
    const Status placed = source->place(blocks->blocks, shared);
    if (!placed.ok()) return refused(placed.error().code(), Stage::kMessage);
    const HostMessage again = std::exchange(waiting, std::nullopt)->message;
    if (const auto* run = std::get_if<RunMessage>(&again)) return continue_run(*run);
    return std::visit([this](const auto& kind) { return handle(kind); }, again);
  }
  const auto* tap = std::get_if<TapMessage>(&message);
  if (tap == nullptr || !waiting->for_tap) return refused(ErrorCode::kUsage, Stage::kMessage);
  const auto input = input_in(tap->tap, shared);
  if (!input.ok()) return refused(input.error().code(), Stage::kInput);
  if (!session->add_input(*input).ok()) return drop(RefusedMessage{session->last_refusal()});
  const HostMessage again = std::exchange(waiting, std::nullopt)->message;
  return continue_run(std::get<RunMessage>(again));
}

// Ends the wait and what waited.
TeeMessage Machine::State::drop(TeeMessage message) {
  if (session) session->abandon_run();
  if (waiting && session && session->verified(waiting->bundle) == nullptr) {
    sources.erase(waiting->bundle);
  }
  waiting.reset();
  return message;
}

TeeMessage Machine::State::handle(const LaunchMessage& message) {
  if (session) return refused(ErrorCode::kUsage, Stage::kLaunch);
  Backend backend = options.backend;
  backend.measurement = options.measurement(loader::launch_digest(message.config));
  auto created = Session::create(message.config, backend, services);
  if (!created.ok()) return refused(created.error().code(), Stage::kLaunch);
  LaunchedMessage launched;
  launched.launch = created->launch_digest();
  launched.measurement = backend.measurement;
  launched.tee = backend.tee;
  launched.tee_key = to_vector(created->tee_key().spki());
  if (services.evidence != nullptr) {
    auto evidence = created->endorse_tee_key();
    if (!evidence.ok()) return refused(evidence.error().code(), Stage::kLaunch);
    launched.evidence = *std::move(evidence);
  }
  session = *std::move(created);
  return launched;
}

PendingSource* Machine::State::pending_source(BundleId bundle) {
  const auto found = sources.find(bundle);
  return found == sources.end() ? nullptr : found->second.get();
}

void Machine::State::start_attempt(BundleId bundle) {
  if (PendingSource* source = pending_source(bundle)) source->start_attempt();
}

Result<std::shared_ptr<const BlockSource>> Machine::State::source_of(
    const AddBundleMessage& message) {
  if (options.open_source) return options.open_source(message.bundle, message.size);
  auto& source = sources[message.bundle];
  // Another size is another bundle: what was read of one says nothing of the other.
  if (!source || source->size() != message.size) {
    source = std::make_shared<PendingSource>(message.size);
  }
  return std::shared_ptr<const BlockSource>(source);
}

TeeMessage Machine::State::handle(const AddBundleMessage& message) {
  if (session->verified(message.bundle) != nullptr) {
    return refused(ErrorCode::kUsage, Stage::kMessage);
  }
  auto source = source_of(message);
  if (!source.ok()) return refused(source.error().code(), Stage::kVerify);
  start_attempt(message.bundle);
  AddBundle how;
  how.owner = message.owner;
  how.role = message.role;
  if (message.host_time != 0) how.host_time.unix_seconds = message.host_time;
  if (session->add_bundle(message.bundle, *std::move(source), how).ok()) return DoneMessage{};
  TeeMessage answer = failed(message, message.bundle);
  if (!waiting) sources.erase(message.bundle);
  return answer;
}

// After the session refused: either bytes are missing, or that is the answer.
TeeMessage Machine::State::failed(const HostMessage& message, BundleId bundle) {
  const Refusal refusal = session->last_refusal();
  PendingSource* source = pending_source(bundle);
  if (refusal.code == ErrorCode::kTryAgain && source != nullptr && source->is_waiting()) {
    return need_blocks(message, bundle, *source);
  }
  session->abandon_run();
  return RefusedMessage{refusal};
}

TeeMessage Machine::State::need_blocks(const HostMessage& message, BundleId bundle,
                                       PendingSource& source) {
  const Stage stage = session->last_refusal().stage;
  const auto ranges = source.needed();
  if (!ranges.ok()) {
    session->abandon_run();
    return refused(ranges.error().code(), stage);
  }
  std::uint64_t total = 0;
  for (const BundleRange& range : *ranges) total += range.size;
  if (total > shared.size) {
    session->abandon_run();
    return refused(ErrorCode::kLimit, Stage::kMessage, total);
  }
  waiting = Waiting{message, bundle, false};
  return NeedBlocksMessage{bundle, *ranges};
}

TeeMessage Machine::State::handle(const RequestKeyMessage& message) {
  const auto request = session->request_key(message.bundle, message.challenge);
  if (!request.ok()) return RefusedMessage{session->last_refusal()};
  return NeedGrantMessage{message.bundle, serialize_key_request(*request)};
}

TeeMessage Machine::State::handle(const GrantMessage& message) {
  const auto grant = parse_key_grant(message.grant);
  if (!grant.ok()) return refused(grant.error().code(), Stage::kKey);
  if (!session->accept_grant(message.bundle, *grant).ok()) {
    return RefusedMessage{session->last_refusal()};
  }
  return DoneMessage{};
}

TeeMessage Machine::State::handle(const LoadMessage& message) {
  start_attempt(message.bundle);
  auto model = session->load(message.bundle, message.options);
  if (!model.ok()) return failed(message, message.bundle);
  return LoadedMessage{*std::move(model)};
}

TeeMessage Machine::State::handle(const RunMessage& message) {
  const ModelInfo* model = session->model(message.bundle);
  if (model == nullptr) return refused(ErrorCode::kUsage, Stage::kInput);
  const std::uint64_t room = answer_room(*model);
  if (room > shared.size) return refused(ErrorCode::kLimit, Stage::kAnswer, room);
  std::vector<InputTensor> inputs;
  for (const BufferTensor& tensor : message.inputs) {
    auto input = input_in(tensor, shared);
    if (!input.ok()) return refused(input.error().code(), Stage::kInput);
    inputs.push_back(*std::move(input));
  }
  if (!session->begin_run(message.bundle, inputs).ok()) {
    return RefusedMessage{session->last_refusal()};
  }
  // What is kept while the run waits is its bundle alone.
  return continue_run(RunMessage{message.bundle, {}});
}

TeeMessage Machine::State::continue_run(const RunMessage& message) {
  const std::vector<Port> missing = session->missing_inputs();
  if (!missing.empty()) {
    const std::vector<Port>& taps = session->model(message.bundle)->taps;
    if (std::find(taps.begin(), taps.end(), missing.front()) == taps.end()) {
      session->abandon_run();
      return refused(ErrorCode::kUsage, Stage::kInput);
    }
    waiting = Waiting{message, message.bundle, true};
    return NeedTapMessage{message.bundle, missing.front()};
  }
  while (true) {
    start_attempt(message.bundle);
    const auto finished = session->advance_run();
    if (!finished.ok()) return failed(message, message.bundle);
    if (*finished) return give_answer();
  }
}

Result<BufferRange> Machine::State::put(std::uint64_t& end, Bytes bytes) const {
  const BufferRange range{end, bytes.size()};
  if (!is_inside(range, shared)) {
    return Error(ErrorCode::kLimit, "the answer does not fit the shared buffer");
  }
  if (!bytes.empty()) std::memcpy(shared.data + range.at, bytes.data(), bytes.size());
  end = aligned(range.at + range.size);
  return range;
}

TeeMessage Machine::State::give_answer() {
  const auto answer = session->take_answer();
  if (!answer.ok()) return RefusedMessage{session->last_refusal()};
  AnswerMessage message;
  message.counters = answer->counters;
  std::uint64_t end = 0;
  for (const Answer::Tensor& tensor : answer->tensors) {
    const auto range = put(end, tensor.bytes);
    if (!range.ok()) return refused(ErrorCode::kLimit, Stage::kAnswer);
    message.tensors.push_back({tensor.port, *range});
  }
  if (!answer->sealed.empty()) {
    const auto range = put(end, answer->sealed);
    if (!range.ok()) return refused(ErrorCode::kLimit, Stage::kAnswer);
    message.sealed = *range;
  }
  return message;
}

TeeMessage Machine::State::handle(const ConfirmMessage& message) {
  if (!session->confirm(message.bundle).ok()) return RefusedMessage{session->last_refusal()};
  return DoneMessage{};
}

TeeMessage Machine::State::handle(const ReceiptRequestMessage& message) {
  const auto receipt = session->receipt(message.bundle, message.nonce);
  if (!receipt.ok()) return RefusedMessage{session->last_refusal()};
  return ReceiptMessage{serialize_receipt(*receipt)};
}

TeeMessage Machine::State::handle(const UnlockDeviceMessage& message) {
  if (services.device_key == nullptr) return refused(ErrorCode::kUnsupported, Stage::kKey);
  if (!session->unlock_device(message.bundle, *services.device_key).ok()) {
    return RefusedMessage{session->last_refusal()};
  }
  return DoneMessage{};
}

TeeMessage Machine::State::handle(const CloseMessage& message) {
  session->close_bundle(message.bundle);
  sources.erase(message.bundle);
  return DoneMessage{};
}

}  // namespace sealpack::loader
