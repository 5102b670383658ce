// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/quote_verifier.h"

#include <algorithm>

#include "attest/verify/dcap/memory.h"
#include "attest/verify/dcap/tcb_evaluation.h"

namespace sealpack::attest::dcap {
namespace {

// PCK, its authority, root. One more is followed, to say what is wrong with the last.
constexpr std::size_t kChainSize = 3;

std::optional<Quote> read_quote(Bytes bytes, Tee tee, std::vector<Reason>& reasons) {
  auto quote = parse_quote(bytes);
  if (!quote.ok()) {
    const bool unsupported = quote.error().code() == ErrorCode::kUnsupported;
    reasons.push_back(
        {unsupported ? "dcap.quote-unsupported" : "dcap.quote-malformed", quote.error().message()});
    return std::nullopt;
  }
  if (quote->tee != tee) {
    reasons.push_back({"dcap.quote-tee", std::string("the quote is of ") + to_string(quote->tee) +
                                             ", not of " + to_string(tee)});
    return std::nullopt;
  }
  return *quote;
}

void verify_pck_chain(const CertifiedKey& certified, const Collateral& collateral,
                      const VerifyInput& input, std::vector<Reason>& reasons) {
  const auto& certificates = certified.certificates;
  std::vector<x509::Certificate> pool(certificates.begin() + 1, certificates.end());
  // Intel issued some of its certificates again, under the same key: a whole chain is its own pool.
  if (certificates.size() < kChainSize) {
    pool.insert(pool.end(), collateral.certificates.begin(), collateral.certificates.end());
  }
  const x509::ChainRules rules{.now = input.now,
                               .roots = input.roots.intel,
                               .revocation = x509::Revocation::kAll,
                               .revocation_lists = input.endorsements.revocation_lists,
                               .judged_by_caller = {},
                               .longest = kChainSize + 1};
  const auto chain = verify_chain(certificates.front(), pool, rules, input.cache, reasons);
  if (!chain) return;
  if (chain->size() != kChainSize) {
    reasons.push_back(
        {"dcap.pck-certificate",
         "the PCK's chain has " + std::to_string(chain->size()) + " certificates, not 3"});
  }
  // Nothing in a quote is there unproven: its certificates are those of the chain, in its order.
  if (certificates.size() > chain->size() ||
      !std::equal(certificates.begin(), certificates.end(), chain->begin())) {
    reasons.push_back({"dcap.certification-data",
                       "the quote carries other certificates than those of its PCK's chain"});
  }
}

void verify_quote_signature(const Quote& quote, const CertifiedKey& certified,
                            std::vector<Reason>& reasons) {
  const Status holds = certified.key.verify_ecdsa(crypto::HashAlgorithm::kSha256, quote.signed_part,
                                                  quote.signature);
  if (!holds.ok()) {
    reasons.push_back(
        {"dcap.quote-signature", "the attestation key did not sign the quote's header and body"});
  }
}

void judge_platform(const Collateral& collateral, const VerifyInput& input, VerifiedQuote& out,
                    std::vector<Reason>& reasons) {
  const Quote& quote = out.quote;
  const TcbInfo* info =
      choose_tcb_info(collateral, quote.tee, out.pck.fmspc, out.pck.pce_id, input, reasons);
  const EnclaveIdentity* identity = choose_identity(collateral, quote.tee, input, reasons);
  const IdentityLevel* qe = nullptr;
  if (identity != nullptr) qe = match_identity(quote.qe_report, *identity, reasons);
  if (info == nullptr || qe == nullptr) return;
  const TdReport* td = quote.td ? &*quote.td : nullptr;
  auto tcb = evaluate_tcb(*info, out.pck, td, *qe, reasons);
  if (!tcb) return;
  out.status = tcb->status;
  out.tcb_date = tcb->date;
  out.advisories = std::move(tcb->advisories);
  out.evaluation = std::min(info->header.evaluation, identity->header.evaluation);
}

// Remembered, or found out now.
struct Facts {
  Memory* memory = nullptr;
  bool known_key = false;
  bool known_collateral = false;
  Memory::SharedKey key;
  std::shared_ptr<const Collateral> collateral;
};

Facts find_facts(const Quote& quote, const VerifyInput& input, std::vector<Reason>& reasons) {
  Facts facts;
  if (input.cache != nullptr) {
    facts.memory = &input.cache->memory<Memory>();
    facts.key = facts.memory->find(quote);
    facts.collateral = facts.memory->collateral().find(input);
    facts.known_key = facts.key != nullptr;
    facts.known_collateral = facts.collateral != nullptr;
  }
  if (!facts.known_key) {
    auto certified = verify_certification(quote, reasons);
    if (certified) facts.key = std::make_shared<const CertifiedKey>(std::move(*certified));
  }
  if (!facts.known_collateral) {
    facts.collateral = std::make_shared<const Collateral>(read_collateral(input.endorsements));
  }
  return facts;
}

void remember(const Facts& facts, const Quote& quote, const VerifyInput& input) {
  if (facts.memory == nullptr) return;
  if (!facts.known_key) facts.memory->remember(quote, facts.key);
  if (!facts.known_collateral) facts.memory->collateral().remember(input, facts.collateral);
}

}  // namespace

std::optional<VerifiedQuote> verify_quote(Bytes bytes, Tee tee, const VerifyInput& input,
                                          std::vector<Reason>& reasons) {
  const std::size_t before = reasons.size();
  const auto quote = read_quote(bytes, tee, reasons);
  if (!quote) return std::nullopt;
  const Facts facts = find_facts(*quote, input, reasons);
  if (!facts.key) return std::nullopt;
  VerifiedQuote out;
  out.quote = *quote;
  out.pck = facts.key->pck;
  verify_quote_signature(*quote, *facts.key, reasons);
  verify_pck_chain(*facts.key, *facts.collateral, input, reasons);
  judge_platform(*facts.collateral, input, out, reasons);
  if (reasons.size() != before) return std::nullopt;
  remember(facts, *quote, input);
  return out;
}

void add_platform_claims(const VerifiedQuote& verified, Claims& claims) {
  for (const std::string& advisory : verified.advisories) claims.add_text("advisories", advisory);
  claims.add_bytes("fmspc", verified.pck.fmspc);
  if (verified.pck.platform_instance_id) {
    claims.add_bytes("platform_instance_id", *verified.pck.platform_instance_id);
  }
  claims.add_bytes("ppid", verified.pck.ppid);
  if (verified.pck.smt_enabled) claims.add_flag("smt_enabled", *verified.pck.smt_enabled);
  claims.add_number("tcb_date", verified.tcb_date);
  claims.add_number("tcb_evaluation", verified.evaluation);
  claims.add_text("tcb_status", to_string(verified.status));
}

}  // namespace sealpack::attest::dcap
