// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "packer/core/data_writer.h"
#include "packer/core/release_writer.h"

namespace sealpack::packer {

// Everything a bundle is made of, opened and checked.
struct BuildRequest {
  std::filesystem::path output;
  Overwrite overwrite = Overwrite::kRefuse;
  Signers signers;
  Digest authority;
  std::vector<Recipient> recipients;
  // Product, version, counter, validity, policy, answer, licence and escrow; the rest is filled in.
  bundle::Release release;
  std::optional<Digest> parent;
  bundle::Plan plan;
  DataOptions data;
};

struct BuildReport {
  bundle::Uuid uuid{};
  Digest content_digest;
  Digest release_digest;
  std::uint64_t file_size = 0;
  std::uint32_t head_size = 0;
};

// Writes the bundle; it appears under its name complete or not at all.
Result<BuildReport> build_bundle(const Assembly& assembly, const BuildRequest& request);

}  // namespace sealpack::packer
