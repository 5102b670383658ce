// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/bundle/release.h"
#include "packer/core/division.h"
#include "packer/schemes/layers/onnx_dataflow.h"
#include "runtime-loader/plan/oracle.h"
#include "runtime-loader/schemes/layers/parameters.h"

namespace sealpack::packer::layers {

// What a secure part gives away, in names.
struct Leaks {
  std::vector<std::string> returned;
  std::vector<std::string> answers;
  std::uint64_t inputs = 0;  // elements that cross into the secure part; 0 = not known
};
Leaks leaks_of(const plan::Dataflow& flow, const plan::Cut& cut,
               const std::vector<sealpack::layers::Crossing>& taps);

// kRefused for a division that hands out its weights to whoever may ask under `answer`
// (docs/PLANNING.md §3); then --accept-oracle is what accepts it. kRefused also, and for good,
// where values must go back as they are and the answer rule would shape them.
Status check_leaks(const Leaks& leaks, const bundle::AnswerRule& answer, bool accept_oracle);

// The scheme `layers`: a Division with what `build` asks of it besides.
class LayersDivision : public Division {
 public:
  // After divide().
  virtual const Leaks& leaks() const = 0;
  // What the loader cannot run of the secure part, as an error; done() if it can.
  virtual const Status& runnable() const = 0;
};

// Divides the one ONNX file that `plan` (a file of `sealpack plan`) was made for.
Result<std::unique_ptr<LayersDivision>> division_by_plan(const std::string& plan_path,
                                                         bool keep_metadata);

// Takes a model that was divided elsewhere: a folder with public.onnx, secure.onnx and, where
// values go back, after.onnx; split.toml says how they fit together (docs/USAGE.md).
Result<std::unique_ptr<LayersDivision>> division_by_folder(
    std::span<const models::InputFile> inputs);

}  // namespace sealpack::packer::layers
