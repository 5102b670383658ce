// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/verify/binding.h"
#include "attest/verify/chain_cache.h"
#include "attest/verify/items.h"
#include "attest/verify/snp/snp_claims.h"
#include "attest/verify/snp/supplied.h"
#include "attest/verify/verify.h"
#include "keymgmt/crypto/device_signature.h"

namespace sealpack::attest {
namespace snp {
namespace {

using crypto::DeviceKey;
using x509::Certificate;

constexpr std::size_t kChainSize = 3;  // VCEK or VLEK, ASK or ASVK, ARK
// Bound on work for certificates that somebody else supplies: those whose key is tried.
constexpr std::size_t kMaxTried = 64;

// What there is to choose from: the evidence's own first, then the endorsements'.
class Choice {
 public:
  Choice(const Supplied& table, const Supplied& endorsements) {
    for (const Supplied* supplied : {&table, &endorsements}) {
      for (const SuppliedCertificate& one : supplied->certificates) certificates.push_back(&one);
      for (const SuppliedList& one : supplied->revocation_lists) revocation_lists.push_back(&one);
    }
  }
  std::vector<const SuppliedCertificate*> certificates;
  std::vector<const SuppliedList*> revocation_lists;
};

std::array<std::uint8_t, 64> padded(Bytes hardware_id) {
  std::array<std::uint8_t, 64> id{};
  std::copy(hardware_id.begin(), hardware_id.end(), id.begin());
  return id;
}

bool has_reported_tcb(const EndorsementKey& key, const Report& report) {
  return parse_tcb(key.product, report.reported_tcb) == key.tcb;
}
bool has_chip_id(const EndorsementKey& key, const Report& report) {
  return padded(key.hardware_id) == report.chip_id;
}

// How well a certificate fits a report.
int rank_of(const SuppliedCertificate& supplied, const Report& report) {
  if (!supplied.key) return 0;
  return 1 + (has_chip_id(*supplied.key, report) ? 2 : 0) +
         (has_reported_tcb(*supplied.key, report) ? 1 : 0);
}

Status verify_signature(const Certificate& certificate, const Report& report, Bytes bytes,
                        ChainCache* cache) {
  const DeviceKey key = TRY(key_of(certificate, cache));
  if (key.type() != DeviceKey::Type::kEcdsaP384) {
    return Error(ErrorCode::kUnsupported, "its key is not on P-384");
  }
  return key.verify_ecdsa(crypto::HashAlgorithm::kSha384, bytes.first(kSignedSize),
                          report.signature);
}

// Of the certificates of the right name the one that fits best; of several that fit alike, one of
// the first kMaxTried whose key made the signature: a broker may hold those of many chips and
// versions.
const SuppliedCertificate* find_candidate(const Choice& choice, const Report& report, Bytes bytes,
                                          ChainCache* cache) {
  std::vector<const SuppliedCertificate*> candidates;
  int best = 0;
  for (const SuppliedCertificate* one : choice.certificates) {
    if (one->common_name != leaf_name(report.signing_key)) continue;
    const int rank = rank_of(*one, report);
    if (rank < best) continue;
    if (rank > best) candidates.clear();
    best = rank;
    candidates.push_back(one);
  }
  if (candidates.empty()) return nullptr;
  if (candidates.size() > 1) {
    candidates.resize(std::min(candidates.size(), kMaxTried));
    for (const SuppliedCertificate* one : candidates) {
      if (verify_signature(one->certificate, report, bytes, cache).ok()) return one;
    }
  }
  return candidates.front();
}

void add_no_candidate(const Choice& choice, SigningKey kind, std::vector<Reason>& reasons) {
  const std::string wanted(leaf_name(kind));
  const std::string_view other =
      leaf_name(kind == SigningKey::kVcek ? SigningKey::kVlek : SigningKey::kVcek);
  for (const SuppliedCertificate* one : choice.certificates) {
    if (one->common_name != other) continue;
    reasons.push_back({"snp.leaf-name", "the report says it is signed by " + wanted +
                                            ", the certificate supplied is of " +
                                            std::string(other)});
    return;
  }
  reasons.push_back({"snp.leaf-missing", "no certificate of " + wanted + " was supplied"});
}

class Verification {
 public:
  Verification(const VerifyInput& input, const Report& report, Bytes bytes,
               std::vector<Reason>& reasons)
      : input_(input), report_(report), bytes_(bytes), reasons_(reasons) {}

