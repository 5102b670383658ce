// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <map>

#include "attest/measure/pcr/boot_description.h"

namespace sealpack::measure {

// Values of the SHA-256 bank after the boot that a description tells of.
using PcrMap = std::map<std::uint8_t, Digest>;

// The content of a file that the description names.
using FileLoader = std::function<Result<ByteVector>(const std::string& name)>;

// Of a recorded log: every PCR that it mentions. Of a computed boot: PCR 4 (what the firmware ran)
// and 9 (command line and initrd, as the kernel's EFI stub measures them). Of a unified image PCR
// 11 too, as its stub leaves it; not PCR 9 where the stub adds files to the initrd. PCRs of the
// firmware itself are in no description: a log has them.
Result<PcrMap> predict_pcrs(const BootDescription& description, const FileLoader& load);

// The description in a file, and what it names beside it.
Result<PcrMap> predict_pcrs(const std::filesystem::path& description);

}  // namespace sealpack::measure
