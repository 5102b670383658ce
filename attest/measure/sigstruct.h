// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "formats/base/bytes.h"

namespace sealpack::attest {

// What signs an SGX enclave and says what it is (SDM volume 3D, table "SIGSTRUCT"): the file that
// signing tools write, `.sig`.
struct Sigstruct {
  static constexpr std::size_t kSize = 1808;
  std::array<std::uint8_t, 32> mrenclave{};
  std::array<std::uint8_t, 32> mrsigner{};  // SHA-256 of the modulus as it lies there
  std::uint16_t isv_prod_id = 0;
  std::uint16_t isv_svn = 0;
  bool debug = false;       // ATTRIBUTES.DEBUG
  bool debug_open = false;  // the launcher may choose DEBUG: the mask does not cover it
};

// kMalformed; kNotAuthentic where the signature is not by the key inside.
Result<Sigstruct> parse_sigstruct(Bytes bytes);

}  // namespace sealpack::attest
