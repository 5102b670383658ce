// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::measure {

// How a machine starts, as docs/attestation/tpm.md lays down: a TOML file that says what is loaded.

// What an event measures. File names are relative to the description.
struct Measured {
  enum class Kind { kFile, kPe, kCommandLine, kText, kDigest };
  Kind kind = Kind::kDigest;
  std::string text;  // file name, command line or text
  Digest digest;     // of kDigest
};

// One event of a recorded log that measures something else now.
struct Replacement {
  std::uint8_t pcr = 0;
  std::optional<std::uint64_t> event;      // the n-th of its PCR, from 1
  std::optional<std::string> description;  // text in the event's data, in UTF-8 or UTF-16
  Measured by;
};

struct RecordedBoot {
  std::string file;  // crypto-agile event log
  std::vector<Replacement> replacements;
};

// A Linux kernel with its EFI stub, computed without any log.
struct LinuxBoot {
  enum class Loader {
    kQemu,         // -kernel, -initrd and -append with OVMF
    kFirmware,     // the kernel itself as an EFI boot option, the initrd by LoadFile2
    kSystemdStub,  // a unified kernel image of systemd-stub as an EFI boot option
  };
  enum class Machine { kQ35, kPc };
  Loader loader = Loader::kQemu;
  std::string kernel;                 // or the unified image
  std::optional<std::string> initrd;  // not of a unified image
  std::optional<std::string> command_line;
  Machine machine = Machine::kQ35;
  std::uint64_t memory = 0;               // bytes; QEMU
  std::uint64_t failed_boot_options = 0;  // that the firmware tried before
  std::uint64_t systemd_version = 0;      // of the stub in a unified image, 252 to 255
};

// At least one of the two. PCRs that are computed take precedence over those of the log.
struct BootDescription {
  std::optional<RecordedBoot> recorded;
  std::optional<LinuxBoot> linux_boot;
};

// `name` stands for the file in messages. kMalformed, with the line.
Result<BootDescription> parse_boot_description(std::string_view toml, const std::string& name);

}  // namespace sealpack::measure
