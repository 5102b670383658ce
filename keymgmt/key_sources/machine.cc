// SPDX-License-Identifier: Apache-2.0
#include <sealpack/key_sources.h>

#include <mutex>

#include "attest/evidence/collect/collect.h"
#include "attest/evidence/collect/collect_tpm.h"
#include "keymgmt/provision/device_files.h"
#include "keymgmt/provision/passwords.h"
#include "runtime-loader/capi/boundary.h"

namespace sealpack::key_sources {
namespace {

using capi::usage;

constexpr std::string_view kTpm = "tpm";

std::string optional_text(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

// Bytes of the C interface.
Bytes view(const void* data, std::size_t size) {
  return {static_cast<const std::uint8_t*>(data), size};
}

}  // namespace

// What stands behind a sealpack_machine. Its TPM is for one thread at a time.
class Machine {
 public:
  static Result<std::unique_ptr<Machine>> open(const sealpack_machine_options& options) {
    std::unique_ptr<Machine> machine(new Machine());
    machine->tee_ = TRY(capi::text_of(options.tee, "tee"));
    if (options.measurement != nullptr) {
      std::copy_n(options.measurement, Digest::kSize, machine->measurement_.bytes.begin());
    }
    if (machine->tee_ == kTpm) {
      TRY(machine->open_tpm(options));
    } else {
      TRY(machine->open_platform(options));
    }
    return machine;
  }

  Status describe(sealpack_environment* environment, sealpack_counters* counters) {
    sealpack_environment filled{};
    filled.context = this;
    filled.tee = tee_.c_str();
    std::copy(measurement_.bytes.begin(), measurement_.bytes.end(), std::begin(filled.measurement));
    if (gives_evidence_) filled.evidence = evidence;
    if (device_.key != nullptr) {
      filled.device_key = &public_key_;
      filled.device_open = device_open;
    }
    TRY(capi::give(filled, environment, "environment"));
    if (counters == nullptr) return done();
    if (device_.floors == nullptr) return no_device_key();
    sealpack_counters store{};
    store.context = this;
    store.kind = SEALPACK_COUNTER_TPM;
    store.get = floor_of;
    store.raise = raise_floor;
    return capi::give(store, counters, "counters");
  }

  Status cap() {
    const std::lock_guard lock(mutex_);
    return device_.key == nullptr ? no_device_key() : device_.key->cap();
  }

 private:
  Machine() = default;

  static Status no_device_key() {
    return Error(ErrorCode::kUnsupported, "the machine was opened without a device_key");
  }

  Status open_platform(const sealpack_machine_options& options) {
    if (options.tcti != nullptr || options.pcrs != 0 || options.event_log != nullptr ||
        options.device_key != nullptr || options.tpm_password_file != nullptr) {
      return usage("tcti, pcrs, event_log, device_key and tpm_password_file are of tee \"tpm\"");
    }
    static constexpr std::string_view kTees[] = {"cca", "nitro", "sev-snp", "sgx", "tdx"};
    if (std::find(std::begin(kTees), std::end(kTees), tee_) == std::end(kTees)) {
      return usage("no evidence of " + printable(tee_) + " is collected here");
    }
    recorded_ = optional_text(options.recorded);
    with_event_log_ = options.with_event_log != 0;
    gives_evidence_ = true;
    return done();
  }

  Status open_tpm(const sealpack_machine_options& options) {
    if (options.recorded != nullptr || options.with_event_log != 0) {
      return usage("recorded and with_event_log are of other TEEs; of \"tpm\" it is event_log");
    }
    if (options.pcrs >> tpm::kPcrCount != 0) return usage("pcrs names a PCR above 23");
    if (options.pcrs == 0 && options.device_key == nullptr) {
      return usage("a machine with a TPM has pcrs, a device_key or both");
    }
    tcti_ = optional_text(options.tcti);
    pcrs_ = options.pcrs;
    event_log_ = optional_text(options.event_log);
    password_ = provision::password_source({"", optional_text(options.tpm_password_file), false});
    gives_evidence_ = pcrs_ != 0;
    if (options.device_key == nullptr) return done();
    device_ = TRY(provision::open_device(options.device_key, tcti_, password_));
    public_key_.struct_size = sizeof public_key_;
    public_key_.data = device_.key->decryptor().public_key().spki().data();
    public_key_.data_size = device_.key->decryptor().public_key().spki().size();
    return done();
  }

  Result<ByteVector> collect(Bytes report_data) {
    if (tee_ == kTpm) {
      return attest::serialize_evidence(
          TRY(attest::collect_tpm({to_vector(report_data), tcti_, pcrs_, event_log_, password_})));
    }
    return attest::serialize_evidence(
        TRY(attest::collect({tee_, to_vector(report_data), recorded_, with_event_log_})));
  }

