// SPDX-License-Identifier: Apache-2.0
#include "attest/fetch/fetch.h"

#include <algorithm>

#include "attest/files/endorsement_file.h"
#include "keymgmt/x509/ocsp_response.h"

namespace sealpack::attest {
namespace {

constexpr const char* kOcspRequest = "application/ocsp-request";  // RFC 6960, appendix A

Status check_endorsement(Bytes content, const std::string& url) {
  Endorsements found;
  return add_endorsement_file(content, url, found);
}

Status fetch_one(const FetchItem& item, HttpsClient& client, std::vector<FetchedFile>& files) {
  const bool asks = !item.ocsp_request.empty();
  HttpReply reply =
      TRY(asks ? client.post(item.url, kOcspRequest, item.ocsp_request) : client.get(item.url));
  if (asks) (void)TRY(x509::OcspResponse::parse_der(reply.body).within(item.url));
  TRY(check_endorsement(reply.body, item.url));
  files.push_back({item.name, item.url, std::move(reply.body)});
  if (item.chain_header.empty()) return done();
  const auto header = reply.headers.find(item.chain_header);
  if (header == reply.headers.end()) {
    return Error(ErrorCode::kMalformed,
                 printable(item.url) + " answers without the header " + item.chain_header);
  }
  const std::string chain = TRY(decode_percent(header->second).within(item.chain_header));
  TRY(check_endorsement(as_bytes(chain), item.url + ", " + item.chain_header));
  files.push_back({item.name + ".chain.pem", item.url, to_vector(as_bytes(chain))});
  return done();
}

}  // namespace

bool is_fetched(std::string_view tee) {
  constexpr std::string_view kFetched[] = {"azure-sev-snp", "azure-tdx", "nvidia-gpu",
                                           "sev-snp",       "sgx",       "tdx"};
  return std::find(std::begin(kFetched), std::end(kFetched), tee) != std::end(kFetched);
}

Result<std::vector<FetchedFile>> fetch(const std::vector<FetchItem>& items, HttpsClient& client) {
  std::vector<FetchedFile> files;
  for (const FetchItem& item : items) TRY(fetch_one(item, client, files));
  return files;
}

}  // namespace sealpack::attest