  std::optional<Claims> run() {
    check_binding(input_.report_data, report_.report_data, "snp.report-data", "REPORT_DATA",
                  reasons_);
    if (report_.vmpl > kGreatestVmpl) {
      add("snp.vmpl",
          "the hypervisor asked for it, not a guest (VMPL " + std::to_string(report_.vmpl) + ")");
    }
    const ByteVector* table_bytes = input_.evidence.find("certificates");
    const Supplied table =
        table_bytes != nullptr ? read_table(*table_bytes, input_.cache, reasons_) : Supplied{};
    const SuppliedEndorsements endorsements(input_);
    const Choice choice(table, endorsements.get());
    const auto* candidate = find_candidate(choice, report_, bytes_, input_.cache);
    if (candidate == nullptr) {
      add_no_candidate(choice, report_.signing_key, reasons_);
      return std::nullopt;
    }
    const auto& key_reasons = candidate->key_reasons;
    reasons_.insert(reasons_.end(), key_reasons.begin(), key_reasons.end());
    check_signature(candidate->certificate);
    const auto chain = check_chain(*candidate, choice);
    if (!candidate->key) return std::nullopt;
    check_product(*candidate->key);
    if (chain) check_names(*chain, candidate->key->product);
    check_chip(*candidate->key);
    if (!check_tcb(*candidate->key) || !reasons_.empty()) return std::nullopt;
    endorsements.remember();
    return claims_of(report_, *candidate->key, proven_);
  }

 private:
  void add(const char* code, std::string text) {
    reasons_.push_back({code, "SNP report: " + std::move(text)});
  }

  void check_signature(const Certificate& certificate) {
    const Status status = verify_signature(certificate, report_, bytes_, input_.cache);
    if (status.ok()) return;
    if (status.error().code() == ErrorCode::kNotAuthentic) {
      add("snp.signature",
          "its signature is not by " + printable(certificate.subject_common_name()) + " supplied");
    } else {
      add("snp.leaf-key", status.error().message());
    }
  }

  // The lists that are about this chain: by name of the root's, the only one who publishes any.
  static std::vector<ByteVector> lists_of(
      const std::vector<const SuppliedCertificate*>& authorities, const Choice& choice) {
    std::vector<ByteVector> lists;
    for (const SuppliedList* list : choice.revocation_lists) {
      const bool is_ours = std::any_of(
          authorities.begin(), authorities.end(),
          [&](const auto* authority) { return authority->issuer_name == list->issuer_name; });
      if (is_ours) lists.push_back(list->der);
    }
    return lists;
  }

  std::optional<std::vector<Certificate>> check_chain(const SuppliedCertificate& leaf,
                                                      const Choice& choice) {
    // Those named on the way up and no others: a chain is remembered by what could be part of it.
    std::vector<Certificate> pool;
    std::vector<const SuppliedCertificate*> authorities;
    for (const SuppliedCertificate* one : choice.certificates) {
      if (one->subject_name != leaf.issuer_name) continue;
      pool.push_back(one->certificate);
      authorities.push_back(one);
    }
    const std::vector<ByteVector> lists = lists_of(authorities, choice);
    for (const SuppliedCertificate* one : choice.certificates) {
      const bool is_named = std::any_of(authorities.begin(), authorities.end(), [&](const auto* a) {
        return a->issuer_name == one->subject_name && !(a->certificate == one->certificate);
      });
      if (is_named) pool.push_back(one->certificate);
    }
    x509::ChainRules rules;
    rules.now = input_.now;
    rules.roots = input_.roots.amd;
    // AMD's lists are not to be had at every site: without any the claims say so and the policy
    // judges; with one, it must be current.
    rules.revocation = lists.empty() ? x509::Revocation::kNone : x509::Revocation::kAuthorities;
    rules.revocation_lists = lists;
    rules.longest = kChainSize;
    proven_.revocation_checked = !lists.empty();
    return verify_chain(leaf.certificate, pool, rules, input_.cache, reasons_);
  }

