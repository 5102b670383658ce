// SPDX-License-Identifier: Apache-2.0
#include "attest/fetch/plan_gpu.h"

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

}  // namespace

Result<std::vector<FetchItem>> plan_gpu(Bytes certificates, const FetchOptions& options) {
  const auto chain = TRY(x509::Certificate::parse_pem(certificates).within("gpu-certificates"));
  std::vector<FetchItem> items;
  for (std::size_t i = 1; i + 1 < chain.size(); ++i) {
    if (chain[i].issuer_name() != chain[i + 1].subject_name()) {
      return Error(ErrorCode::kMalformed,
                   "gpu-certificates: " + printable(chain[i].subject_common_name()) +
                       " is not followed by its issuer");
    }
    FetchItem item{"gpu-ocsp-" + std::to_string(i) + ".der", responder(options), "", {}};
    item.ocsp_request = x509::make_ocsp_request(chain[i], chain[i + 1]);
    items.push_back(std::move(item));
  }
  if (items.empty()) {
    return Error(ErrorCode::kMalformed, "gpu-certificates: a chain without an authority of NVIDIA");
  }
  return items;
}

}  // namespace sealpack::attest
