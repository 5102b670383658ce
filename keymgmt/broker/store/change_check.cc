// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/store/change_check.h"

#include <algorithm>

#include "keymgmt/broker/store/record_bytes.h"

namespace sealpack::broker::internal {
namespace {

constexpr std::size_t kMaxDevices = 65536;
constexpr std::uint64_t kLongestLease = std::uint64_t{10} * 365 * 24 * 3600;  // seconds

}  // namespace

Status check_text(std::string_view text, std::size_t limit, const char* what) {
  if (text.size() <= limit && is_utf8(text) && text.find('\0') == std::string_view::npos) {
    return done();
  }
  return Error(ErrorCode::kUsage,
               std::string(what) + " is no text of at most " + std::to_string(limit) + " bytes");
}

Status check_line(std::string_view text, std::size_t limit, const char* what) {
  TRY(check_text(text, limit, what));
  if (printable(text).size() == text.size() + 2) return done();  // in quotes
  return Error(ErrorCode::kUsage,
               std::string(what) + " has characters that are none of a line of text");
}

Status check_product(const std::string& product) {
  if (!product.empty() && product.size() <= kMaxProductSize) return done();
  return Error(ErrorCode::kLimit, "a product name of " + std::to_string(product.size()) +
                                      " bytes; a broker takes 1 to " +
                                      std::to_string(kMaxProductSize));
}

Status check_licence(const Licence& licence) {
  TRY(check_product(licence.product));
  if (licence.max_instances != 0 && licence.lease_seconds == 0) {
    return Error(ErrorCode::kUsage,
                 "instances are counted by their leases: a licence with a "
                 "number of instances has a lease time");
  }
  if (licence.lease_seconds > kLongestLease) {
    return Error(ErrorCode::kUsage, "a lease of " + std::to_string(licence.lease_seconds) +
                                        " seconds; the longest is ten years");
  }
  if (licence.not_after != 0 && licence.not_after < licence.not_before) {
    return Error(ErrorCode::kUsage, "the licence ends before it begins");
  }
  const auto& devices = licence.devices;
  const bool sized = std::all_of(devices.begin(), devices.end(), [](const ByteVector& one) {
    return !one.empty() && one.size() <= kMaxDeviceSize;
  });
  const bool ascending =
      std::adjacent_find(devices.begin(), devices.end(), std::greater_equal<>()) == devices.end();
  if (devices.size() > kMaxDevices || !sized || !ascending) {
    return Error(ErrorCode::kUsage, "the devices of a licence are ascending and distinct");
  }
  return done();
}

Status check_revocation(const Revocation& revocation) {
  TRY(check_line(revocation.because, kMaxReasonSize, "the reason"));
  const bool digest =
      revocation.kind != RevokedKind::kDevice && revocation.kind != RevokedKind::kMeasurement;
  const std::size_t size = revocation.value.size();
  if (size != 0 && size <= kMaxDeviceSize && (!digest || size == Digest::kSize)) return done();
  return Error(ErrorCode::kUsage, std::string("a ") + to_string(revocation.kind) + " of " +
                                      std::to_string(size) + " bytes");
}

}  // namespace sealpack::broker::internal
