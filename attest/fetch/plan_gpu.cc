// SPDX-License-Identifier: Apache-2.0
#include "attest/fetch/plan_gpu.h"

#include <algorithm>

#include "attest/evidence/gpu_items.h"
#include "keymgmt/x509/certificate.h"
#include "keymgmt/x509/ocsp_response.h"

namespace sealpack::attest {
namespace {

constexpr const char* kResponder = "https://ocsp.ndis.nvidia.com";

std::string responder(const FetchOptions& options) {
  std::string base = options.base_url.empty() ? kResponder : options.base_url;
  while (!base.empty() && base.back() == '/') base.pop_back();
  return base + "/";
}

Status add_questions(Bytes certificates, const std::string& kind, const FetchOptions& options,
                     std::vector<FetchItem>& items) {
  const auto chain = TRY(x509::Certificate::parse_pem(certificates).within(kind));
  if (chain.size() < 3) {
    return Error(ErrorCode::kMalformed, kind + ": a chain without an authority of NVIDIA");
  }
  for (std::size_t i = 1; i + 1 < chain.size(); ++i) {
    if (chain[i].issuer_name() != chain[i + 1].subject_name()) {
      return Error(ErrorCode::kMalformed, kind + ": " + printable(chain[i].subject_common_name()) +
                                              " is not followed by its issuer");
    }
    ByteVector question = x509::make_ocsp_request(chain[i], chain[i + 1]);
    const bool asked = std::any_of(items.begin(), items.end(), [&](const FetchItem& item) {
      return item.ocsp_request == question;
    });
    if (asked) continue;
    const std::string name = kind.substr(0, kind.find('-')) + "-ocsp-" + std::to_string(i);
    items.push_back({name + ".der", responder(options), "", std::move(question)});
  }
  return done();
}

}  // namespace

Result<std::vector<FetchItem>> plan_gpus(const Evidence& evidence, const FetchOptions& options) {
  std::vector<FetchItem> items;
  for (std::size_t number = 1; number <= count_gpus(evidence); ++number) {
    const std::string kind = gpu_kind(number, "certificates");
    const ByteVector* certificates = evidence.find(kind);
    if (certificates != nullptr) TRY(add_questions(*certificates, kind, options, items));
  }
  return items;
}

}  // namespace sealpack::attest
