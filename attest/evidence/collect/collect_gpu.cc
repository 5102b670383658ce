// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/collect/collect_gpu.h"

#include <dlfcn.h>

#include <algorithm>
#include <memory>
#include <numeric>

#include "attest/evidence/collect/nvml.h"
#include "attest/evidence/gpu_items.h"

namespace sealpack::attest {
namespace {

constexpr const char* kLibrary = "libnvidia-ml.so.1";

struct CloseLibrary {
  void operator()(void* library) const { ::dlclose(library); }
};

// The library while it is loaded and started.
class Nvml {
 public:
  static Result<std::unique_ptr<Nvml>> open(const std::filesystem::path& path) {
    const std::string name = path.empty() ? kLibrary : path.string();
    auto nvml = std::make_unique<Nvml>();
    nvml->library_.reset(::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL));
    if (!nvml->library_) {
      return Error(ErrorCode::kUnsupported, "cannot load " + printable(name))
          .with_hint("it comes with NVIDIA's driver");
    }
    const auto init = TRY(nvml->find<unsigned()>("nvmlInit_v2"));
    TRY(check(init.call(), "nvmlInit_v2"));
    nvml->started_ = true;
    return nvml;
  }

  Nvml() = default;
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;
  ~Nvml() {
    if (!started_) return;
    const auto shutdown = find<unsigned()>("nvmlShutdown");
    if (shutdown.ok()) (void)shutdown->call();
  }

  Result<unsigned> count() const {
    const auto get = TRY(find<unsigned(unsigned*)>("nvmlDeviceGetCount_v2"));
    unsigned count = 0;
    TRY(check(get.call(&count), "nvmlDeviceGetCount_v2"));
    if (count > 0) return count;
    return Error(ErrorCode::kUnsupported, "the driver has no GPU");
  }

  Result<nvml::Device> device(unsigned index) const {
    const auto get = TRY(find<unsigned(unsigned, nvml::Device*)>("nvmlDeviceGetHandleByIndex_v2"));
    nvml::Device device = nullptr;
    const unsigned result = get.call(index, &device);
    if (result == nvml::kNotFound || result == kInvalidArgument) {
      return Error(ErrorCode::kUsage, "there is no GPU " + std::to_string(index));
    }
    TRY(check(result, "nvmlDeviceGetHandleByIndex_v2"));
    return device;
  }

  Result<ByteVector> certificates(nvml::Device device) const {
    constexpr const char* kName = "nvmlDeviceGetConfComputeGpuCertificate";
    const auto get = TRY(find<unsigned(nvml::Device, nvml::Certificate*)>(kName));
    const auto answer = std::make_unique<nvml::Certificate>();
    TRY(check(get.call(device, answer.get()), kName));
    return taken(answer->attestation_chain, answer->attestation_chain_size, kName);
  }

  Result<ByteVector> report(nvml::Device device, Bytes nonce) const {
    constexpr const char* kName = "nvmlDeviceGetConfComputeGpuAttestationReport";
    const auto get = TRY(find<unsigned(nvml::Device, nvml::Report*)>(kName));
    const auto answer = std::make_unique<nvml::Report>();
    std::copy(nonce.begin(), nonce.end(), answer->nonce);
    TRY(check(get.call(device, answer.get()), kName));
    return taken(answer->report, answer->report_size, kName);
  }

  // Older drivers have no function for it.
  GpuSettings settings() const {
    GpuSettings out{"unstated", "unstated", "unstated", "unstated"};
    const auto get = find<unsigned(nvml::Settings*)>("nvmlSystemGetConfComputeSettings");
    nvml::Settings settings{};
    settings.version = nvml::kSettingsVersion;
    if (!get.ok() || get->call(&settings) != nvml::kSuccess) return out;
    const auto name = [](unsigned value, std::initializer_list<const char*> names) {
      return value < names.size() ? std::string(names.begin()[value])
                                  : "unknown (" + std::to_string(value) + ")";
    };
    out.confidential_computing = name(settings.feature, {"off", "on"});
    out.environment = name(settings.environment, {"none", "simulation", "production"});
    out.developer_tools = name(settings.dev_tools, {"off", "on"});
    out.multi_gpu = name(settings.multi_gpu, {"none", "protected-pcie", "nvlink-encrypted"});
    return out;
  }

