// SPDX-License-Identifier: Apache-2.0
// Models of a session: loading, running, answering.
#include <algorithm>

#include "runtime-loader/core/messages.h"
#include "runtime-loader/core/sealed_output.h"
#include "runtime-loader/core/session_state.h"

namespace sealpack::loader {

using internal::ActiveRun;
using internal::LoadedModel;
using internal::Member;

namespace {

constexpr std::uint64_t kNoBudget = ~std::uint64_t{0};

std::uint64_t answers_left(const Member& member) {
  if (member.rule.query_budget == 0) return kNoBudget;
  return member.rule.query_budget - std::min(member.answers, member.rule.query_budget);
}

Error budget_spent(const Member& member) {
  return {ErrorCode::kRefused, "the release gives " + std::to_string(member.rule.query_budget) +
                                   " answers, " + std::to_string(member.answers) +
                                   " were given and a run asks for " +
                                   std::to_string(member.model->answers_per_run())};
}

Error no_run() {
  return {ErrorCode::kUsage, "no run is under way"};
}

}  // namespace

Result<ModelInfo> Session::load(BundleId id, const LoadOptions& options) {
  Member* member = TRY(state_->at(Stage::kLoad, state_->find_open(id)));
  TRY(state_->at(Stage::kKey, state_->check_lease(*member)));
  if (state_->run && state_->run->member == member) abandon_run();
  member->model.reset();
  LoadOptions narrowed = options;
  if (state_->config.memory_limit != 0) {
    narrowed.memory_limit = std::min(narrowed.memory_limit, state_->config.memory_limit);
  }
  internal::LoadFailure failure;
  auto model = LoadedModel::load(*member->open, narrowed, member->rule, state_->config.answer,
                                 state_->services, failure);
  member->model = TRY(state_->at(Stage::kLoad, std::move(model), failure.least_limit));
  member->model->info().sealed_answers = state_->config.answer_key.has_value();
  return member->model->info();
}

const ModelInfo* Session::model(BundleId id) const {
  const auto member = state_->find(id);
  return member.ok() && (*member)->model ? &(*member)->model->info() : nullptr;
}

Status Session::begin_run(BundleId id, std::span<const InputTensor> inputs) {
  Member* member = TRY(state_->at(Stage::kInput, state_->find_open(id)));
  TRY(state_->at(Stage::kKey, state_->check_lease(*member)));
  if (!member->model || state_->run) {
    return state_->at(
        Stage::kInput,
        Status(Error(ErrorCode::kUsage, state_->run ? "another run is under way"
                                                    : "no model of this bundle is loaded")));
  }
  if (answers_left(*member) < member->model->answers_per_run()) {
    return state_->at(Stage::kAnswer, Status(budget_spent(*member)), answers_left(*member));
  }
  internal::Run run(*member->model);
  for (const InputTensor& input : inputs) {
    TRY(state_->at(Stage::kInput, run.add_input(input)));
  }
  state_->run.emplace(ActiveRun{member, std::move(run)});
  return done();
}

std::vector<Port> Session::missing_inputs() const {
  return state_->run ? state_->run->run.missing() : std::vector<Port>();
}

Status Session::add_input(const InputTensor& input) {
  if (!state_->run) return state_->at(Stage::kInput, Status(no_run()));
  return state_->at(Stage::kInput, state_->run->run.add_input(input));
}

Status Session::State::count_answers(Member& member) {
  const std::uint64_t wanted = member.model->answers_per_run();
  if (answers_left(member) < wanted) return budget_spent(member);
  member.answers += wanted;
  return done();
}

Result<bool> Session::advance_run() {
  if (!state_->run) return state_->at(Stage::kRun, Result<bool>(no_run()));
  internal::Run& run = state_->run->run;
  if (run.finished()) return true;
  if (!run.started()) {
    if (!run.missing().empty()) {
      return state_->at(
          Stage::kInput,
          Result<bool>(Error(ErrorCode::kUsage,
                             "input " + printable(run.missing()[0].name) + " is missing")));
    }
    // However long its inputs were waited for.
    Status started = state_->at(Stage::kKey, state_->check_lease(*state_->run->member));
    if (started.ok()) {
      started = state_->at(Stage::kAnswer, state_->count_answers(*state_->run->member));
    }
    if (started.ok()) started = state_->at(Stage::kRun, run.start());
    if (!started.ok()) {
      abandon_run();
      return std::move(started).take_error();
    }
  }
  auto advanced = state_->at(Stage::kRun, run.advance());
  if (!advanced.ok() && advanced.error().code() != ErrorCode::kTryAgain) abandon_run();
  return advanced;
}

Status Session::State::seal(const Member& member, Answer& answer) {
  AnswerMessage message;
  message.counters = answer.counters;
  ByteVector bytes;
  for (const Answer::Tensor& tensor : answer.tensors) {
    message.tensors.push_back({tensor.port, {bytes.size(), tensor.bytes.size()}});
    bytes.insert(bytes.end(), tensor.bytes.begin(), tensor.bytes.end());
  }
  const ByteVector head = serialize(TeeMessage(message));
  ByteVector plain;
  for (std::size_t i = 0; i < 8; ++i) {
    plain.push_back(static_cast<std::uint8_t>(std::uint64_t{head.size()} >> (8 * i)));
  }
  plain.insert(plain.end(), head.begin(), head.end());
  plain.insert(plain.end(), bytes.begin(), bytes.end());
  auto sealed = seal_output(plain, {"answer", member.bundle().release_digest(), ++sealed_outputs},
                            *config.answer_key, *tee_key);
  crypto::wipe(plain);
  crypto::wipe(bytes);
  for (Answer::Tensor& tensor : answer.tensors) crypto::wipe(tensor.bytes);
  answer.tensors.clear();
  answer.sealed = TRY(std::move(sealed));
  return done();
}

Result<Answer> Session::take_answer() {
  if (!state_->run || !state_->run->run.finished()) {
    return state_->at(Stage::kAnswer, Result<Answer>(no_run()));
  }
  const Member& member = *state_->run->member;
  Answer answer;
  answer.counters = state_->run->run.counters();
  answer.counters.answers_left = answers_left(member);
  auto tensors = state_->at(Stage::kAnswer, state_->run->run.answer(member.rule));
  abandon_run();
  answer.tensors = TRY(std::move(tensors));
  if (state_->config.answer_key) TRY(state_->at(Stage::kAnswer, state_->seal(member, answer)));
  return answer;
}

void Session::abandon_run() {
  if (!state_->run) return;
  state_->run->run.abandon();
  state_->run.reset();
}

bool Session::is_running() const {
  return state_->run.has_value();
}

Result<Answer> Session::run(BundleId id, std::span<const InputTensor> inputs) {
  TRY(begin_run(id, inputs));
  while (true) {
    const auto finished = advance_run();
    if (!finished.ok()) {
      abandon_run();
      return finished.error();
    }
    if (*finished) return take_answer();
  }
}

}  // namespace sealpack::loader
