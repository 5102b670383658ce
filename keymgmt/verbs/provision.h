// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/verbs: what the verbs of provisioning share.

#include "formats/cli/verb.h"
#include "keymgmt/provision/device_files.h"

namespace sealpack::provision {

// Verbs for the device, and for the vendor.
void add_device_verbs(CLI::App& provision, cli::Job& job);
void add_vendor_verbs(CLI::App& provision, cli::Job& job);

// 0x01805ea1; kUsage.
Result<std::uint32_t> parse_index(const std::string& text);

// PCR values as `provision pcrs` prints them: lines "INDEX HEX", ascending. kMalformed.
Result<std::vector<tpm::PcrValue>> parse_pcr_lines(std::string_view text, const std::string& name);
std::string format_pcrs(const std::vector<tpm::PcrValue>& values);

// "4,9,11". kUsage.
Result<tpm::PcrMask> parse_pcr_list(const std::string& text);

}  // namespace sealpack::provision
