// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "formats/cli/json_output.h"
#include "unpacker/verbs/opening.h"

// What `inspect` tells of a bundle, for people and for programs.
namespace sealpack::unpacker {

struct InspectedBundle {
  std::string path;
  std::uint64_t file_size = 0;
  bool verified = false;  // else it is what the bundle claims
  bundle::LoadedHead head;
  bundle::Release release;
  bundle::Content content;
};

// Verified when trust is given, claimed without.
Result<InspectedBundle> load_inspected(const std::string& path, const TrustOptions& trust);

struct DtypeCount {
  std::uint64_t tensors = 0;
  std::uint64_t elements = 0;
};

// Numbers that follow from the manifest. Sums stop at 2^64 - 1: the card is the vendor's word.
struct BundleSums {
  std::uint64_t public_bytes = 0;
  std::uint64_t sealed_bytes = 0;  // of plaintext
  std::uint64_t public_tensors = 0;
  std::uint64_t sealed_tensors = 0;
  std::uint64_t public_parameters = 0;
  std::map<std::string, DtypeCount> dtypes;
};
BundleSums sums_of(const bundle::Content& content);

// Number of elements of a tensor, at most 2^64 - 1.
std::uint64_t element_count(const std::vector<std::uint64_t>& shape);

// Whether and how a key alone opens the bundle, in words.
std::string opens_without_attestation(const InspectedBundle& bundle);
// Whether a direct slot for the escrow key is in the bundle.
bool has_escrow_slot(const InspectedBundle& bundle);

const char* to_string(bundle::Redaction redaction);
// The path of file number `file`.
const std::string& path_of(const bundle::Content& content, std::uint32_t file);

void print_bundle_json(const InspectedBundle& bundle, bool tensors, cli::Terminal& terminal);
void print_bundle(const InspectedBundle& bundle, bool tensors, std::ostream& out);

}  // namespace sealpack::unpacker
