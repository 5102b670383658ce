// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime-loader/nn/program/program.h"

// How long a program takes, from what its steps do. Linear in a few counts, with coefficients that
// calibrate() measures; nothing in it depends on the weights' contents.
namespace sealpack::plan {

// Seconds for each unit of what a step does.
struct Rates {
  double step = 0;  // a step
  double multiply_add = 0;
  double moved = 0;     // a byte of activations
  double weight = 0;    // a byte of weights that stay
  double streamed = 0;  // a byte of weights fetched and laid out again, without decryption
  bool operator==(const Rates&) const = default;
};

// What the steps of one machine cost.
struct Calibration {
  std::string machine;                 // for people: processor and instruction set
  std::map<std::string, Rates> kinds;  // by kind_of()
  double run = 0;                      // seconds a run, whatever it does
  double decrypt = 0;         // seconds a byte that is copied, hashed and decrypted, of a long read
  double read = 0;            // seconds that a read, or each 16 chunks of one, takes beyond that
  double spill = 0;           // seconds a byte that is encrypted or decrypted for the store outside
  double copy = 0;            // seconds a byte that crosses between the worlds
  double process_switch = 0;  // seconds from one process to another and back
  bool measured = false;      // false: the defaults below, of another machine
  bool operator==(const Calibration&) const = default;
};

// The family of steps that a step belongs to, by its name: "conv winograd", "gemm", "other".
std::string kind_of(std::string_view what);
// Used where nothing was measured: one core of an AVX-512 server.
const Calibration& default_calibration();

struct ProgramTime {
  double compute = 0;  // seconds
  double stream = 0;   // seconds for verifying and decrypting weights
  double spill = 0;
};
ProgramTime time_of(const Calibration& calibration, const nn::ProgramCosts& costs);
// Seconds a run. Nothing is taken off for what is fetched while others compute: measured, the two
// take turns (docs/PERFORMANCE.md).
double seconds(const ProgramTime& time);

// One measured run of a program, without decryption.
struct Measurement {
  nn::ProgramCosts costs;
  double seconds = 0;
};
// Coefficients that explain the measurements best: least squares of relative errors, none negative,
// drawn a little towards `start` where the measurements say nothing.
void fit(const std::vector<Measurement>& measurements, const Calibration& start,
         Calibration& calibration);

}  // namespace sealpack::plan
