// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/collateral.h"

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

struct Signer {
  x509::Certificate certificate;
  crypto::DeviceKey key;
};

std::vector<Signer> find_signers(const std::vector<x509::Certificate>& certificates) {
  std::vector<Signer> signers;
  for (const x509::Certificate& certificate : certificates) {
    if (certificate.subject_common_name() != kTcbSigningName) continue;
    auto key = crypto::DeviceKey::from_spki(certificate.spki());
    if (!key.ok() || key->type() != crypto::DeviceKey::Type::kEcdsaP256) continue;
    bool known = false;
    for (const Signer& signer : signers) known = known || signer.certificate == certificate;
    if (known) continue;
    if (signers.size() == kMaxSigners) break;
    signers.push_back({certificate, std::move(*key)});
  }
  return signers;
}

template <typename Document>
Result<SignedBy<Document>> read_document(Bytes json, const std::vector<Signer>& signers,
                                         Result<Document> (*parse)(Bytes)) {
  const SignedDocument parts = TRY(split_document(json, Document::kName));
  std::vector<x509::Certificate> found;
  for (const Signer& signer : signers) {
    const Status holds =
        signer.key.verify_ecdsa(crypto::HashAlgorithm::kSha256, parts.inner, parts.signature);
    if (holds.ok()) found.push_back(signer.certificate);
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
void read_documents(const std::vector<ByteVector>& documents, const std::vector<Signer>& signers,
                    Result<Document> (*parse)(Bytes), const std::string& code,
                    std::vector<SignedBy<Document>>& out, std::vector<Reason>& unread) {
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
    if (best_ == nullptr || candidate.document.header.evaluation > best_->header.evaluation) {
      best_ = &candidate.document;
    }
  }

  const Document* finish(const std::vector<Reason>& unread, const std::string& supplied,
                         std::vector<Reason>& reasons) {
    if (best_ != nullptr) return best_;
    if (reasons_.empty()) {
      reasons_.push_back({code_ + "-missing", "no " + what_ + " was supplied" + supplied});
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

  // One of them must be Intel's.
  void check_signers(const std::vector<x509::Certificate>& signers) {
    const x509::ChainRules rules{.now = input_.now,
                                 .roots = input_.roots.intel,
                                 .revocation = x509::Revocation::kAll,
                                 .revocation_lists = input_.endorsements.revocation_lists,
                                 .judged_by_caller = {},
                                 .longest = kChainSize + 1};
    std::vector<Reason> refused;
    for (const x509::Certificate& signer : signers) {
      const auto chain =
          verify_chain(signer, collateral_.certificates, rules, input_.cache, refused);
      if (chain && chain->size() == kChainSize && !signer.is_authority()) return;
      if (chain) {
        refused.push_back({code_ + "-signature", what_ + " is signed by an authority, or by a "
                                                         "certificate that is not the root's"});
      }
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
  const std::vector<Signer> signers = find_signers(out.certificates);
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
  std::string others;
  for (const SignedBy<TcbInfo>& candidate : collateral.tcb_infos) {
    const TcbInfo& info = candidate.document;
    if (info.tee == tee && info.fmspc == fmspc && info.pce_id == pce_id) {
      choice.consider(candidate);
    } else if (others.size() < 200) {
      others +=
          (others.empty() ? ", only of " : ", ") + describe(info.tee, info.fmspc, info.pce_id);
    }
  }
  return choice.finish(collateral.unread_tcb_infos, others, reasons);
}

const EnclaveIdentity* choose_identity(const Collateral& collateral, Tee tee,
                                       const VerifyInput& input, std::vector<Reason>& reasons) {
  const std::string_view id = quoting_enclave(tee);
  Choice<EnclaveIdentity> choice(collateral, input, "dcap.qe-identity",
                                 "enclave identity " + std::string(id));
  std::string others;
  for (const SignedBy<EnclaveIdentity>& candidate : collateral.identities) {
    if (candidate.document.id == id) {
      choice.consider(candidate);
    } else if (others.size() < 200) {
      others += (others.empty() ? ", only of " : ", ") + candidate.document.id;
    }
  }
  return choice.finish(collateral.unread_identities, others, reasons);
}

}  // namespace sealpack::attest::dcap
