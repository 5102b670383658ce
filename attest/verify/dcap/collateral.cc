// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/collateral.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

#include "attest/verify/chain_cache.h"
#include "formats/base/utc_text.h"
#include "keymgmt/crypto/device_signature.h"

namespace sealpack::attest::dcap {
namespace {

// Bounds on work for endorsements that somebody else supplies.
constexpr std::size_t kMaxDocuments = 512;  // of each kind
constexpr std::size_t kMaxSigners = 8;

// TCB Signing, root. One more is followed, to say what is wrong with the last.
constexpr std::size_t kChainSize = 2;

struct SigningKey {
  crypto::DeviceKey key;
  std::shared_ptr<const Signer> signer;
};

// By name, as far up as chains are followed.
std::vector<x509::Certificate> find_issuers(const x509::Certificate& leaf,
                                            const std::vector<x509::Certificate>& certificates) {
  std::vector<x509::Certificate> found;
  std::set<ByteVector> done, wanted{leaf.issuer_name()};
  for (std::size_t level = 0; level < kChainSize; ++level) {
    std::set<ByteVector> above;
    for (const x509::Certificate& certificate : certificates) {
      if (!wanted.contains(certificate.subject_name())) continue;
      found.push_back(certificate);
      above.insert(certificate.issuer_name());
    }
    done.merge(wanted);
    std::set_difference(above.begin(), above.end(), done.begin(), done.end(),
                        std::inserter(wanted, wanted.end()));
  }
  return found;
}

std::vector<SigningKey> find_signers(const std::vector<x509::Certificate>& certificates) {
  std::vector<SigningKey> signers;
  for (const x509::Certificate& certificate : certificates) {
    if (certificate.subject_common_name() != kTcbSigningName) continue;
    auto key = crypto::DeviceKey::from_spki(certificate.spki());
    if (!key.ok() || key->type() != crypto::DeviceKey::Type::kEcdsaP256) continue;
    bool known = false;
    for (const SigningKey& one : signers) known = known || one.signer->certificate == certificate;
    if (known) continue;
    if (signers.size() == kMaxSigners) break;
    signers.push_back(
        {std::move(*key), std::make_shared<const Signer>(
                              Signer{certificate, find_issuers(certificate, certificates)})});
  }
  return signers;
}

template <typename Document>
Result<SignedBy<Document>> read_document(Bytes json, const std::vector<SigningKey>& signers,
                                         Result<Document> (*parse)(Bytes)) {
  const SignedDocument parts = TRY(split_document(json, Document::kName));
  std::vector<std::shared_ptr<const Signer>> found;
  for (const SigningKey& one : signers) {
    const Status holds =
        one.key.verify_ecdsa(crypto::HashAlgorithm::kSha256, parts.inner, parts.signature);
    if (holds.ok()) found.push_back(one.signer);
  }
  if (found.empty()) {
    return Error(ErrorCode::kNotAuthentic, std::string(Document::kName) +
                                               ": its signature is by none of the " +
                                               std::to_string(signers.size()) + " certificates " +
                                               printable(kTcbSigningName) + " that were supplied");
  }
  return SignedBy<Document>{TRY(parse(parts.inner)), std::move(found)};
}

template <typename Document>
void read_documents(const std::vector<ByteVector>& documents,
                    const std::vector<SigningKey>& signers, Result<Document> (*parse)(Bytes),
                    const std::string& code, std::vector<SignedBy<Document>>& out,
                    std::vector<Reason>& unread) {
  if (documents.size() > kMaxDocuments) {
    unread.push_back({code + "-malformed", std::to_string(documents.size()) +
                                               " documents were supplied, at most 512 are read"});
    return;
  }
  for (const ByteVector& json : documents) {
    auto document = read_document(json, signers, parse);
    if (document.ok()) {
      out.push_back(std::move(*document));
      continue;
    }
    const bool forged = document.error().code() == ErrorCode::kNotAuthentic;
    unread.push_back({code + (forged ? "-signature" : "-malformed"), document.error().message()});
  }
}

// Checks candidates one by one and keeps the best.
template <typename Document>
class Choice {
 public:
  Choice(const Collateral& collateral, const VerifyInput& input, std::string code, std::string what)
      : collateral_(collateral), input_(input), code_(std::move(code)), what_(std::move(what)) {}

  void consider(const SignedBy<Document>& candidate) {
    const std::size_t before = reasons_.size();
    check_signers(candidate.signers);
    check_header(candidate.document.header);
    if (reasons_.size() != before) return;
    if (best_ == nullptr || is_newer(candidate.document.header, best_->header)) {
      best_ = &candidate.document;
    }
  }

  // `documents` are all there are; `name` names one of them for people.
  template <typename Name>
  const Document* finish(const std::vector<SignedBy<Document>>& documents, Name name,
                         const std::vector<Reason>& unread, std::vector<Reason>& reasons) {
    if (best_ != nullptr) return best_;
    if (reasons_.empty()) {
      std::string others;
      for (const SignedBy<Document>& other : documents) {
        if (others.size() < 200) others += (others.empty() ? ", only of " : ", ") + name(other);
      }
      reasons_.push_back({code_ + "-missing", "no " + what_ + " was supplied" + others});
    }
    reasons.insert(reasons.end(), reasons_.begin(), reasons_.end());
    reasons.insert(reasons.end(), unread.begin(), unread.end());
    reasons.insert(reasons.end(), collateral_.unread_certificates.begin(),
                   collateral_.unread_certificates.end());
    return nullptr;
  }

