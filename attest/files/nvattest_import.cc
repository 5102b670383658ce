// SPDX-License-Identifier: Apache-2.0
#include "attest/files/nvattest_import.h"

#include <set>

#include "attest/evidence/gpu_items.h"
#include "attest/files/evidence_file.h"
#include "attest/files/text_encodings.h"
#include "formats/models/json_reader.h"

namespace sealpack::attest {
namespace {

using models::JsonReader;

constexpr std::uint8_t kGetMeasurements = 0xe0;
constexpr std::uint8_t kMeasurements = 0x60;

struct Gpu {
  ByteVector evidence;
  ByteVector certificates;
};

Result<Gpu> read_gpu(JsonReader& in) {
  Gpu gpu;
  std::set<std::string> seen;
  TRY(in.begin_object("GPU"));
  while (const auto key = TRY(in.next_key())) {
    if (!seen.insert(*key).second) return in.malformed("member " + printable(*key) + " twice");
    if (*key == "evidence") {
      gpu.evidence = TRY(decode_base64(TRY(in.string(*key))).within(*key));
    } else if (*key == "certificate") {
      gpu.certificates = TRY(decode_base64(TRY(in.string(*key))).within(*key));
    } else {
      TRY(in.skip_value());
    }
  }
  if (gpu.evidence.empty() || gpu.certificates.empty()) {
    return in.malformed("a GPU without its evidence or its certificate");
  }
  return gpu;
}

Status add_gpu(const Gpu& gpu, std::size_t number, Evidence& evidence) {
  const auto one = parse_gpu_report(gpu.evidence);
  if (!one) {
    return Error(ErrorCode::kMalformed, "the evidence of GPU " + std::to_string(number) +
                                            " is not its request and report");
  }
  for (const std::string_view part : {"request", "report"}) {
    TRY(set_item(evidence, gpu_kind(number, part), *one->find(gpu_kind(1, part))));
  }
  return set_item(evidence, gpu_kind(number, "certificates"), gpu.certificates);
}

Result<Evidence> read_gpus(JsonReader& in) {
  Evidence evidence{"nvidia-gpu", {}};
  std::size_t number = 0;
  TRY(in.begin_array("GPUs"));
  while (TRY(in.next_element())) {
    if (number == kMaxGpus) return in.malformed("more than 8 GPUs");
    TRY(add_gpu(TRY(read_gpu(in)), ++number, evidence));
  }
  if (number == 0) return in.malformed("no GPU");
  return evidence;
}

}  // namespace

std::optional<Evidence> parse_gpu_report(Bytes bytes) {
  if (bytes.size() <= kGpuRequestSize + 2) return {};
  const bool version = bytes[0] >= 0x11 && bytes[0] <= 0x13 && bytes[kGpuRequestSize] == bytes[0];
  if (!version || bytes[1] != kGetMeasurements || bytes[kGpuRequestSize + 1] != kMeasurements) {
    return {};
  }
  return Evidence{"nvidia-gpu",
                  {{"gpu-request", to_vector(bytes.first(kGpuRequestSize))},
                   {"gpu-report", to_vector(bytes.subspan(kGpuRequestSize))}}};
}

Result<Evidence> parse_nvattest(Bytes json) {
  JsonReader in(json, "nvattest's JSON");
  if (TRY(in.peek()) == JsonReader::Kind::kArray) {
    Evidence evidence = TRY(read_gpus(in));
    TRY(in.finish());
    return evidence;
  }
  std::optional<Evidence> evidence;
  TRY(in.begin_object("evidence"));
  while (const auto key = TRY(in.next_key())) {
    if (*key != "evidences") {
      TRY(in.skip_value());
    } else if (evidence) {
      return in.malformed("member 'evidences' twice");
    } else {
      evidence = TRY(read_gpus(in));
    }
  }
  TRY(in.finish());
  if (!evidence) return in.malformed("no member 'evidences'");
  return std::move(*evidence);
}

}  // namespace sealpack::attest
