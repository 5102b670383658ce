// SPDX-License-Identifier: Apache-2.0
// Stands in for NVIDIA's management library. What it answers is decided by the first bytes of the
// nonce, so that one library serves all tests.
#include <algorithm>
#include <cstring>
#include <iterator>

#include "attest/evidence/collect/nvml.h"

namespace {

using namespace sealpack::attest;

bool started = false;
int devices[2];
constexpr char kChain[] = "-----BEGIN CERTIFICATE-----\n";

}  // namespace

extern "C" {

unsigned nvmlInit_v2() {
  started = true;
  return nvml::kSuccess;
}

unsigned nvmlShutdown() {
  started = false;
  return nvml::kSuccess;
}

unsigned nvmlDeviceGetCount_v2(unsigned* count) {
  *count = std::size(devices);
  return nvml::kSuccess;
}

unsigned nvmlDeviceGetHandleByIndex_v2(unsigned index, nvml::Device* out) {
  if (index >= std::size(devices)) return 2;
  *out = &devices[index];
  return nvml::kSuccess;
}

unsigned nvmlSystemGetConfComputeSettings(nvml::Settings* settings) {
  if (!started || settings->version != nvml::kSettingsVersion) return 25;
  settings->environment = 2;
  settings->feature = 1;
  settings->dev_tools = 1;
  settings->multi_gpu = 7;
  return nvml::kSuccess;
}

unsigned nvmlDeviceGetConfComputeGpuCertificate(nvml::Device, nvml::Certificate* out) {
  out->attestation_chain_size = sizeof kChain - 1;
  std::memcpy(out->attestation_chain, kChain, sizeof kChain - 1);
  return nvml::kSuccess;
}

// Nonce: [0] what to answer, [1] and [2] the size of the report.
unsigned nvmlDeviceGetConfComputeGpuAttestationReport(nvml::Device handle, nvml::Report* out) {
  if (!started || (handle != &devices[0] && handle != &devices[1])) return 999;
  if (out->nonce[0] != 0) return out->nonce[0];
  out->report_size = static_cast<unsigned>(out->nonce[1]) << 8U | out->nonce[2];
  const std::uint8_t content = handle == &devices[0] ? 0x60 : 0x61;
  std::fill(std::begin(out->report), std::end(out->report), content);
  const std::uint8_t head[] = {0x11, 0xE0, 0x01, 0xFF};
  std::copy(std::begin(head), std::end(head), out->report);
  std::copy(std::begin(out->nonce), std::end(out->nonce), out->report + 4);
  out->report[36] = 0;
  return nvml::kSuccess;
}

}  // extern "C"
