// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "formats/bundle/layout.h"
#include "formats/files/output_file.h"
#include "keymgmt/crypto/secret_bytes.h"
#include "packer/core/assembly.h"

namespace sealpack::packer {

// How a sealed file is cut: its header, then data in segments of at most 64 MiB that end where a
// tensor ends if they can.
struct SegmentCut {
  bundle::SegmentKind kind{};
  std::uint64_t size = 0;
};
Result<std::vector<SegmentCut>> cut_segments(const models::OutputFile& file);

struct DataOptions {
  unsigned threads = 1;
  std::function<void(std::uint64_t)> progress = [](std::uint64_t) {};  // from any thread
};

// A bundle whose data are written and whose head is not.
struct WrittenData {
  bundle::Content content;
  ByteVector content_bytes;
  Digest content_digest;
  bundle::Layout layout;
};

// Encrypts and writes everything but the head into `out`: member headers, content manifest, trees,
// public and sealed files. `identity` carries uuid, authority, product, head size, plan and parent;
// its lists are filled in from the assembly. Memory: about 1 MiB a thread.
Result<WrittenData> write_data(const Assembly& assembly, bundle::Content identity,
                               const crypto::ContentKey& key, const OutputFile& out,
                               const DataOptions& options);

}  // namespace sealpack::packer
