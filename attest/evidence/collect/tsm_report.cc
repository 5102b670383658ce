// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/collect/tsm_report.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <thread>

#include "attest/evidence/collect/attribute.h"
#include "formats/files/file_source.h"

namespace sealpack::attest {
namespace {

constexpr const char* kReports = "/sys/kernel/config/tsm/report";

struct Provider {
  std::string_view tee;
  std::string_view name;  // as the attribute `provider` has it
  const char* kind;
};
constexpr Provider kProviders[] = {{"cca", "arm_cca_guest", "token"},
                                   {"sev-snp", "sev_guest", "report"},
                                   {"tdx", "tdx_guest", "quote"}};

Result<std::optional<ByteVector>> read_file(const std::filesystem::path& path) {
  if (::access(path.c_str(), F_OK) != 0) return std::optional<ByteVector>();
  return std::optional<ByteVector>(TRY(read_attribute(path, kMaxEvidenceSize)));
}

class KernelEntry final : public TsmEntry {
 public:
  explicit KernelEntry(std::filesystem::path folder) : folder_(std::move(folder)) {}
  ~KernelEntry() override { (void)::rmdir(folder_.c_str()); }
  KernelEntry(const KernelEntry&) = delete;
  KernelEntry& operator=(const KernelEntry&) = delete;

  Result<std::optional<ByteVector>> read(const std::string& attribute) override {
    return read_file(folder_ / attribute);
  }
  Status write(const std::string& attribute, Bytes value) override {
    return write_attribute(folder_ / attribute, value);
  }
  void wait(unsigned attempt) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(50U << attempt));
  }

 private:
  std::filesystem::path folder_;
};

class RecordedEntry final : public TsmEntry {
 public:
  explicit RecordedEntry(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Result<std::optional<ByteVector>> read(const std::string& attribute) override {
    // A recording has been asked before: what counts are the writes of now.
    if (attribute == "generation")
      return std::optional(to_vector(as_bytes(std::to_string(writes_))));
    return read_file(folder_ / attribute);
  }
  Status write(const std::string& attribute, Bytes value) override {
    ++writes_;
    return check_recorded(folder_ / attribute, value);
  }
  void wait(unsigned) override {}

 private:
  std::filesystem::path folder_;
  unsigned writes_ = 0;
};

Result<ByteVector> require(TsmEntry& entry, const std::string& attribute) {
  auto value = TRY(entry.read(attribute));
  if (!value || value->empty()) {
    return Error(ErrorCode::kIo, "configfs-tsm gave no " + attribute);
  }
  return std::move(*value);
}

Result<std::uint64_t> generation_of(TsmEntry& entry) {
  const std::string text = line_of(TRY(require(entry, "generation")));
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error(ErrorCode::kIo, "configfs-tsm: generation is " + printable(text));
  }
  return value;
}

// A kernel that is not its guest's most privileged software, as under an SVSM, may ask for reports
// of its own level and those below; without a word the question is one for level 0.
Status ask_for_own_level(TsmEntry& entry) {
  const auto floor = TRY(entry.read("privlevel_floor"));
  if (!floor) return done();
  const std::string level = line_of(*floor);
  return level == "0" ? done() : entry.write("privlevel", as_bytes(level));
}

Result<Evidence> ask_once(TsmEntry& entry, const Provider& provider, Bytes report_data) {
  const std::string name = line_of(TRY(require(entry, "provider")));
  if (name != provider.name) {
    return Error(ErrorCode::kUnsupported, "this machine gives evidence of " + printable(name) +
                                              ", and not of " + std::string(provider.name) +
                                              ", as " + std::string(provider.tee) + " needs");
  }
  TRY(ask_for_own_level(entry));
  const std::uint64_t before = TRY(generation_of(entry));
  TRY(entry.write("inblob", report_data));
  Evidence evidence{std::string(provider.tee), {}};
  ByteVector outblob = TRY(require(entry, "outblob"));
  const auto auxblob = TRY(entry.read("auxblob"));
  // The certificates of the host stand behind the report, in the order of kEvidenceKinds.
  evidence.items.push_back({provider.kind, std::move(outblob)});
  if (auxblob && !auxblob->empty() && provider.tee == "sev-snp") {
    evidence.items.push_back({"certificates", *auxblob});
  }
  if (TRY(generation_of(entry)) != before + 1) {
    return Error(ErrorCode::kTryAgain, "somebody else asked the same entry of configfs-tsm");
  }
  return evidence;
}

}  // namespace

Result<std::unique_ptr<TsmEntry>> make_kernel_entry() {
  std::error_code error;
  if (!std::filesystem::is_directory(kReports, error)) {
    return Error(ErrorCode::kUnsupported, std::string("this machine has no ") + kReports)
        .with_hint("a confidential VM with Linux 6.7 or later, configfs mounted, has");
  }
  std::string name = std::string(kReports) + "/sealpack-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    return io_error("cannot make an entry in " + std::string(kReports), errno);
  }
  return std::unique_ptr<TsmEntry>(std::make_unique<KernelEntry>(name));
}

std::unique_ptr<TsmEntry> make_recorded_entry(const std::filesystem::path& folder) {
  return std::make_unique<RecordedEntry>(folder);
}

Result<Evidence> collect_tsm(TsmEntry& entry, const std::string& tee, Bytes report_data) {
  for (const Provider& provider : kProviders) {
    if (provider.tee != tee) continue;
    for (unsigned attempt = 1;; ++attempt) {
      auto evidence = ask_once(entry, provider, report_data);
      if (evidence.ok() || evidence.error().code() != ErrorCode::kTryAgain) return evidence;
      if (attempt == kTsmAttempts) {
        return std::move(evidence).within(std::to_string(kTsmAttempts) + " attempts");
      }
      entry.wait(attempt);
    }
  }
  return Error(ErrorCode::kUsage, "configfs-tsm gives no evidence of " + printable(tee));
}

}  // namespace sealpack::attest
