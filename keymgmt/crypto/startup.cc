// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/startup.h"

#include <openssl/crypto.h>

#include "formats/base/error.h"

namespace sealpack::crypto {

void start_without_configuration() {
  if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) die("OpenSSL does not start");
}

}  // namespace sealpack::crypto
