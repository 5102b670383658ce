// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "keymgmt/crypto/secret_bytes.h"

struct ssl_ctx_st;

namespace sealpack::broker {

// The server's side of TLS: 1.3 alone, no session tickets (a key that opens them would outlive
// everything else), no renegotiation, no compression.
class TlsContext {
 public:
  // A chain of certificates in PEM, the server's own first, and its private key in PEM (PKCS#8, not
  // encrypted). kRefused when others may read the key; kMalformed when the two do not belong
  // together.
  static Result<std::shared_ptr<TlsContext>> load(const std::filesystem::path& certificate,
                                                  const std::filesystem::path& key);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ssl_ctx_st* native() const { return context_; }
  // When the first certificate of the chain ends, Unix seconds.
  std::uint64_t not_after() const { return not_after_; }

 private:
  TlsContext(ssl_ctx_st* context, std::uint64_t not_after)
      : context_(context), not_after_(not_after) {}
  ssl_ctx_st* context_;
  std::uint64_t not_after_;
};

// A key (P-256) and a certificate for it that it signs itself, for these DNS names and IP
// addresses: for clients that pin it (--broker-ca). kUsage for a name that is neither.
struct SelfSigned {
  std::string certificate;  // PEM
  crypto::SecretBytes key;  // PEM
};
Result<SelfSigned> make_self_signed(const std::vector<std::string>& names, std::uint64_t now,
                                    std::uint32_t days);

}  // namespace sealpack::broker
