// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/terminal.h"
#include "packer/core/assembly.h"
#include "packer/schemes/layers/layers_division.h"
#include "packer/verbs/build_options.h"

// The scheme that a build asks for: --plan, --split, or neither.
namespace sealpack::packer {

// kUsage for options that contradict each other. With --split, the folder becomes the model.
Status check_division_options(BuildOptions& options);

// nullptr: scheme `whole`.
Result<std::unique_ptr<layers::LayersDivision>> load_division(
    const BuildOptions& options, std::span<const models::InputFile> inputs);

// What must hold of a division once the release is known: that the loader can run the secure part
// (kUnsupported, naming what it cannot), and that it does not give its weights away (kRefused).
Status check_division(const layers::LayersDivision& division, const bundle::AnswerRule& answer,
                      const BuildOptions& options, cli::Terminal& terminal);

// Says of sealed ONNX files what the loader could not run of them: such a bundle can still be
// unsealed and used elsewhere.
void note_what_cannot_run(const Assembly& assembly, cli::Terminal& terminal);

}  // namespace sealpack::packer
