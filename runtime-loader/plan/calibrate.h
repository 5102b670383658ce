// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>

#include "runtime-loader/plan/cost_model.h"

namespace sealpack::plan {

// Measures this machine with small programs of every kind, one thread, and the cryptography of a
// sealed load: about a second. kInternal where the executor fails.
Result<Calibration> calibrate();

// What calibrate() measures of programs: those small ones. Also what checks of the model use.
Result<std::vector<Measurement>> measure_programs();

// A file of coefficients that people can read (TOML, in picoseconds).
std::string serialize_calibration(const Calibration& calibration);
Result<Calibration> parse_calibration(std::string_view text, const std::string& name);

// $XDG_CACHE_HOME/sealpack/calibration.toml, or below ~/.cache; empty if neither is known.
std::filesystem::path calibration_path();

// Processor and instruction set of this machine.
std::string machine_name();

// Activations outside, in the clear: for measuring what is not encryption.
class HeapSpill final : public nn::SpillStore {
 public:
  Status store(std::uint64_t block, Bytes plain) override;
  Status load(std::uint64_t block, MutableBytes plain) override;
  void forget(std::uint64_t block) override { blocks_.erase(block); }

 private:
  std::map<std::uint64_t, ByteVector> blocks_;
};

}  // namespace sealpack::plan
