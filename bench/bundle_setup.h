// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "keymgmt/crypto/private_key.h"
#include "unpacker/core/bundle.h"

// Throw-away keys and the opening of a bundle, for the benchmark programs.
namespace sealpack::bench {

struct Keys {
  std::unique_ptr<crypto::Signer> signer;
  crypto::WrappingKey recipient;
};

// Both keys of a folder; without any protection, as nothing of value is ever sealed with them.
Status store_new_keys(const std::filesystem::path& folder);
Result<Keys> load_keys(const std::filesystem::path& folder);

unpacker::Trust trust_in(const Keys& keys);
Result<unpacker::OpenBundle> open_bundle(std::shared_ptr<const BlockSource> source,
                                         const Keys& keys);

// A line of /proc/self/status in KiB ("VmHWM", "RssAnon"); 0 where there is none.
std::uint64_t memory_kib(std::string_view name);

double seconds_now();  // since some fixed moment

// The exit status of main: 0, or 1 after the message went to standard error.
int exit_status(const Status& status);

}  // namespace sealpack::bench
