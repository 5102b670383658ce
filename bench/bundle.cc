// SPDX-License-Identifier: Apache-2.0
// The C++ half of bench/bundle, which calls one of these modes at a time and makes the table.
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "bench/bundle_speed.h"

namespace sealpack::bench {
namespace {

constexpr const char* kUsage =
    "bundle_bench engine\n"
    "bundle_bench keys FOLDER\n"
    "bundle_bench build MODEL FOLDER/OUT THREADS      with the keys of FOLDER, here and below\n"
    "bundle_bench verify FOLDER/BUNDLE THREADS\n"
    "bundle_bench unseal FOLDER/BUNDLE OUT THREADS\n"
    "bundle_bench tensors FOLDER/BUNDLE COUNT\n"
    "bundle_bench reseal FOLDER/BUNDLE COUNT\n"
    "bundle_bench speed FOLDER/BUNDLE                 a round for every line of standard input\n";

unsigned count_of(const std::string& text) {
  return static_cast<unsigned>(std::atoi(text.c_str()));
}

Status speed(const std::filesystem::path& bundle, const Keys& keys) {
  const auto contest = TRY(SpeedContest::make(bundle, keys));
  for (std::string line; std::getline(std::cin, line);) {
    TRY(contest->run_round());
    std::cout << "round" << std::endl;
  }
  contest->print();
  return done();
}

Status run(const std::vector<std::string>& words) {
  const std::string mode = words.empty() ? "" : words[0];
  const std::size_t count = words.size();
  if (mode == "engine" && count == 1) {
    std::printf("%s\n", crypto::bulk_engine());
    return done();
  }
  if (mode == "keys" && count == 2) return store_new_keys(words[1]);
  if (mode == "build" && count == 4) {
    const std::filesystem::path out = words[2];
    return build(words[1], out, TRY(load_keys(out.parent_path())), count_of(words[3]));
  }
  if (count < 2) return Error(ErrorCode::kUsage, std::string("usage:\n") + kUsage);
  const std::filesystem::path bundle = words[1];
  Keys keys = TRY(load_keys(bundle.parent_path()));
  if (mode == "verify" && count == 3) return verify(bundle, keys, count_of(words[2]));
  if (mode == "unseal" && count == 4) return unseal(bundle, words[2], keys, count_of(words[3]));
  if (mode == "tensors" && count == 3) {
    return read_tensors(bundle, keys, static_cast<int>(count_of(words[2])));
  }
  if (mode == "reseal" && count == 3)
    return reseal(bundle, std::move(keys), static_cast<int>(count_of(words[2])));
  if (mode == "speed" && count == 2) return speed(bundle, keys);
  return Error(ErrorCode::kUsage, std::string("usage:\n") + kUsage);
}

}  // namespace
}  // namespace sealpack::bench

int main(int argc, char** argv) {
  return sealpack::bench::exit_status(sealpack::bench::run({argv + 1, argv + argc}));
}
