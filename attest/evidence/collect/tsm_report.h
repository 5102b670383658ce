// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>

#include "attest/evidence/evidence.h"

namespace sealpack::attest {

// One entry of configfs-tsm (Linux 6.7 on, Documentation/ABI/testing/configfs-tsm): attributes to
// write a question into and to read the report from.
class TsmEntry {
 public:
  virtual ~TsmEntry() = default;
  // kIo, kTryAgain; nullopt for an attribute that the entry does not have.
  virtual Result<std::optional<ByteVector>> read(const std::string& attribute) = 0;
  virtual Status write(const std::string& attribute, Bytes value) = 0;
  // Between two attempts.
  virtual void wait(unsigned attempt) = 0;
};

// An entry of this machine, for this process alone; removed when destroyed.
Result<std::unique_ptr<TsmEntry>> make_kernel_entry();
// A folder in which somebody recorded one.
std::unique_ptr<TsmEntry> make_recorded_entry(const std::filesystem::path& folder);

inline constexpr unsigned kTsmAttempts = 5;

// The report over `report_data` of 64 bytes, of the provider that `tee` needs. Every write to an
// entry counts up its generation: one that moved by more than our own write means that the report
// may answer somebody else, and it is asked again, at most kTsmAttempts times.
Result<Evidence> collect_tsm(TsmEntry& entry, const std::string& tee, Bytes report_data);

}  // namespace sealpack::attest
