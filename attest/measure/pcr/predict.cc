// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/pcr/predict.h"

#include <algorithm>

#include "attest/measure/pcr/pe_image.h"
#include "attest/measure/pcr/qemu_kernel.h"
#include "attest/verify/tpm/event_log.h"
#include "attest/verify/tpm/tpm_algorithms.h"
#include "formats/files/file_source.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::measure {
namespace {

using attest::EventLog;
using attest::LoggedEvent;

constexpr std::uint64_t kMaxFile = std::uint64_t{1} << 30U;
constexpr std::uint8_t kBootPcr = 4;
constexpr std::uint8_t kStubPcr = 9;
constexpr std::uint8_t kUnifiedPcr = 11;
constexpr std::string_view kCalling = "Calling EFI Application from Boot Option";
constexpr std::string_view kReturning = "Returning from EFI Application from Boot Option";
// What QEMU's loader in OVMF appends where there is an initrd.
constexpr std::string_view kQemuInitrd = " initrd=initrd";
// The sections that systemd-stub measures, in its order, and since which version.
struct UnifiedSection {
  std::string_view name;
  std::uint64_t since;
};
constexpr UnifiedSection kUnifiedSections[] = {
    {".linux", 252}, {".osrel", 252}, {".cmdline", 252}, {".initrd", 252}, {".splash", 252},
    {".dtb", 252},   {".uname", 253}, {".sbat", 254},    {".pcrpkey", 252}};
// With one of these the stub adds files to the initrd that it hands on.
constexpr std::string_view kAddedToInitrd[] = {".pcrsig", ".pcrpkey"};

// A PCR that starts at zero.
class Register {
 public:
  void extend(const Digest& digest) {
    value_ = crypto::Sha256().update(value_.bytes).update(digest.bytes).finish();
  }
  void measure(Bytes data) { extend(crypto::sha256(data)); }
  const Digest& value() const { return value_; }

 private:
  Digest value_;
};

// UTF-16 little-endian with its NUL, as EFI passes load options.
Result<ByteVector> load_options(std::string_view command_line) {
  ByteVector out;
  const auto append = [&](std::uint32_t unit) {
    out.push_back(static_cast<std::uint8_t>(unit & 0xffU));
    out.push_back(static_cast<std::uint8_t>(unit >> 8U));
  };
  for (const char letter : command_line) {
    const auto unit = static_cast<unsigned char>(letter);
    if (unit < 0x20 || unit >= 0x7f) {
      return Error(ErrorCode::kUnsupported, "a command line with " +
                                                printable(std::string_view(&letter, 1)) +
                                                ", which is no printable ASCII");
    }
    append(unit);
  }
  append(0);
  return out;
}

void measure_separator(Register& pcr) {
  constexpr std::uint8_t kSeparator[4] = {};
  pcr.measure(kSeparator);
}

// What firmware measures into PCR 4 before it runs a boot option.
void measure_boot_option(Register& pcr, std::uint64_t failed) {
  pcr.measure(as_bytes(kCalling));
  measure_separator(pcr);
  for (std::uint64_t i = 0; i < failed; ++i) {
    pcr.measure(as_bytes(kReturning));
    pcr.measure(as_bytes(kCalling));
  }
}

// All of a section; nullptr where the image has none.
Result<const PeSection*> find_section(const PeImage& image, std::string_view name) {
  const PeSection* found = nullptr;
  for (const PeSection& section : image.sections) {
    if (section.name != name) continue;
    if (found != nullptr || section.virtual_size > section.data.size()) {
      return Error(ErrorCode::kUnsupported, "a unified image whose section " + std::string(name) +
                                                " is there twice or is not all in the file");
    }
    found = &section;
  }
  return found;
}

bool has_section(const PeImage& image, std::string_view name) {
  return std::any_of(image.sections.begin(), image.sections.end(),
                     [&](const PeSection& section) { return section.name == name; });
}

Result<PcrMap> predict_unified(const LinuxBoot& boot, const FileLoader& load) {
  const ByteVector file = TRY(load(boot.kernel));
  const PeImage image = TRY(parse_pe_image(file).within(printable(boot.kernel)));
  Register parts;
  std::map<std::string_view, Bytes> contents;
  for (const UnifiedSection& one : kUnifiedSections) {
    if (one.since > boot.systemd_version) continue;
    const PeSection* section = TRY(find_section(image, one.name));
    if (section == nullptr) continue;
    const Bytes data = section->data.first(section->virtual_size);
    parts.measure(as_bytes(std::string(one.name) + '\0'));
    parts.measure(data);
    contents[one.name] = data;
  }
  if (contents.count(".linux") == 0) {
    return Error(ErrorCode::kMalformed, printable(boot.kernel) + " has no kernel inside");
  }
  Register run;
  measure_boot_option(run, boot.failed_boot_options);
  run.extend(image.authenticode);
  run.extend(TRY(parse_pe_image(contents[".linux"]).within("the kernel inside")).authenticode);
  PcrMap out{{kBootPcr, run.value()}, {kUnifiedPcr, parts.value()}};
  const bool added = std::any_of(std::begin(kAddedToInitrd), std::end(kAddedToInitrd),
                                 [&](std::string_view name) { return has_section(image, name); });
  if (added || contents.count(".cmdline") == 0) return out;
  std::string command_line(as_text(contents[".cmdline"]));
  while (!command_line.empty() && (command_line.back() == '\n' || command_line.back() == '\0')) {
    command_line.pop_back();
  }
  Register stub;
  stub.measure(TRY(load_options(command_line)));
  if (contents.count(".initrd") != 0) stub.measure(contents[".initrd"]);
  out[kStubPcr] = stub.value();
  return out;
}

Result<PcrMap> predict_kernel(const LinuxBoot& boot, const FileLoader& load) {
  ByteVector kernel = TRY(load(boot.kernel));
  ByteVector initrd;
  if (boot.initrd) initrd = TRY(load(*boot.initrd));
  std::string command_line = boot.command_line.value_or("");
  Register run;
  if (boot.loader == LinuxBoot::Loader::kQemu) {
    // Loaded before the first boot option is tried.
    kernel = TRY(
        kernel_as_qemu_loads_it(kernel, initrd.size(), command_line, boot.machine, boot.memory));
    run.extend(TRY(parse_pe_image(kernel).within(printable(boot.kernel))).authenticode);
    measure_boot_option(run, 0);
    if (boot.initrd) command_line += kQemuInitrd;
  } else {
    measure_boot_option(run, boot.failed_boot_options);
    run.extend(TRY(parse_pe_image(kernel).within(printable(boot.kernel))).authenticode);
  }
  Register stub;
  if (!command_line.empty()) stub.measure(TRY(load_options(command_line)));
  if (boot.initrd) stub.measure(initrd);
  PcrMap out{{kBootPcr, run.value()}};
  if (!command_line.empty() || boot.initrd) out[kStubPcr] = stub.value();
  return out;
}

Result<Digest> digest_of(const Measured& measured, const FileLoader& load) {
  switch (measured.kind) {
    case Measured::Kind::kDigest:
      return measured.digest;
    case Measured::Kind::kText:
      return crypto::sha256(as_bytes(measured.text));
    case Measured::Kind::kCommandLine:
      return crypto::sha256(TRY(load_options(measured.text)));
    case Measured::Kind::kFile:
      return crypto::sha256(TRY(load(measured.text)));
    case Measured::Kind::kPe:
      break;
  }
  const ByteVector file = TRY(load(measured.text));
  return TRY(parse_pe_image(file).within(printable(measured.text))).authenticode;
}

bool contains(Bytes data, Bytes text) {
  return std::search(data.begin(), data.end(), text.begin(), text.end()) != data.end();
}

bool is_named(const LoggedEvent& event, std::uint64_t number, const Replacement& replacement) {
  if (replacement.event) return number == *replacement.event;
  std::string wide;
  for (const char letter : *replacement.description) wide += {letter, '\0'};
  return contains(event.data, as_bytes(*replacement.description)) ||
         contains(event.data, as_bytes(wide));
}

// The place of the one event that a replacement names.
Result<std::size_t> find_event(const EventLog& log, const Replacement& replacement) {
  std::uint64_t number = 0;
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < log.events.size(); ++i) {
    const LoggedEvent& event = log.events[i];
    if (event.index != replacement.pcr || event.type == attest::kEvNoAction) continue;
    if (!is_named(event, ++number, replacement)) continue;
    if (found) {
      return Error(ErrorCode::kMalformed, "several events of PCR " +
                                              std::to_string(replacement.pcr) + " say " +
                                              printable(*replacement.description));
    }
    found = i;
  }
  if (found) return *found;
  return Error(ErrorCode::kMalformed,
               "the log has no such event of PCR " + std::to_string(replacement.pcr));
}

