// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sealpack::crypto {

// Starts OpenSSL without its configuration file, so that OPENSSL_CONF in the environment cannot
// load libraries or change algorithms. For a program's main, before anything else here; a library
// leaves that to the program it is in.
void start_without_configuration();

}  // namespace sealpack::crypto
