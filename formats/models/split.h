// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "formats/models/model.h"

namespace sealpack::models {

// What the splits of all formats share.

// Which tensors are secret. A model without tensors is kAll: in doubt, sealed.
enum class Selection { kAll, kNone, kSome };

// kUsage when `sealed` has not one element for each tensor of `model`.
Result<Selection> check_selection(const std::vector<bool>& sealed, const Model& model);

// The undivided `file` on the side that `selection` (kAll or kNone) names.
Split split_whole(OutputFile file, Selection selection);

// Adds a piece unless it is empty.
void append_range(OutputFile& out, const SourceRange& range);

std::uint64_t piece_size(const Piece& piece);

}  // namespace sealpack::models
