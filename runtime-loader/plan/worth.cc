// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/worth.h"

namespace sealpack::plan {

const char* to_string(Worth worth) {
  switch (worth) {
    case Worth::kBlackBox:
      return "black-box";
    case Worth::kSome:
      return "some";
    case Worth::kLittle:
      return "little";
    case Worth::kNone:
      return "none";
  }
  return "none";
}

std::string sentence(Worth worth) {
  switch (worth) {
    case Worth::kBlackBox:
      return "a thief is left with queries: 23.8 % accuracy on average where the victim has 84.1 % "
             "(TEESlice artifact, 20 settings); the only choice of this class";
    case Worth::kSome:
      return "with the deepest 48 % of the multiply-adds inside a thief came to 35 % on ResNet-18 "
             "(victim 95 %, black-box 20 %); where this begins to help differs by model and data, "
             "and is often at 100 %";
    case Worth::kLittle:
      return "last layers alone are far from black-box: 80.5 % of the victim's 84.1 % on average, "
             "and with 38 % of the multiply-adds inside still 65 % on ResNet-18, if the public "
             "layers came from a public model";
    case Worth::kNone:
      return "worthless: first layers inside left a thief 77.5 % of the victim's 84.1 % on "
             "average, and 96.7 of 97.2 % with 83 % of the multiply-adds inside; whatever comes "
             "back out can be learned from it";
  }
  return "";
}

Worth judge(const WorthFacts& facts) {
  constexpr double kHelpsFrom = 0.48;  // of the multiply-adds; measured on one model
  if (facts.whole) return Worth::kBlackBox;
  if (facts.is_oracle || facts.goes_back) return Worth::kNone;
  return facts.multiply_add_share >= kHelpsFrom ? Worth::kSome : Worth::kLittle;
}

}  // namespace sealpack::plan
