// SPDX-License-Identifier: Apache-2.0
#include "packer/core/glob_list.h"

#include "formats/base/bytes.h"

namespace sealpack::packer {

Result<GlobList> GlobList::parse(const std::vector<std::string>& texts, std::string option) {
  GlobList list;
  list.option_ = std::move(option);
  for (const std::string& text : texts) {
    Result<Glob> glob = Glob::parse(text);
    if (!glob.ok()) {
      return Error(ErrorCode::kUsage, list.option_ + ": " + glob.error().message());
    }
    list.globs_.emplace_back(std::move(glob).value(), false);
  }
  return list;
}

bool GlobList::matches(const std::string& text) {
  bool any = false;
  for (auto& [glob, used] : globs_) {
    if (!glob.matches(text)) continue;
    any = used = true;
  }
  return any;
}

Status GlobList::check_all_used() const {
  for (const auto& [glob, used] : globs_) {
    if (used) continue;
    return Error(ErrorCode::kUsage, option_ + " " + printable(glob.text()) + " matches nothing")
        .with_hint("sealpack inspect MODEL lists the names");
  }
  return done();
}

}  // namespace sealpack::packer
