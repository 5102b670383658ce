// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "formats/base/bytes.h"

namespace sealpack::bench {

// What stands for the TEEs of the load: makes evidence as fast as a signature can be made. For
// several threads.
class EvidenceMaker {
 public:
  virtual ~EvidenceMaker() = default;
  virtual std::string tee() const = 0;
  // Serialized Evidence over `report_data`.
  virtual ByteVector make(Bytes report_data) const = 0;
};

// Simulated TEEs under the root in `key` (SIMULATED), which measure as `measurement`.
std::unique_ptr<EvidenceMaker> simulated_maker(const std::filesystem::path& key,
                                               const Digest& measurement);
// A processor of AMD's kind with keys of a test authority, whose certificates it puts into
// `folder`: ark.pem for the broker's roots, endorsements/ for its endorsements, and in `evidence`
// some evidence for a policy to be made from.
std::unique_ptr<EvidenceMaker> snp_maker(const std::filesystem::path& folder);

}  // namespace sealpack::bench
