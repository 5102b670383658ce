// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack::crypto {

// What a DSSE signature signs (github.com/secure-systems-lab/dsse, protocol.md): the
// pre-authentication encoding "DSSEv1 SIZE TYPE SIZE PAYLOAD", sizes in decimal, so that no payload
// of one type can be read as one of another.
ByteVector dsse_pae(std::string_view type, Bytes payload);

}  // namespace sealpack::crypto
