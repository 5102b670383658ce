// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::attest {

// One thing that evidence proves, as policies know it: names, kinds and encodings of claim_names.h.
// A claim whose kind is a set (kTextSet, kBytesSet) occurs once for each of its elements.
struct Claim {
  std::string name;
  ByteVector value;
  auto operator<=>(const Claim&) const = default;
};

// What genuine evidence says about the environment that made it.
struct Claims {
  std::string tee;            // as in policies
  std::vector<Claim> claims;  // ascending by name, then value; all that the evidence makes
  // What the environment bound itself to: all bytes of that field.
  ByteVector report_data;

  // The first of that name, nullptr where there is none.
  const Claim* find(std::string_view name) const;

  // While claims are collected, in any order; sort() at the end.
  void add_bytes(std::string_view name, Bytes value);
  void add_flag(std::string_view name, bool value);
  void add_number(std::string_view name, std::uint64_t value);
  void add_text(std::string_view name, std::string_view value);
  void sort();
};

}  // namespace sealpack::attest