  void check_names(const std::vector<Certificate>& chain, Product product) {
    const std::string authority = authority_name(report_.signing_key, product);
    if (chain.size() == kChainSize && chain[1].subject_common_name() == authority &&
        chain[2].subject_common_name() == root_name(product)) {
      return;
    }
    add("snp.issuer-name", "its key must be endorsed by " + authority + " under " +
                               root_name(product) + ", it is by " +
                               printable(chain.front().issuer_common_name()));
  }

  void check_product(const EndorsementKey& key) {
    if (!report_.cpuid) return;  // version 2: the key's product is all there is
    const auto product = product_of_cpuid(report_.cpuid->family, report_.cpuid->model);
    if (product == key.product) return;
    add("snp.product", "a processor of family " + std::to_string(report_.cpuid->family) +
                           ", model " + std::to_string(report_.cpuid->model) + " is " +
                           (product ? std::string(to_string(*product)) : "not known") +
                           ", its key is for " + std::string(to_string(key.product)));
  }

  void check_chip(const EndorsementKey& key) {
    if (report_.signing_key != SigningKey::kVcek || report_.is_chip_id_masked()) return;
    if (has_chip_id(key, report_)) return;
    add("snp.chip-id", "CHIP_ID is " + to_hex(report_.chip_id) + ", the key is that of chip " +
                           to_hex(key.hardware_id));
  }

  std::optional<Tcb> read_tcb(Product product, Bytes bytes, const char* name) {
    const auto tcb = parse_tcb(product, bytes);
    if (!tcb) add("snp.reserved", "reserved bytes of " + std::string(name) + " must be zero");
    return tcb;
  }

  bool check_tcb(const EndorsementKey& key) {
    const auto reported = read_tcb(key.product, report_.reported_tcb, "REPORTED_TCB");
    const auto current = read_tcb(key.product, report_.current_tcb, "CURRENT_TCB");
    const auto committed = read_tcb(key.product, report_.committed_tcb, "COMMITTED_TCB");
    const auto launch = read_tcb(key.product, report_.launch_tcb, "LAUNCH_TCB");
    if (!reported || !current || !committed || !launch) return false;
    proven_.reported = *reported;
    proven_.current = *current;
    proven_.committed = *committed;
    proven_.launch = *launch;
    if (key.tcb != *reported) {
      add("snp.tcb", "REPORTED_TCB is " + describe(key.product, *reported) + "; the key is for " +
                         describe(key.product, key.tcb));
    }
    if (!is_at_most(*reported, *current)) {
      add("snp.tcb-order", "REPORTED_TCB is above CURRENT_TCB");
    }
    if (!is_at_most(*committed, *current) || report_.committed_version > report_.current_version) {
      add("snp.tcb-order", "what is committed is above what is running");
    }
    return true;
  }

  const VerifyInput& input_;
  const Report& report_;
  Bytes bytes_;
  std::vector<Reason>& reasons_;
  Proven proven_;
};

}  // namespace
}  // namespace snp

Verdict verify_snp(const VerifyInput& input) {
  static constexpr std::string_view kItems[] = {"report", "certificates"};
  Verdict verdict;
  check_items(input.evidence, kItems, verdict.reasons);
  const ByteVector* bytes = require_item(input.evidence, "report", verdict.reasons);
  if (bytes == nullptr) return verdict;
  const auto report = snp::parse_report(*bytes, verdict.reasons);
  if (!report) return verdict;
  verdict.claims = snp::Verification(input, *report, *bytes, verdict.reasons).run();
  return verdict;
}

}  // namespace sealpack::attest
