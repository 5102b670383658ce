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

// QEMU's models of AMD's servers (target/i386/cpu.c). Versions of one ("EPYC-Milan-v2") differ in
// features alone.
constexpr Model kModels[] = {
    {"EPYC", 23, 1, 2},        {"EPYC-Rome", 23, 49, 0}, {"EPYC-Milan", 25, 1, 1},
    {"EPYC-Genoa", 25, 17, 0}, {"EPYC-Turin", 26, 0, 0},
};
// Another name of EPYC-v2, without versions of its own.
constexpr Model kIbpb{"EPYC-IBPB", 23, 1, 2};

// "-v1" to "-v99".
bool is_version(std::string_view text) {
  constexpr std::string_view kBefore = "-v";
  if (!text.starts_with(kBefore)) return false;
  text.remove_prefix(kBefore.size());
  const bool digits = text.find_first_not_of("0123456789") == text.npos;
  return digits && !text.empty() && text.size() <= 2 && text[0] != '0';
}

const Model* find_model(std::string_view name) {
  if (name == kIbpb.name) return &kIbpb;
  for (const Model& known : kModels) {
    if (!name.starts_with(known.name)) continue;
    const std::string_view rest = name.substr(known.name.size());
    if (rest.empty() || is_version(rest)) return &known;
  }
  return nullptr;
}

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
  if (const Model* known = find_model(model)) {
    return processor_signature(known->family, known->model, known->stepping);
  }
  return Error(ErrorCode::kUsage, "unknown processor model " + printable(model))
      .with_hint(
          "name one of QEMU's EPYC models, or give family, model and stepping: --cpu-signature "
          "25,1,1");
}

std::vector<std::string_view> processor_models() {
  std::vector<std::string_view> names;
  for (const Model& model : kModels) names.push_back(model.name);
  names.push_back(kIbpb.name);
  return names;
}

}  // namespace sealpack::attest::snp
