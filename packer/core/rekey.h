// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "packer/core/assembly.h"
#include "unpacker/core/bundle.h"

namespace sealpack::packer {

// The files of an open bundle as an assembly that build_bundle packs again, under a fresh content
// key and with fresh salts: same paths, same file map and card, segments cut where they were.
// Plaintext passes through memory piece by piece, each verified before it is used. `bundle` must
// outlive it.
Assembly assembly_of(const unpacker::OpenBundle& bundle);

}  // namespace sealpack::packer
