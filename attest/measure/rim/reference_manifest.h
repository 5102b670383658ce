// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "formats/base/reason.h"
#include "keymgmt/x509/chain.h"

// Reference integrity manifests of NVIDIA's GPUs: SWID tags (ISO/IEC 19770-2) as TCG's RIM
// information model has them, signed with an XML signature.
namespace sealpack::rim {

// NVIDIA's have 20 KiB; libxml2 takes the square of an element's attributes.
inline constexpr std::size_t kMaxXmlSize = 256U << 10U;
inline constexpr unsigned kMaxXmlDepth = 16;        // elements inside each other
inline constexpr std::size_t kMaxXmlNodes = 20000;  // elements, attributes and texts
// In all elements together; NVIDIA's have 6. Canonicalising takes their number times that of the
// elements.
inline constexpr std::size_t kMaxXmlNamespaces = 16;

// Accepted values of one measurement. Without any: this manifest says nothing of that index.
struct GoldenMeasurement {
  unsigned index = 0;              // 0 to 63
  std::vector<ByteVector> values;  // SHA-384; ascending and distinct
};

enum class ManifestKind { kDriver, kVbios };

struct ReferenceManifest {
  ManifestKind kind = ManifestKind::kDriver;
  std::string product;       // "GH100"
  std::string architecture;  // as the claim has it: "hopper", "blackwell"
  std::string version;       // as the claim has it: "580.95.05", "96.00.5E.00.01"
  std::string tag_id;
  std::vector<GoldenMeasurement> measurements;  // active ones, ascending by index
  std::vector<x509::Certificate> signers;       // the chain, its root last
};

struct ManifestRules {
  std::uint64_t now = 0;               // Unix seconds
  std::span<const Digest> roots = {};  // SPKI digests: NVIDIA's is attest::Roots::nvidia_rim
  // What proves that no signer was revoked, as ChainRules has it. Required of all of them, or taken
  // where it is there.
  std::span<const ByteVector> revocation_lists = {};
  std::span<const x509::OcspResponse> ocsp_responses = {};
  bool must_be_unrevoked = false;
};

// What is read is what was signed: the signature is verified over the whole document, by the first
// of its certificates, once its chain leads to a root: nobody else has documents canonicalised.
// kMalformed; kLimit; kUnsupported for another
// form of signature, another product, a supplement or a patch; kNotAuthentic with all reasons
// ("chain.…", "rim.signature", "rim.leaf").
Result<ReferenceManifest> verify_manifest(Bytes xml, const ManifestRules& rules,
                                          std::vector<Reason>& reasons);

// What a document says, whoever wrote it: for fuzzing alone, which can sign nothing. Of the
// signature its form is checked. As above, but never kNotAuthentic; without signers.
Result<ReferenceManifest> read_manifest_that_nobody_verified(Bytes xml);

}  // namespace sealpack::rim
