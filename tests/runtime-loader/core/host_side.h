// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>

#include "runtime-loader/core/machine.h"
#include "tests/runtime-loader/core/model_bundle.h"

namespace sealpack::loader::testing {

// A host that serves a machine as it should: bundles, grants, taps.
class HostSide {
 public:
  explicit HostSide(Setting& setting, bool can_call_out = false, std::size_t buffer = 1U << 20U)
      : setting_(&setting), buffer_(buffer) {
    Services services{setting.memory, setting.counters};
    services.spill = &setting.outside;
    MachineOptions options;
    options.backend = setting.backend;
    options.measurement = [](const Digest& launch) {
      return simulated_measurement({}, launch, {});
    };
    if (can_call_out) {
      options.open_source =
          [&setting](BundleId, std::uint64_t size) -> Result<std::shared_ptr<const BlockSource>> {
        if (size != setting.source->size()) return Error(ErrorCode::kIo, "another size");
        return setting.source;
      };
    }
    machine_.emplace(std::move(options), services);
  }

  // One message, nothing served.
  TeeMessage send(const HostMessage& message) { return send_raw(serialize(message)); }
  TeeMessage send_raw(Bytes message) {
    ++steps_;
    return parse_tee_message(machine_->step(message, shared())).value();
  }
  SharedBuffer shared() { return {buffer_.data(), buffer_.size()}; }
  ByteVector& buffer() { return buffer_; }
  std::uint64_t steps() const { return steps_; }

  // The answer to `message` after serving the blocks it needs.
  TeeMessage serve(const HostMessage& message) {
    TeeMessage answer = send(message);
    while (const auto* need = std::get_if<NeedBlocksMessage>(&answer)) {
      answer = send(blocks_for(*need));
    }
    return answer;
  }
  HostMessage blocks_for(const NeedBlocksMessage& need) {
    BlocksMessage blocks;
    blocks.bundle = need.bundle;
    std::uint64_t at = 0;
    for (const BundleRange& range : need.ranges) {
      const MutableBytes place = MutableBytes(buffer_).subspan(
          static_cast<std::size_t>(at), static_cast<std::size_t>(range.size));
      if (!setting_->source->read_at(range.offset, place).ok()) die("the test bundle is short");
      blocks.blocks.push_back({range, at});
      at += range.size;
    }
    return blocks;
  }

  LaunchMessage launch_message() const { return {serialize_launch(setting_->config)}; }
  AddBundleMessage add_message() const {
    return {1, setting_->source->size(), "vendor", "model", 1700000000};
  }
  RunMessage run_message(const std::vector<float>& x) {
    const ByteVector bytes = bytes_of(x);
    std::copy(bytes.begin(), bytes.end(), buffer_.begin());
    const InputTensor input = input_of(bytes);
    return {1, {{{input.name, input.type}, {0, bytes.size()}}}};
  }
  // Asks for the key and brings the host's grant.
  TeeMessage grant() {
    const TeeMessage asked = send(RequestKeyMessage{1, setting_->challenge});
    const auto* need = std::get_if<NeedGrantMessage>(&asked);
    if (need == nullptr) return asked;
    const auto request = parse_key_request(need->request).value();
    const auto made = make_key_grant(request, setting_->keys.content, {}, nullptr).value();
    return send(GrantMessage{1, serialize_key_grant(made)});
  }
  // Everything up to a loaded model.
  TeeMessage prepare(const LoadOptions& options = {}) {
    send(launch_message());
    serve(add_message());
    grant();
    LoadMessage load;
    load.bundle = 1;
    load.options = options;
    return serve(load);
  }

 private:
  Setting* setting_;
  ByteVector buffer_;
  std::optional<Machine> machine_;
  std::uint64_t steps_ = 0;
};

inline bool is_refused(const TeeMessage& message, ErrorCode code) {
  const auto* refused = std::get_if<RefusedMessage>(&message);
  return refused != nullptr && refused->refusal.code == code;
}

}  // namespace sealpack::loader::testing
