// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/verb.h"

namespace sealpack::keystore {

void add_keygen(CLI::App& app, cli::Job& job);

}  // namespace sealpack::keystore

namespace sealpack::provision {

void add_provision(CLI::App& app, cli::Job& job);

}  // namespace sealpack::provision

namespace sealpack::broker {

void add_broker(CLI::App& app, cli::Job& job);

}  // namespace sealpack::broker
