// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/bundle/content.h"
#include "formats/files/input_tree.h"
#include "formats/models/detect.h"
#include "packer/core/division.h"

namespace sealpack::packer {

// What the user wants sealed. Globs match tensor names and paths of input files; each must match
// something. Without any, everything that carries weights is sealed. With `seal` alone, the other
// tensors are public; with `open` (--public), the others are sealed; where both match, sealed wins.
struct Selection {
  std::vector<std::string> open;
  std::vector<std::string> seal;
  std::vector<std::string> exclude;
  bool opaque = false;  // do not look into files
  bool keep_metadata = false;
  bundle::Redaction redaction = bundle::Redaction::kNone;
  // Divides the models that are its own; the globs hold for the rest. nullptr: none. The assembly
  // has its plan.
  Division* division = nullptr;
};

enum class Where { kSealed, kPublic, kExcluded };

// One row of the table that `build` prints: a tensor, or a file without tensors.
struct Entry {
  std::string path;  // of the input file
  std::string name;  // of the tensor; empty for a whole file
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t size = 0;
  Where where = Where::kSealed;
};

struct SealedOutput {
  models::OutputFile file;
  bundle::SealedKind kind = bundle::SealedKind::kModel;
};

// A model divided: which output holds which input bytes. Everything but keys, salts and roots.
struct Assembly {
  std::vector<models::InputFile> inputs;
  std::vector<models::OutputFile> public_files;  // ascending by path
  std::vector<SealedOutput> sealed_files;        // ascending by path
  std::vector<bundle::OriginalFile> originals;
  std::vector<bundle::ExcludedFile> excluded;
  bundle::Card card;
  bundle::Plan plan;
  std::vector<Entry> entries;
};

// kUsage for a glob without a match or nothing left to pack; what the model parsers refuse.
Result<Assembly> assemble(InputTree inputs, const Selection& selection);

// Fills in originals and adds the residue files: input bytes that no output copies.
Status add_residues(Assembly& assembly, const std::vector<bool>& is_excluded);

}  // namespace sealpack::packer