 private:
  static constexpr unsigned kInvalidArgument = 2;

  template <typename Function>
  struct Entry {
    Function* call = nullptr;
  };

  template <typename Function>
  Result<Entry<Function>> find(const char* name) const {
    void* symbol = ::dlsym(library_.get(), name);
    if (symbol == nullptr) {
      return Error(ErrorCode::kUnsupported,
                   "NVIDIA's management library has no " + std::string(name))
          .with_hint("confidential computing needs driver 535 or a newer one");
    }
    return Entry<Function>{reinterpret_cast<Function*>(symbol)};
  }

  static Status check(unsigned result, const char* function) {
    const std::string text = std::string(function) + " answers " + std::to_string(result);
    switch (result) {
      case nvml::kSuccess:
        return done();
      case nvml::kNotSupported:
      case nvml::kDriverNotLoaded:
        return Error(ErrorCode::kUnsupported, text + ": this GPU gives no reports")
            .with_hint("it needs a Hopper or Blackwell with confidential computing on");
      case nvml::kTimeout:
      case nvml::kInUse:
        return Error(ErrorCode::kTryAgain, text + ": busy");
      default:
        return Error(ErrorCode::kIo, text);
    }
  }

  template <std::size_t N>
  static Result<ByteVector> taken(const std::uint8_t (&bytes)[N], unsigned size,
                                  const char* function) {
    if (size != 0 && size <= N) return ByteVector(bytes, bytes + size);
    return Error(ErrorCode::kIo, std::string(function) + " answers with " + std::to_string(size) +
                                     " bytes, 1 to " + std::to_string(N) + " are possible");
  }

  std::unique_ptr<void, CloseLibrary> library_;
  bool started_ = false;
};

Result<std::vector<unsigned>> indices_of(const Nvml& nvml, const CollectGpuRequest& request) {
  std::vector<unsigned> indices = request.indices;
  if (indices.empty()) {
    indices.resize(TRY(nvml.count()));
    std::iota(indices.begin(), indices.end(), 0U);
  }
  if (indices.size() <= kMaxGpus) return indices;
  return Error(ErrorCode::kLimit, std::to_string(indices.size()) + " GPUs, evidence has room for " +
                                      std::to_string(kMaxGpus));
}

Status add_gpu(const Nvml& nvml, unsigned index, Bytes nonce, std::size_t number,
               std::vector<EvidenceItem>& items) {
  const nvml::Device device = TRY(nvml.device(index));
  const ByteVector both = TRY(nvml.report(device, nonce));
  if (both.size() <= kGpuRequestSize) {
    return Error(ErrorCode::kIo, "the GPU's report has " + std::to_string(both.size()) +
                                     " bytes, and its request alone " +
                                     std::to_string(kGpuRequestSize));
  }
  const Bytes bytes(both);
  items.push_back({gpu_kind(number, "request"), to_vector(bytes.first(kGpuRequestSize))});
  items.push_back({gpu_kind(number, "report"), to_vector(bytes.subspan(kGpuRequestSize))});
  ByteVector certificates = TRY(nvml.certificates(device));
  items.push_back({gpu_kind(number, "certificates"), std::move(certificates)});
  return done();
}

}  // namespace

Result<CollectedGpus> collect_gpus(const CollectGpuRequest& request) {
  if (request.nonce.size() != nvml::kNonceSize) {
    return Error(ErrorCode::kUsage,
                 "a GPU reports over 32 bytes, not " + std::to_string(request.nonce.size()));
  }
  const auto nvml = TRY(Nvml::open(request.library));
  CollectedGpus out;
  out.settings = nvml->settings();
  std::size_t number = 0;
  for (const unsigned index : TRY(indices_of(*nvml, request))) {
    TRY(add_gpu(*nvml, index, request.nonce, ++number, out.items)
            .within("GPU " + std::to_string(index)));
  }
  return out;
}

}  // namespace sealpack::attest
