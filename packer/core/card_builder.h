// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "packer/core/assembly.h"

namespace sealpack::packer {

// Collects what the vendor says of a model in the clear, model file by model file.
class CardBuilder {
 public:
  explicit CardBuilder(bundle::Redaction redaction) : redaction_(redaction) {}

  // `sealed` has an element for each tensor of the model.
  void add(const models::Model& model, const std::vector<bool>& sealed, const models::Split& split);

  // Fills in the card. Outputs must be in their final order, by which files are numbered. kLimit
  // for what a card cannot hold.
  Status finish(Assembly& assembly) &&;

 private:
  struct Entry {
    bundle::CardTensor tensor;
    std::string output;  // path of the file that holds it
    bool sealed = false;
  };
  bool shows_fact(const std::string& key) const;
  std::vector<bundle::Fact> facts() const;

  bundle::Redaction redaction_;
  std::vector<Entry> entries_;
  std::map<std::string, std::string> facts_;
  std::uint64_t sealed_parameters_ = 0;
};

}  // namespace sealpack::packer
