// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/items.h"

#include <algorithm>

#include "attest/evidence/gpu_items.h"

namespace sealpack::attest {

const ByteVector* require_item(const Evidence& evidence, std::string_view kind,
                               std::vector<Reason>& reasons) {
  const ByteVector* bytes = evidence.find(kind);
  if (bytes == nullptr) {
    reasons.push_back({"evidence.item-missing", "evidence of " + printable(evidence.tee) +
                                                    " without the item " + std::string(kind)});
  }
  return bytes;
}

void check_items(const Evidence& evidence, std::span<const std::string_view> known,
                 std::vector<Reason>& reasons) {
  for (const EvidenceItem& item : evidence.items) {
    if (is_gpu_kind(item.kind)) continue;
    if (std::find(known.begin(), known.end(), item.kind) != known.end()) continue;
    reasons.push_back({"evidence.item-unknown", "evidence of " + printable(evidence.tee) +
                                                    " has no item " + printable(item.kind)});
  }
}

}  // namespace sealpack::attest
