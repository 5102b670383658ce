// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace sealpack::plan {

// What a division leaves a thief who has the public part and asks some queries, as far as published
// attacks tell (docs/PLANNING.md §2). Judged by place and share alone: only a stealing test on the
// model itself says more.
enum class Worth {
  kBlackBox,  // all weights inside
  kSome,      // the deep half or more
  kLittle,    // some of the deepest layers
  kNone,      // shallow layers, or outputs that go back
};
const char* to_string(Worth worth);  // "black-box", "some", "little", "none"
// With the figures it rests on.
std::string sentence(Worth worth);

struct WorthFacts {
  bool whole = false;
  bool is_oracle = false;
  bool goes_back = false;
  double multiply_add_share = 0;  // inside
};
Worth judge(const WorthFacts& facts);

}  // namespace sealpack::plan
