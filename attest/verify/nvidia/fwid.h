// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "formats/base/bytes.h"
#include "keymgmt/x509/certificate.h"

namespace sealpack::attest {

// The digest of the firmware that a DICE layer certified: from a CompositeDeviceID in the extension
// 2.23.133.5.4.1 (Hopper), or the first FWID of a DiceTcbInfo in 2.23.133.5.4.1 or 2.23.133.5.4.1.1
// (TCG DICE Attestation Architecture, section 6.1). nullopt for a certificate without one of them;
// kMalformed for both or for other contents.
Result<std::optional<ByteVector>> fwid_of(const x509::Certificate& certificate);

// The same from the bytes of the extension.
Result<ByteVector> parse_fwid(Bytes extension);

}  // namespace sealpack::attest
