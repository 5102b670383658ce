// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>

#include "keymgmt/broker/server/api.h"
#include "keymgmt/broker/store.h"
#include "keymgmt/crypto/signature.h"

namespace sealpack::broker {

// Entries in one answer, and their bytes; one at least.
inline constexpr std::uint64_t kMaxEntriesInAnswer = 256;
inline constexpr std::size_t kMaxEntryBytesInAnswer = std::size_t{1} << 20U;

// The log of a store as the server tells it. Digests and entries are hex. A checkpoint is signed
// when somebody asks and the last one is older than `fresh`. The queries share what is passed.
LogQueries log_queries(std::shared_ptr<Store> store, std::shared_ptr<const crypto::Signer> signer,
                       std::chrono::seconds fresh = std::chrono::seconds(1));

// What /v1/keys tells: the keys in use now, for those who pin them, as JSON.
Result<std::string> keys_json(const State& state, std::uint64_t now, bool lab);

}  // namespace sealpack::broker
