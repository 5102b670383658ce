// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/vm/vm_backend.h"

#include <algorithm>
#include <cstdlib>

#include "keymgmt/crypto/secret_bytes.h"
#include "runtime-loader/tee/boot_clock.h"

namespace sealpack::tee {

// The heap, under a limit, wiped before it goes back.
class VmBackend::Memory final : public nn::Memory {
 public:
  explicit Memory(std::uint64_t limit) : limit_(limit == 0 ? ~std::uint64_t{0} : limit) {}

  Result<MutableBytes> allocate(std::size_t size) override {
    constexpr std::size_t kAlignment = 64;
    const auto rounded = checked_align(std::max<std::size_t>(size, 1), kAlignment);
    if (!rounded || size > limit_ - used_) {
      return Error(ErrorCode::kLimit, "the model wants " + format_size(size) + " more than the " +
                                          format_size(used_) + " it has");
    }
    void* memory = std::aligned_alloc(kAlignment, static_cast<std::size_t>(*rounded));
    if (memory == nullptr) {
      return Error(ErrorCode::kLimit, "no memory: " + format_size(size) + " are not to be had");
    }
    used_ += size;
    peak_ = std::max(peak_, used_);
    return MutableBytes(static_cast<std::uint8_t*>(memory), size);
  }
  void release(MutableBytes block) override {
    crypto::wipe(block);
    used_ -= block.size();
    std::free(block.data());
  }

  std::uint64_t limit() const { return limit_; }
  std::uint64_t used() const { return used_; }
  std::uint64_t peak() const { return peak_; }

 private:
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
  std::uint64_t peak_ = 0;
};

VmBackend::VmBackend(const VmOptions& options)
    : memory_(std::make_unique<Memory>(options.memory_limit)),
      workers_(std::max(options.threads, 1U)),
      shared_(static_cast<std::size_t>(options.shared_bytes)) {
  capabilities_.name = "vm";
  capabilities_.tee = options.tee;
  capabilities_.evidence = options.evidence != nullptr;
  capabilities_.sealing = options.device_key != nullptr;
  capabilities_.secure_bytes = options.memory_limit;
  capabilities_.shared_bytes = options.shared_bytes;
  capabilities_.threads = std::max(options.threads, 1U);
  capabilities_.can_call_host = options.open_source != nullptr;
  loader::CounterStore& counters = options.counters == nullptr
                                       ? static_cast<loader::CounterStore&>(no_counter_)
                                       : *options.counters;
  capabilities_.counter = counters.kind();
  loader::Services services{*memory_, counters, nullptr, options.evidence, workers_, ahead_};
  services.seconds = [] { return static_cast<std::uint64_t>(boot_clock().count()); };
  services.device_key = options.device_key;
  loader::MachineOptions machine;
  machine.backend.tee = options.tee;
  machine.backend.device_keys = options.device_key != nullptr;
  machine.measurement = [measured = options.measurement](const Digest&) { return measured; };
  machine.open_source = options.open_source;
  machine_ = std::make_unique<loader::Machine>(std::move(machine), services);
}

VmBackend::~VmBackend() = default;

loader::SharedBuffer VmBackend::shared() {
  return {shared_.data(), capabilities_.shared_bytes};
}

Result<ByteVector> VmBackend::step(Bytes message) {
  const auto start = std::chrono::steady_clock::now();
  ByteVector answer = machine_->step(message, shared());
  const auto passed = std::chrono::steady_clock::now() - start;
  traffic_.secure_nanoseconds += static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count());
  ++traffic_.switches;
  traffic_.bytes_in += message.size();
  traffic_.bytes_out += answer.size();
  return answer;
}

Result<SecureRoom> VmBackend::secure_room() {
  return SecureRoom{memory_->limit() - memory_->used(), memory_->used(), 0};
}

Result<VmBackend::Use> VmBackend::use() {
  return Use{{0, memory_->used(), memory_->peak(), 0}, traffic_};
}

}  // namespace sealpack::tee