 private:
  void add(const std::string& what, std::string text) {
    reasons_.push_back({code_ + what, what_ + " " + std::move(text)});
  }

  static bool is_newer(const DocumentHeader& a, const DocumentHeader& b) {
    return std::tie(a.evaluation, a.issue_date) > std::tie(b.evaluation, b.issue_date);
  }

  // Why a signer is not Intel's; found out once, however many documents it signed.
  const std::vector<Reason>& why_not(const std::shared_ptr<const Signer>& signer) {
    const auto known = judged_.find(signer.get());
    if (known != judged_.end()) return known->second;
    const x509::ChainRules rules{.now = input_.now,
                                 .roots = input_.roots.intel,
                                 .revocation = x509::Revocation::kAll,
                                 .revocation_lists = input_.endorsements.revocation_lists,
                                 .judged_by_caller = {},
                                 .longest = kChainSize + 1};
    std::vector<Reason>& refused = judged_[signer.get()];
    const auto chain =
        verify_chain(signer->certificate, signer->issuers, rules, input_.cache, refused);
    const bool fits = chain && chain->size() == kChainSize && !signer->certificate.is_authority();
    if (!fits && refused.empty()) {
      refused.push_back({code_ + "-signature", what_ + " is signed by an authority, or by a "
                                                       "certificate that is not the root's"});
    }
    return refused;
  }

  // One of them must be Intel's.
  void check_signers(const std::vector<std::shared_ptr<const Signer>>& signers) {
    std::vector<Reason> refused;
    for (const auto& signer : signers) {
      const std::vector<Reason>& why = why_not(signer);
      if (why.empty()) return;
      refused.insert(refused.end(), why.begin(), why.end());
    }
    reasons_.insert(reasons_.end(), refused.begin(), refused.end());
  }

  void check_header(const DocumentHeader& header) {
    if (input_.now < header.issue_date) {
      add("-not-yet-valid",
          "is of " + utc_text(header.issue_date) + ", it is " + utc_text(input_.now));
    }
    if (input_.now >= header.next_update) {
      add("-expired", "was to be replaced by " + utc_text(header.next_update) + ", it is " +
                          utc_text(input_.now));
    }
    if (header.evaluation < input_.minimum_tcb_evaluation) {
      add("-evaluation", "has evaluation number " + std::to_string(header.evaluation) +
                             ", at least " + std::to_string(input_.minimum_tcb_evaluation) +
                             " is asked for");
    }
  }

  const Collateral& collateral_;
  const VerifyInput& input_;
  std::string code_;
  std::string what_;
  const Document* best_ = nullptr;
  std::map<const Signer*, std::vector<Reason>> judged_;
  std::vector<Reason> reasons_;
};

std::string describe(Tee tee, const Array<6>& fmspc, const Array<2>& pce_id) {
  return std::string(to_string(tee)) + " FMSPC " + to_hex(fmspc) + " PCEID " + to_hex(pce_id);
}

}  // namespace

Collateral read_collateral(const Endorsements& endorsements) {
  Collateral out;
  for (const ByteVector& der : endorsements.certificates) {
    auto certificate = x509::Certificate::parse_der(der);
    if (certificate.ok()) {
      out.certificates.push_back(std::move(*certificate));
    } else {
      out.unread_certificates.push_back(
          {"dcap.endorsement-certificate", certificate.error().message()});
    }
  }
  const std::vector<SigningKey> signers = find_signers(out.certificates);
  read_documents(endorsements.tcb_infos, signers, parse_tcb_info, "dcap.tcb-info", out.tcb_infos,
                 out.unread_tcb_infos);
  read_documents(endorsements.enclave_identities, signers, parse_enclave_identity,
                 "dcap.qe-identity", out.identities, out.unread_identities);
  return out;
}

const TcbInfo* choose_tcb_info(const Collateral& collateral, Tee tee, const Array<6>& fmspc,
                               const Array<2>& pce_id, const VerifyInput& input,
                               std::vector<Reason>& reasons) {
  Choice<TcbInfo> choice(collateral, input, "dcap.tcb-info",
                         "TCB info of " + describe(tee, fmspc, pce_id));
  for (const SignedBy<TcbInfo>& candidate : collateral.tcb_infos) {
    const TcbInfo& info = candidate.document;
    if (info.tee == tee && info.fmspc == fmspc && info.pce_id == pce_id) choice.consider(candidate);
  }
  const auto name = [](const SignedBy<TcbInfo>& one) {
    return describe(one.document.tee, one.document.fmspc, one.document.pce_id);
  };
  return choice.finish(collateral.tcb_infos, name, collateral.unread_tcb_infos, reasons);
}

const EnclaveIdentity* choose_identity(const Collateral& collateral, Tee tee,
                                       const VerifyInput& input, std::vector<Reason>& reasons) {
  const std::string_view id = quoting_enclave(tee);
  Choice<EnclaveIdentity> choice(collateral, input, "dcap.qe-identity",
                                 "enclave identity " + std::string(id));
  for (const SignedBy<EnclaveIdentity>& candidate : collateral.identities) {
    if (candidate.document.id == id) choice.consider(candidate);
  }
  const auto name = [](const SignedBy<EnclaveIdentity>& one) { return one.document.id; };
  return choice.finish(collateral.identities, name, collateral.unread_identities, reasons);
}

}  // namespace sealpack::attest::dcap
