// SPDX-License-Identifier: Apache-2.0
// A host that does what the input says: right messages in any order, wrong ones, changed blocks.
// Whatever it does, the answer is a message, and all memory comes back.
#include "tests/runtime-loader/core/host_side.h"

namespace sealpack::loader::testing {
namespace {

class Script {
 public:
  explicit Script(Bytes input) : input_(input) {}
  bool done() const { return input_.empty(); }
  std::uint8_t next() {
    if (input_.empty()) return 0;
    const std::uint8_t byte = input_.front();
    input_ = input_.subspan(1);
    return byte;
  }
  Bytes take(std::size_t size) {
    const Bytes bytes = input_.first(std::min(size, input_.size()));
    input_ = input_.subspan(bytes.size());
    return bytes;
  }

 private:
  Bytes input_;
};

class Player {
 public:
  Player(Setting& setting, Script script, bool can_call_out)
      : host_(setting, can_call_out, 300000), script_(script) {}

  void play() {
    while (!script_.done()) {
      const TeeMessage answer = act(script_.next() % 14);
      const auto* need = std::get_if<NeedBlocksMessage>(&answer);
      need_ = need == nullptr ? NeedBlocksMessage{} : *need;
    }
  }

 private:
  HostMessage right_message(unsigned which) {
    LoadMessage load{1, {}};
    switch (which) {
      case 0:
        return host_.launch_message();
      case 1:
        return host_.add_message();
      case 2:
        if (const unsigned limit = script_.next(); limit != 0) {
          load.options.memory_limit = limit * std::uint64_t{200};
        }
        return load;
      case 3:
        return host_.run_message(some_input(script_.next()));
      case 4:
        return ConfirmMessage{1};
      case 5:
        return ReceiptRequestMessage{1, {script_.next()}};
      case 6:
        return CloseMessage{script_.next() % 2U};
      case 7:
        return TapMessage{host_.run_message(some_input(1)).inputs[0]};
      case 8:
        return host_.blocks_for(need_);
      default:
        return AbandonMessage{};
    }
  }

  TeeMessage act(unsigned what) {
    switch (what) {
      case 10:
        return host_.grant();
      case 11:
        return host_.send_raw(script_.take(script_.next()));
      case 12: {  // one byte of a right message is wrong
        ByteVector bytes = serialize(right_message(script_.next() % 10));
        bytes[script_.next() % bytes.size()] = script_.next();
        return host_.send_raw(bytes);
      }
      case 13: {  // one block is wrong
        const HostMessage message = right_message(8);
        const std::size_t at = script_.next() * std::size_t{1171};
        host_.buffer()[at] = static_cast<std::uint8_t>(host_.buffer()[at] ^ script_.next());
        return host_.send(message);
      }
      default:
        return host_.send(right_message(what));
    }
  }

  HostSide host_;
  Script script_;
  NeedBlocksMessage need_;  // of the answer before
};

}  // namespace
}  // namespace sealpack::loader::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack::loader::testing;
  if (size == 0 || size > 512) return 0;
  static Setting setting;
  {
    Player player(setting, Script({data + 1, size - 1}), data[0] % 2 == 1);
    player.play();
  }
  if (setting.memory.used() != 0) sealpack::die("a machine kept memory");
  setting.counters.floors.clear();
  return 0;
}
