// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/random.h"

#include <openssl/rand.h>

#include <algorithm>

namespace sealpack::crypto {

void random_bytes(MutableBytes out) {
  constexpr std::size_t kPiece = std::size_t{1} << 30U;  // RAND_bytes counts with an int
  while (!out.empty()) {
    const std::size_t size = std::min(out.size(), kPiece);
    if (RAND_bytes(out.data(), static_cast<int>(size)) != 1) die("the random generator failed");
    out = out.subspan(size);
  }
}

}  // namespace sealpack::crypto
