// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tests/keymgmt/crypto/hex.h"

namespace sealpack::testing {

inline std::string vector_path(const std::string& name) {
  return std::string(SEALPACK_VECTORS) + "/packaging/" + name;
}

// The published file, or nullopt where the folder of vectors is absent.
inline std::optional<nlohmann::json> load_vectors(const std::string& name) {
  std::ifstream file(vector_path(name));
  if (!file) return std::nullopt;
  return nlohmann::json::parse(file);
}

#define SKIP_WITHOUT(loaded, name) \
  if (!(loaded)) GTEST_SKIP() << "no published vectors: " << sealpack::testing::vector_path(name)

inline ByteVector field(const nlohmann::json& object, const char* name) {
  return hex(object.at(name).get<std::string>());
}

inline bool has_flag(const nlohmann::json& test, const std::string& flag) {
  for (const auto& one : test.at("flags")) {
    if (one == flag) return true;
  }
  return false;
}

// Calls `check(group, test)` for every test, with its number in failure messages, and prints how
// many there were.
template <typename Check>
int for_each_test(const nlohmann::json& file, const std::string& name, Check check) {
  int count = 0;
  for (const auto& group : file.at("testGroups")) {
    for (const auto& test : group.at("tests")) {
      SCOPED_TRACE(name + " test " + test.at("tcId").dump() + ": " + test.value("comment", ""));
      if (check(group, test)) ++count;
    }
  }
  std::printf("ran %d vectors of %s\n", count, name.c_str());
  return count;
}

}  // namespace sealpack::testing
