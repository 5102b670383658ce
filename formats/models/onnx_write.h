// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "formats/models/model.h"
#include "formats/models/onnx_wire.h"

namespace sealpack::models::onnx {

inline constexpr std::uint64_t kMaxLiteralRange = 1024;  // longer bytes stay ranges of the source

// What the written model has other than the parsed one. New fields take part in no further edits.
struct Edits {
  std::unordered_set<const Field*> dropped;
  std::unordered_map<const Field*, Field> replaced;
  std::unordered_map<const Message*, std::vector<Field>> prepended;  // before a message's fields
  std::unordered_map<const Message*, std::vector<Field>> appended;   // behind them
  bool drop_descriptive = true;  // documentation, metadata_props, producer, model domain
};

// Serializes the edited model; lengths of messages are computed anew. Bytes fields and lists are
// copied from `source`, which is input `file`: short ones as bytes, others as ranges.
Result<std::vector<Piece>> serialize_model(const BlockSource& source, std::uint32_t file,
                                           const Message& model, const Edits& edits);

}  // namespace sealpack::models::onnx
