// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "formats/files/file_source.h"
#include "runtime-loader/core/launch.h"
#include "runtime-loader/tee/process/process_backend.h"
#include "runtime-loader/verbs/run_options.h"

namespace sealpack::loader {

// Whom the TEE knows the bundle's authority as.
inline constexpr const char* kOwner = "vendor";

// The bundle as the host sees it: it verifies by itself, so that it can say more than a TEE does.
struct HostBundle {
  std::shared_ptr<FileSource> file;
  unpacker::VerifiedBundle verified;
};

Result<HostBundle> open_bundle(const std::string& path, const unpacker::LoadedTrust& trust);

// What the TEE is launched with; `bundle` says which outputs are which, and is needed only where
// outputs are named.
Result<LaunchConfig> launch_config(const RunOptions& options, const unpacker::LoadedTrust& trust,
                                   const unpacker::VerifiedBundle* bundle);

Result<std::unique_ptr<tee::ProcessBackend>> launch_process(const RunOptions& options,
                                                            const std::vector<int>& bundles);

}  // namespace sealpack::loader
