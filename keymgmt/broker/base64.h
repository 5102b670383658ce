// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack::broker {

// RFC 4648 §4, standard alphabet with padding, as signed notes have it: one text per content.
std::string to_base64(Bytes bytes);
Result<ByteVector> from_base64(std::string_view text);  // kMalformed

}  // namespace sealpack::broker
