// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "formats/bundle/head.h"
#include "formats/bundle/release.h"
#include "formats/files/output_file.h"
#include "keymgmt/crypto/signature.h"
#include "packer/core/recipients.h"

namespace sealpack::packer {

using Signers = std::vector<std::unique_ptr<crypto::Signer>>;

// Refuses before anything is written what would fail at its end: no signer or one that repeats, and
// a release that no reader would take. Its digests and sizes may still be open. kUsage, kMalformed,
// kLimit.
Status check_release(const bundle::Release& release, const Signers& signers);

// Refuses what a reader would: a policy with measurements beside direct recipients other than the
// escrow. kRefused.
Status check_recipients(const bundle::Release& release, const std::vector<Recipient>& recipients);

// Serialises, checks and signs the release with every signer. kLimit, kUsage, what signers fail
// with.
Result<bundle::Envelope> sign_release(const bundle::Release& release, const Signers& signers);

// An upper bound of the encoded head, for choosing the head's size before anything is written.
std::uint64_t head_size_bound(const bundle::Release& release, std::size_t signer_count,
                              const std::vector<Recipient>& recipients);

// Writes the head of a bundle that is not published yet.
Status write_new_head(const bundle::Head& head, std::uint32_t head_size, const OutputFile& out);

}  // namespace sealpack::packer