  static std::int64_t evidence(void* context, const void* report_data, std::size_t report_size,
                               void* out, std::size_t capacity) {
    auto* self = static_cast<Machine*>(context);
    std::int64_t written = -1;
    const int code = capi::guarded(nullptr, [&]() -> Status {
      const std::lock_guard lock(self->mutex_);
      const ByteVector made = TRY(self->collect(view(report_data, report_size)));
      if (made.size() > capacity) return Error(ErrorCode::kLimit, "evidence without room");
      std::copy(made.begin(), made.end(), static_cast<std::uint8_t*>(out));
      written = static_cast<std::int64_t>(made.size());
      return done();
    });
    return code == SEALPACK_OK ? written : -std::int64_t{code};
  }

  static int device_open(void* context, const void* enc, std::size_t enc_size, const void* info,
                         std::size_t info_size, const void* aad, std::size_t aad_size,
                         const void* ciphertext, std::size_t ciphertext_size, void* plain,
                         std::size_t* plain_size) {
    auto* self = static_cast<Machine*>(context);
    return capi::guarded(nullptr, [&]() -> Status {
      const std::lock_guard lock(self->mutex_);
      const crypto::SecretBytes opened = TRY(self->device_.key->decryptor().hpke_open(
          view(enc, enc_size), view(info, info_size), view(aad, aad_size),
          view(ciphertext, ciphertext_size)));
      if (opened.size() > *plain_size) return Error(ErrorCode::kLimit, "plaintext without room");
      const Bytes bytes = opened.reveal();
      std::copy(bytes.begin(), bytes.end(), static_cast<std::uint8_t*>(plain));
      *plain_size = bytes.size();
      return done();
    });
  }

  static Digest authority_of(const std::uint8_t bytes[Digest::kSize]) {
    Digest authority;
    std::copy_n(bytes, Digest::kSize, authority.bytes.begin());
    return authority;
  }

  static int floor_of(void* context, const std::uint8_t authority[32], const char* product,
                      sealpack_floor* floor) {
    auto* self = static_cast<Machine*>(context);
    return capi::guarded(nullptr, [&]() -> Status {
      const std::lock_guard lock(self->mutex_);
      const loader::Floor found =
          TRY(self->device_.floors->floor(authority_of(authority), product));
      floor->counter = found.counter;
      floor->has_release = found.release ? 1 : 0;
      if (found.release) {
        std::copy(found.release->bytes.begin(), found.release->bytes.end(),
                  std::begin(floor->release));
      }
      return done();
    });
  }

  static int raise_floor(void* context, const std::uint8_t authority[32], const char* product,
                         const sealpack_floor* floor) {
    auto* self = static_cast<Machine*>(context);
    return capi::guarded(nullptr, [&]() -> Status {
      const std::lock_guard lock(self->mutex_);
      loader::Floor wanted{floor->counter, std::nullopt};
      if (floor->has_release != 0) wanted.release = authority_of(floor->release);
      return self->device_.floors->raise(authority_of(authority), product, wanted);
    });
  }

  std::mutex mutex_;
  std::string tee_;
  Digest measurement_;
  bool gives_evidence_ = false;
  std::filesystem::path recorded_;
  bool with_event_log_ = false;
  std::string tcti_;
  tpm::PcrMask pcrs_ = 0;
  std::filesystem::path event_log_;
  tpm::PasswordSource password_;
  provision::DeviceAccess device_;
  sealpack_public_key public_key_{};
};

}  // namespace sealpack::key_sources

// NOLINTNEXTLINE: its name in the C interface
struct sealpack_machine {
  std::unique_ptr<sealpack::key_sources::Machine> state;
};

using namespace sealpack;

int sealpack_machine_open(const sealpack_machine_options* options, sealpack_machine** machine,
                          sealpack_error* error) {
  if (machine != nullptr) *machine = nullptr;
  return capi::guarded(error, [&]() -> Status {
    TRY(capi::require(machine, "machine"));
    auto opened = TRY(key_sources::Machine::open(TRY(capi::take(options, "options"))));
    *machine = new sealpack_machine{std::move(opened)};
    return done();
  });
}

int sealpack_machine_describe(sealpack_machine* machine, sealpack_environment* environment,
                              sealpack_counters* counters, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    TRY(capi::require(machine, "machine"));
    return machine->state->describe(environment, counters);
  });
}

int sealpack_machine_cap(sealpack_machine* machine, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    TRY(capi::require(machine, "machine"));
    return machine->state->cap();
  });
}

void sealpack_machine_close(sealpack_machine* machine) {
  delete machine;
}
