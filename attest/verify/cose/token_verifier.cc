// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/cose/token_verifier.h"

#include "attest/verify/items.h"

namespace sealpack::attest {

Verdict TokenVerifier::run(std::string_view kind) {
  const std::string_view items[] = {kind};
  const ByteVector* bytes = require_item(input_.evidence, kind, reasons_);
  check_items(input_.evidence, items, reasons_);
  if (bytes != nullptr) judge(*bytes);
  if (!reasons_.empty()) return {{}, std::move(reasons_)};
  claims_.sort();
  return {std::move(claims_), {}};
}

void TokenVerifier::refuse(std::string code, std::string text) {
  reasons_.push_back({std::move(code), std::move(text)});
}

std::optional<ClaimSet> TokenVerifier::claims_in(const CoseSign1& token, const std::string& family,
                                                 const char* malformed) {
  auto map = CborMap::parse(token.payload, family);
  if (map.ok()) return ClaimSet(std::move(map).value(), family, reasons_);
  refuse(malformed, map.error().message());
  return std::nullopt;
}

}  // namespace sealpack::attest