Result<PcrMap> predict_recorded(const RecordedBoot& recorded, const FileLoader& load) {
  const ByteVector bytes = TRY(load(recorded.file));
  EventLog log = TRY(
      attest::parse_event_log(bytes, attest::EventLogKind::kTpm).within(printable(recorded.file)));
  std::map<std::size_t, Digest> replaced;
  for (const Replacement& replacement : recorded.replacements) {
    const std::size_t at = TRY(find_event(log, replacement));
    if (!replaced.emplace(at, TRY(digest_of(replacement.by, load))).second) {
      return Error(ErrorCode::kMalformed,
                   "an event of PCR " + std::to_string(replacement.pcr) + " is replaced twice");
    }
  }
  for (const auto& [at, digest] : replaced) {
    for (attest::EventDigest& one : log.events[at].digests) {
      if (one.algorithm == tpm::kAlgSha256) one.digest = digest.bytes;
    }
  }
  PcrMap out;
  for (const auto& [index, value] : TRY(attest::replay(log, crypto::HashAlgorithm::kSha256))) {
    std::copy(value.begin(), value.end(), out[static_cast<std::uint8_t>(index)].bytes.begin());
  }
  return out;
}

}  // namespace

Result<PcrMap> predict_pcrs(const BootDescription& description, const FileLoader& load) {
  PcrMap out;
  if (description.recorded) out = TRY(predict_recorded(*description.recorded, load));
  if (!description.linux_boot) return out;
  const bool unified = description.linux_boot->loader == LinuxBoot::Loader::kSystemdStub;
  const PcrMap computed = TRY(unified ? predict_unified(*description.linux_boot, load)
                                      : predict_kernel(*description.linux_boot, load));
  for (const auto& [index, value] : computed) out[index] = value;
  return out;
}

Result<PcrMap> predict_pcrs(const std::filesystem::path& description) {
  constexpr std::uint64_t kMaxDescription = 1U << 20U;
  const ByteVector toml = TRY(load_file(description, kMaxDescription));
  const BootDescription parsed = TRY(parse_boot_description(as_text(toml), description.string()));
  const std::filesystem::path folder = description.parent_path();
  return predict_pcrs(parsed,
                      [&](const std::string& name) { return load_file(folder / name, kMaxFile); });
}

}  // namespace sealpack::measure
