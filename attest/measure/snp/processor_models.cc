// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/snp/launch_digest.h"

namespace sealpack::attest::snp {
namespace {

struct Model {
  std::string_view name;
  std::uint32_t family;
  std::uint32_t model;
  std::uint32_t stepping;
};

// QEMU's models of AMD's servers (target/i386/cpu.c); versions of one differ in features alone.
constexpr Model kModels[] = {
    {"EPYC", 23, 1, 2},           {"EPYC-v1", 23, 1, 2},       {"EPYC-v2", 23, 1, 2},
    {"EPYC-IBPB", 23, 1, 2},      {"EPYC-v3", 23, 1, 2},       {"EPYC-v4", 23, 1, 2},
    {"EPYC-Rome", 23, 49, 0},     {"EPYC-Rome-v1", 23, 49, 0}, {"EPYC-Rome-v2", 23, 49, 0},
    {"EPYC-Rome-v3", 23, 49, 0},  {"EPYC-Rome-v4", 23, 49, 0}, {"EPYC-Milan", 25, 1, 1},
    {"EPYC-Milan-v1", 25, 1, 1},  {"EPYC-Milan-v2", 25, 1, 1}, {"EPYC-Genoa", 25, 17, 0},
    {"EPYC-Genoa-v1", 25, 17, 0}, {"EPYC-Turin", 26, 0, 0},
};

}  // namespace

std::uint32_t processor_signature(std::uint32_t family, std::uint32_t model,
                                  std::uint32_t stepping) {
  constexpr std::uint32_t kExtended = 0xF;
  const std::uint32_t base_family = family > kExtended ? kExtended : family;
  const std::uint32_t more_family = family > kExtended ? family - kExtended : 0;
  return (more_family & 0xFFU) << 20U | (model >> 4U & 0xFU) << 16U | base_family << 8U |
         (model & 0xFU) << 4U | (stepping & 0xFU);
}

Result<std::uint32_t> processor_signature(std::string_view model) {
  for (const Model& known : kModels) {
    if (known.name == model) {
      return processor_signature(known.family, known.model, known.stepping);
    }
  }
  return Error(ErrorCode::kUsage, "unknown processor model " + printable(model))
      .with_hint("name one of QEMU's EPYC models, or give family, model and stepping");
}

std::vector<std::string_view> processor_models() {
  std::vector<std::string_view> names;
  for (const Model& model : kModels) names.push_back(model.name);
  return names;
}

}  // namespace sealpack::attest::snp
