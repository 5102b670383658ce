// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/evidence/evidence.h"
#include "attest/fetch/https_client.h"

namespace sealpack::attest {

// Which documents of the manufacturers prove a piece of evidence, and getting them.
struct FetchOptions {
  // Stands for the manufacturers' hosts: a mirror or cache of theirs. Empty: theirs.
  std::string base_url;
  // A PCCS, Intel's caching service, that has Intel's documents. Empty: none.
  std::string pccs;
  // Of SEV-SNP reports of version 2, which do not say it: "Milan", "Genoa".
  std::string product;
};

struct FetchedFile {
  std::string name;  // of a file
  std::string url;
  ByteVector content;
};

// What to ask for; nothing is asked yet.
struct FetchItem {
  std::string name;
  std::string url;
  // A header that has a certificate chain in PEM, percent-encoded; stored as NAME.chain.pem. Empty:
  // none.
  std::string chain_header;
  // What is asked, of an OCSP responder; empty: the document is simply got.
  ByteVector ocsp_request = {};
};

// Whether the manufacturer of that TEE publishes what proves it.
bool is_fetched(std::string_view tee);

// kUsage for TEEs whose manufacturer publishes nothing to fetch, and for what the evidence does not
// say; kMalformed for evidence that is none. Nothing of it is proven.
Result<std::vector<FetchItem>> plan_fetch(const Evidence& evidence, const FetchOptions& options);

// Each must be an endorsement, so that no error page is stored as one; of an OCSP responder, an
// answer and no refusal.
Result<std::vector<FetchedFile>> fetch(const std::vector<FetchItem>& items, HttpsClient& client);

}  // namespace sealpack::attest
