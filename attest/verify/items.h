// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "attest/evidence/evidence.h"
#include "formats/base/reason.h"

namespace sealpack::attest {

// nullptr and the reason "evidence.item-missing" where there is none.
const ByteVector* require_item(const Evidence& evidence, std::string_view kind,
                               std::vector<Reason>& reasons);

// Adds "evidence.item-unknown" for each item that is neither of `known` nor about a GPU beside the
// TEE: bytes that nobody judges would travel as if somebody had.
void check_items(const Evidence& evidence, std::span<const std::string_view> known,
                 std::vector<Reason>& reasons);

}  // namespace sealpack::attest
