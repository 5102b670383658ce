// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/verbs: what the verbs of provisioning share.

#include <memory>

#include "formats/cli/verb.h"
#include "keymgmt/provision/device_files.h"

namespace sealpack::provision {

// Verbs for the device, for the vendor, and for whoever wonders what a file is.
void add_device_verbs(CLI::App& provision, cli::Job& job);
void add_vendor_verbs(CLI::App& provision, cli::Job& job);
void add_show_verb(CLI::App& provision, cli::Job& job);

// A verb that runs with these options; the caller adds what sets them.
template <typename Options>
CLI::App* add_verb(CLI::App& provision, cli::Job& job, const std::shared_ptr<Options>& options,
                   const char* name, const char* text, std::string footer,
                   Status (*run)(const Options&, cli::Terminal&)) {
  CLI::App* verb = provision.add_subcommand(name, text);
  verb->footer(std::move(footer));
  verb->callback([options, run, &job] {
    job = [options, run](cli::Terminal& terminal) { return run(*options, terminal); };
  });
  return verb;
}

// 0x01805ea1; kUsage.
Result<std::uint32_t> parse_index(const std::string& text);

// PCR values as `provision pcrs` prints them: lines "INDEX HEX", ascending. kMalformed.
Result<std::vector<tpm::PcrValue>> parse_pcr_lines(std::string_view text, const std::string& name);
std::string format_pcrs(const std::vector<tpm::PcrValue>& values);

// "4,9,11". kUsage.
Result<tpm::PcrMask> parse_pcr_list(const std::string& text);

}  // namespace sealpack::provision
