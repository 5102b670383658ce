// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/files/file_source.h"
#include "formats/files/output_file.h"
#include "packer/core/release_writer.h"

// Giving a bundle another head: a new release, other slots. The data stay as they are.
namespace sealpack::packer {

// What a new release changes; empty keeps what the old one says.
struct ReleaseChange {
  std::optional<bundle::MeasurementPolicy> policy;
  std::optional<bundle::AnswerRule> answer;
  std::optional<std::uint64_t> not_before;
  std::optional<std::uint64_t> not_after;
  std::optional<std::string> version;
  std::optional<std::uint64_t> counter;
  std::optional<std::string> licence;
  std::optional<bundle::Escrow> escrow;
  bool empty() const;
};

// The release that follows `old`. Its counter is higher, always: the one asked for, else the larger
// of `now` (Unix seconds) and the old one plus 1. kUsage when the one asked for is not higher.
Result<bundle::Release> next_release(const bundle::Release& old, const ReleaseChange& change,
                                     std::uint64_t now);

// kRefused when a release that demands attestation would have direct slots other than its escrow's;
// kUsage when there is no slot at all.
Status check_slots(const bundle::Release& release, const std::vector<bundle::Slot>& slots);

// Whether one of the slots is for this recipient; false for passphrases, which show no recipient.
bool has_slot_for(const std::vector<bundle::Slot>& slots, const Recipient& recipient);

// Copies the bundle with another head. kLimit when that does not fit.
Status write_copy(const FileSource& bundle, const bundle::Head& head, std::uint32_t head_size,
                  const OutputFile& out);

}  // namespace sealpack::packer
