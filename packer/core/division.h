// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>

#include "formats/bundle/content.h"
#include "formats/models/model.h"

namespace sealpack::packer {

// A model file as a scheme divided it.
struct DividedModel {
  std::vector<bool> sealed;  // one a tensor of the model, for the card
  models::Split split;
};

// How a scheme other than `whole` divides model files: packer/schemes/NAME. Used once, by
// assemble().
class Division {
 public:
  virtual ~Division() = default;

  // Called for every input that is a model. nullopt: not the scheme's, sealed as --seal and
  // --public say.
  virtual Result<std::optional<DividedModel>> divide(std::uint32_t file,
                                                     std::span<const models::InputFile> inputs,
                                                     const models::Model& model) = 0;
  // What the bundle's plan says; kUsage where the model it is for was not among the inputs.
  virtual Result<bundle::Plan> plan() const = 0;
};

}  // namespace sealpack::packer
