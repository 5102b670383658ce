// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/dsse.h"

namespace sealpack::crypto {

ByteVector dsse_pae(std::string_view type, Bytes payload) {
  const std::string start = "DSSEv1 " + std::to_string(type.size()) + " " + std::string(type) +
                            " " + std::to_string(payload.size()) + " ";
  ByteVector encoding;
  encoding.reserve(start.size() + payload.size());
  encoding.insert(encoding.end(), start.begin(), start.end());
  encoding.insert(encoding.end(), payload.begin(), payload.end());
  return encoding;
}

}  // namespace sealpack::crypto
