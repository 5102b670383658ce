// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/verify/verify.h"

namespace sealpack::attest {
namespace {

Digest digest_of(std::string_view hex) {
  const auto bytes = from_hex(hex);
  Digest digest;
  if (!bytes.ok() || bytes->size() != digest.bytes.size()) die("a pinned root is no digest");
  std::copy(bytes->begin(), bytes->end(), digest.bytes.begin());
  return digest;
}

}  // namespace

// docs/attestation/roots.md says how each was obtained and how to check it.
Roots vendor_roots() {
  Roots roots;
  roots.amd = {// ARK-Milan, ARK-Genoa (Bergamo and Siena too), ARK-Turin
               digest_of("9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9"),
               digest_of("429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831"),
               digest_of("4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08")};
  // Intel SGX Root CA, of SGX and TDX
  roots.intel = {digest_of("a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e")};
  // aws.nitro-enclaves, G1
  roots.nitro = {digest_of("f2caf5ecc6190b4a8399b78bc58a2bbcd0382375db8a1bfd78a82743874fd225")};
  // NVIDIA Device Identity CA
  roots.nvidia = {digest_of("a90c4eb5acfd3e3d03a25db6a26b84f720ad0503196c627c21ddd48dd85b06a4")};
  // NVIDIA CoRIM signing Root CA, which signs manifests in XML too
  roots.nvidia_rim = {
      digest_of("dec1dc316477aa851eebdf51327ae9f864bc8d89254657ed1e7eb9168af1e1a3")};
  return roots;
}

}  // namespace sealpack::attest
