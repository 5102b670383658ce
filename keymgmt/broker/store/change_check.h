// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/broker/records.h"

// What a change must be like whatever is in the store: sizes, text, order.
namespace sealpack::broker::internal {

inline constexpr std::size_t kMaxReasonSize = 1024;
inline constexpr std::size_t kMaxNameSize = 256;
inline constexpr std::size_t kMaxPolicySize = std::size_t{256} << 10U;

// kUsage unless UTF-8 of at most `limit` bytes without a zero; `what` is for the message.
Status check_text(std::string_view text, std::size_t limit, const char* what);
// The same, of one line and without what steers a terminal: it is as long where it is shown.
Status check_line(std::string_view text, std::size_t limit, const char* what);
// kLimit.
Status check_product(const std::string& product);
// kUsage for limits that contradict each other or exceed what times hold, and for devices that are
// not ascending and distinct.
Status check_licence(const Licence& licence);
// kUsage for a value that nothing of its kind has, and for a reason that is no line of text.
Status check_revocation(const Revocation& revocation);

}  // namespace sealpack::broker::internal
