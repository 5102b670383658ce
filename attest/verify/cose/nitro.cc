// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/verify/binding.h"
#include "attest/verify/chain_cache.h"
#include "attest/verify/cose/nitro_document.h"
#include "attest/verify/cose/token_verifier.h"
#include "formats/base/utc_text.h"

namespace sealpack::attest {
namespace {

// How far the clocks of the module and of this verifier may be apart, seconds.
constexpr std::uint64_t kClockSkew = 60;

class NitroVerifier final : public TokenVerifier {
 public:
  explicit NitroVerifier(const VerifyInput& input) : TokenVerifier(input, "nitro") {}

 private:
  void judge(Bytes bytes) override {
    const auto token = parse_cose_sign1(bytes, "nitro document", CoseTag::kOptional, reasons_);
    if (!token) return;
    const auto document = parse_nitro_document(token->payload);
    if (!document.ok()) return refuse("nitro.malformed", document.error().message());
    judge_signature(*token, *document);
    judge_time(*document);
    check_binding(input_.report_data, document->nonce, "nitro.nonce", "nonce", reasons_);
    add_claims(*document);
  }

  void judge_signature(const CoseSign1& token, const NitroDocument& document) {
    // The module signs with ES384 alone.
    if (token.key_type != crypto::DeviceKey::Type::kEcdsaP384) {
      refuse("nitro.algorithm", "the document is not signed with ES384");
    }
    const auto leaf = parse_certificate(document.certificate, input_.cache);
    if (!leaf.ok()) return refuse("nitro.certificate", "the leaf: " + leaf.error().message());
    judge_chain(*leaf, document);
    if (leaf->is_authority() || !leaf->may_sign()) {
      refuse("nitro.leaf", "the leaf's certificate is not for signing documents");
    }
    const auto key = key_of(*leaf, input_.cache);
    if (!key.ok() || !verify_cose_sign1(token, *key)) {
      refuse("nitro.signature", "the signature is not by the key of the document's certificate");
    }
  }

  void judge_chain(const x509::Certificate& leaf, const NitroDocument& document) {
    std::vector<x509::Certificate> bundle;
    for (const Bytes der : document.cabundle) {
      auto certificate = parse_certificate(der, input_.cache);
      if (!certificate.ok()) {
        return refuse("nitro.certificate", "the cabundle: " + certificate.error().message());
      }
      bundle.push_back(std::move(certificate).value());
    }
    x509::ChainRules rules;
    rules.now = input_.now;
    rules.roots = input_.roots.nitro;
    rules.revocation = x509::Revocation::kNone;  // AWS publishes no lists: leaves live three hours
    rules.revocation_lists = input_.endorsements.revocation_lists;
    const auto chain = verify_chain(leaf, bundle, rules, input_.cache, reasons_);
    if (!chain) return;
    // From the root down, nothing left out and nothing besides.
    if (!std::equal(chain->begin() + 1, chain->end(), bundle.rbegin(), bundle.rend())) {
      refuse("nitro.cabundle", "the cabundle is not the chain from the root to the leaf's issuer");
    }
    const std::uint64_t made = document.timestamp / 1000;
    for (const x509::Certificate& certificate : *chain) {
      if (made + kClockSkew >= certificate.not_before() && made <= certificate.not_after())
        continue;
      refuse("nitro.timestamp", "made at " + utc_text(made) + ", when " +
                                    printable(certificate.subject_common_name()) +
                                    " was not valid");
    }
  }

  void judge_time(const NitroDocument& document) {
    const std::uint64_t made = document.timestamp / 1000;
    if (made > input_.now && made - input_.now > kClockSkew) {
      refuse("nitro.future", "made at " + utc_text(made) + ", it is " + utc_text(input_.now));
    }
  }

  void add_claims(const NitroDocument& document) {
    claims_.report_data = to_vector(document.nonce);
    const std::uint64_t made = document.timestamp / 1000;
    claims_.add_number("age", input_.now > made ? input_.now - made : 0);
    claims_.add_text("module_id", document.module_id);
    bool debug = true;
    for (const auto& [index, value] : document.pcrs) {
      const bool zero =
          std::all_of(value.begin(), value.end(), [](auto byte) { return byte == 0; });
      if (index < 3 && !zero) debug = false;
      claims_.add_bytes("pcr" + std::to_string(index), value);
    }
    claims_.add_flag("debug", debug);
    if (!document.public_key.empty()) {
      claims_.add_text("public_key", to_hex(document.public_key));
    }
    if (!document.user_data.empty()) claims_.add_text("user_data", to_hex(document.user_data));
  }
};

}  // namespace

Verdict verify_nitro(const VerifyInput& input) {
  return NitroVerifier(input).run("document");
}

}  // namespace sealpack::attest
