// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "keymgmt/x509/chain.h"
#include "keymgmt/x509/revocation_list.h"

// Every accessor of what parses, and a walk that must not end in a root that nobody pinned. The
// same bytes are tried as PEM and as a revocation list.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace x509 = sealpack::x509;
  const sealpack::Bytes input(data, size);
  static_cast<void>(x509::Certificate::parse_pem(input));
  const auto list = x509::RevocationList::parse_der(input);
  const auto issuer = x509::RevocationList::issuer_of(input);
  if (list.ok() && issuer != list->issuer_name()) __builtin_trap();
  const auto certificate = x509::Certificate::parse_der(input);
  if (!certificate.ok()) return 0;
  if (!std::equal(input.begin(), input.end(), certificate->der().begin(),
                  certificate->der().end())) {
    __builtin_trap();
  }
  static_cast<void>(certificate->subject_common_name());
  static_cast<void>(certificate->serial());
  static_cast<void>(certificate->not_before() < certificate->not_after());
  static_cast<void>(certificate->extension("1.3.6.1.4.1.3704.1.4"));
  if (list.ok()) static_cast<void>(list->names(*certificate));
  std::vector<sealpack::Reason> reasons;
  const std::vector<sealpack::Digest> roots{sealpack::Digest{}};
  x509::ChainRules rules;
  rules.roots = roots;
  if (x509::verify_chain(*certificate, std::vector{*certificate}, rules, reasons)) {
    __builtin_trap();
  }
  return 0;
}
