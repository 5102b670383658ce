// SPDX-License-Identifier: Apache-2.0
#include "formats/models/opaque.h"

#include "formats/models/split.h"

namespace sealpack::models {
namespace {

class OpaqueModel : public Model {
 public:
  OpaqueModel(std::uint32_t file, InputFile input) : file_(file), input_(std::move(input)) {}

  Format format() const override { return Format::kOpaque; }
  const std::vector<Tensor>& tensors() const override { return tensors_; }
  Result<Split> split(const std::vector<bool>& sealed) const override {
    return split_whole(whole_file(file_, input_), TRY(check_selection(sealed, *this)));
  }

 private:
  std::uint32_t file_;
  InputFile input_;
  std::vector<Tensor> tensors_;
};

}  // namespace

std::unique_ptr<Model> open_opaque(std::uint32_t file, const InputFile& input) {
  return std::make_unique<OpaqueModel>(file, input);
}

}  // namespace sealpack::models
