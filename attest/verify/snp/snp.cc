// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/verify/binding.h"
#include "attest/verify/chain_cache.h"
#include "attest/verify/items.h"
#include "attest/verify/snp/certificate_table.h"
#include "attest/verify/snp/snp_claims.h"
#include "attest/verify/verify.h"
#include "keymgmt/crypto/device_signature.h"
#include "keymgmt/x509/revocation_list.h"

namespace sealpack::attest {
namespace snp {
namespace {

using crypto::DeviceKey;
using x509::Certificate;

constexpr std::size_t kChainSize = 3;  // VCEK or VLEK, ASK or ASVK, ARK

// Certificates and lists from the evidence and the endorsements; untrusted alike.
struct Supplied {
  std::vector<Certificate> certificates;
  std::vector<ByteVector> revocation_lists;
};

// From the table: DER, or PEM where a host was given that.
Result<Certificate> parse_entry(Bytes bytes, ChainCache* cache) {
  if (!as_text(bytes).starts_with("-----BEGIN")) return parse_certificate(bytes, cache);
  auto blocks = TRY(Certificate::parse_pem(bytes));
  if (blocks.size() != 1) return Error(ErrorCode::kMalformed, "several certificates in one entry");
  return std::move(blocks.front());
}

Supplied gather(const VerifyInput& input, std::vector<Reason>& reasons) {
  Supplied supplied;
  supplied.revocation_lists = input.endorsements.revocation_lists;
  if (const ByteVector* bytes = input.evidence.find("certificates")) {
    auto table = parse_certificate_table(*bytes);
    if (!table.ok()) {
      reasons.push_back({"snp.certificates", table.error().message()});
    } else {
      for (const ByteVector& entry : table->certificates) {
        auto certificate = parse_entry(entry, input.cache);
        if (certificate.ok()) {
          supplied.certificates.push_back(std::move(certificate).value());
        } else {
          reasons.push_back({"snp.certificates", certificate.error().message()});
        }
      }
      std::move(table->revocation_lists.begin(), table->revocation_lists.end(),
                std::back_inserter(supplied.revocation_lists));
    }
  }
  // Among the endorsements are those of other makers, in forms that need not concern us.
  for (const ByteVector& der : input.endorsements.certificates) {
    auto certificate = parse_certificate(der, input.cache);
    if (certificate.ok()) supplied.certificates.push_back(std::move(certificate).value());
  }
  return supplied;
}

std::array<std::uint8_t, 64> padded(Bytes hardware_id) {
  std::array<std::uint8_t, 64> id{};
  std::copy(hardware_id.begin(), hardware_id.end(), id.begin());
  return id;
}

// A certificate that may be that of the key which signed, and why it is not.
struct Candidate {
  Certificate certificate;
  std::optional<EndorsementKey> key;
  std::vector<Reason> reasons;
  int rank = 0;
};

bool has_reported_tcb(const EndorsementKey& key, const Report& report) {
  return parse_tcb(key.product, report.reported_tcb) == key.tcb;
}
bool has_chip_id(const EndorsementKey& key, const Report& report) {
  return padded(key.hardware_id) == report.chip_id;
}

Candidate make_candidate(const Certificate& certificate, const Report& report) {
  Candidate candidate{certificate, {}, {}, 0};
  candidate.key = parse_endorsement_key(certificate, report.signing_key, candidate.reasons);
  if (!candidate.key) return candidate;
  candidate.rank = 1 + (has_chip_id(*candidate.key, report) ? 2 : 0) +
                   (has_reported_tcb(*candidate.key, report) ? 1 : 0);
  return candidate;
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

// Of the certificates of the right name the one that fits best; of several that fit alike, one
// whose key made the signature: a broker may hold those of many chips and versions.
std::optional<Candidate> find_candidate(const Supplied& supplied, const Report& report, Bytes bytes,
                                        ChainCache* cache) {
  std::vector<Candidate> candidates;
  for (const Certificate& certificate : supplied.certificates) {
    if (certificate.subject_common_name() != leaf_name(report.signing_key)) continue;
    Candidate candidate = make_candidate(certificate, report);
    if (!candidates.empty() && candidate.rank < candidates.front().rank) continue;
    if (!candidates.empty() && candidate.rank > candidates.front().rank) candidates.clear();
    candidates.push_back(std::move(candidate));
  }
  if (candidates.empty()) return std::nullopt;
  if (candidates.size() > 1) {
    for (Candidate& candidate : candidates) {
      if (verify_signature(candidate.certificate, report, bytes, cache).ok()) return candidate;
    }
  }
  return std::move(candidates.front());
}

void add_no_candidate(const Supplied& supplied, SigningKey kind, std::vector<Reason>& reasons) {
  const std::string wanted(leaf_name(kind));
  const std::string_view other =
      leaf_name(kind == SigningKey::kVcek ? SigningKey::kVlek : SigningKey::kVcek);
  for (const Certificate& certificate : supplied.certificates) {
    if (certificate.subject_common_name() != other) continue;
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
    const Supplied supplied = gather(input_, reasons_);
    const auto candidate = find_candidate(supplied, report_, bytes_, input_.cache);
    if (!candidate) {
      add_no_candidate(supplied, report_.signing_key, reasons_);
      return std::nullopt;
    }
    reasons_.insert(reasons_.end(), candidate->reasons.begin(), candidate->reasons.end());
    check_signature(candidate->certificate);
    const auto chain = check_chain(candidate->certificate, supplied);
    if (!candidate->key) return std::nullopt;
    check_product(*candidate->key);
    if (chain) check_names(*chain, candidate->key->product);
    check_chip(*candidate->key);
    if (!check_tcb(*candidate->key) || !reasons_.empty()) return std::nullopt;
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
  std::vector<ByteVector> lists_of(std::span<const Certificate> authorities,
                                   const Supplied& supplied) {
    std::vector<ByteVector> lists;
    for (const ByteVector& der : supplied.revocation_lists) {
      const auto list = x509::RevocationList::parse_der(der);
      if (!list.ok()) continue;
      const bool is_ours =
          std::any_of(authorities.begin(), authorities.end(), [&](const Certificate& authority) {
            return authority.issuer_name() == list->issuer_name();
          });
      if (is_ours) lists.push_back(der);
    }
    return lists;
  }

  std::optional<std::vector<Certificate>> check_chain(const Certificate& leaf,
                                                      const Supplied& supplied) {
    // Those named on the way up and no others: a chain is remembered by what could be part of it.
    std::vector<Certificate> pool;
    for (const Certificate& certificate : supplied.certificates) {
      if (certificate.subject_name() == leaf.issuer_name()) pool.push_back(certificate);
    }
    const std::vector<Certificate> authorities = pool;
    const std::vector<ByteVector> lists = lists_of(authorities, supplied);
    for (const Certificate& certificate : supplied.certificates) {
      const bool is_named = std::any_of(authorities.begin(), authorities.end(), [&](const auto& a) {
        return a.issuer_name() == certificate.subject_name() && !(a == certificate);
      });
      if (is_named) pool.push_back(certificate);
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
    return verify_chain(leaf, pool, rules, input_.cache, reasons_);
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
