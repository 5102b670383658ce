// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/files/glob.h"

namespace sealpack::packer {

// The globs of one option, each of which must match something in the end.
class GlobList {
 public:
  // `option` is for messages ("--public"). kUsage for what is no glob.
  static Result<GlobList> parse(const std::vector<std::string>& texts, std::string option);

  bool empty() const { return globs_.empty(); }
  // Notes which globs matched.
  bool matches(const std::string& text);
  // kUsage, naming the option and the first glob that never matched.
  Status check_all_used() const;

 private:
  std::string option_;
  std::vector<std::pair<Glob, bool>> globs_;  // used or not
};

}  // namespace sealpack::packer
