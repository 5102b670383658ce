// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "runtime-loader/core/scheme.h"
#include "runtime-loader/nn/graph.h"
#include "runtime-loader/nn/services.h"

namespace sealpack::loader {

// The weights of a secure model, verified and decrypted straight to where they are wanted. Two
// readers: one for the thread that runs and one for the thread that fetches ahead; a third thread
// must not call. The bundle must outlive it.
class BundleWeights final : public nn::WeightSource {
 public:
  // `leaves`: chunks read at once, 1 to 16. With 16, a reader takes 720 KiB; with fewer, only what
  // FileReader takes.
  BundleWeights(const unpacker::OpenBundle& bundle, std::vector<ModelFile> files,
                std::size_t leaves);
  ~BundleWeights() override;

  Status read(std::uint32_t file, std::uint64_t offset, MutableBytes out) override;
  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  struct Reader;
  const unpacker::OpenBundle* bundle_;
  std::vector<ModelFile> files_;
  std::size_t leaves_;
  std::array<std::unique_ptr<Reader>, 2> readers_;
  std::array<std::atomic_flag, 2> held_{};  // a thread uses this reader
  std::atomic<std::uint64_t> bytes_read_{0};
};

}  // namespace sealpack::loader
