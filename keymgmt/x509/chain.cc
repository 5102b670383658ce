// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/x509/chain.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <set>

#include "formats/base/utc_text.h"
#include "keymgmt/x509/certificate_state.h"
#include "keymgmt/x509/revocation_list.h"
#include "keymgmt/x509/signature_algorithm.h"

namespace sealpack::x509 {
namespace {

// Bounds on work for what somebody else supplies. Revocation lists of the chain's issuers:
constexpr std::size_t kMaxLists = 128;
// Certificates of one name, at each step up:
constexpr std::size_t kMaxCandidates = 64;
// OCSP responses: those whose signature is looked at. One is enough where it is good.
constexpr std::size_t kMaxVerifiedOfOne = 16;
constexpr std::size_t kMaxVerified = 32;

using crypto::internal::QuietErrors;

std::string name_of(const Certificate& certificate) {
  const std::string name = certificate.subject_common_name();
  return name.empty() ? "a certificate without a common name" : printable(name);
}

bool is_signed_by(const Certificate& certificate, const Certificate& issuer) {
  const QuietErrors quiet;
  X509* x509 = CertificateAccess::x509(certificate);
  const X509_ALGOR* algorithm = nullptr;
  X509_get0_signature(nullptr, &algorithm, x509);
  EVP_PKEY* key = X509_get0_pubkey(CertificateAccess::x509(issuer));
  if (!is_strong(algorithm) || !is_affordable(key)) return false;
  // Compares the algorithm inside the signed part with that outside, too.
  return X509_verify(x509, key) == 1;
}

// Extensions that the walk judges, or that only name.
bool is_known_critical(const ASN1_OBJECT* object, std::span<const std::string_view> judged) {
  static constexpr std::array kKnown{NID_basic_constraints, NID_key_usage, NID_ext_key_usage,
                                     NID_subject_alt_name};
  const int nid = OBJ_obj2nid(object);
  if (std::find(kKnown.begin(), kKnown.end(), nid) != kKnown.end()) return true;
  std::array<char, 128> text{};
  const int size = OBJ_obj2txt(text.data(), text.size(), object, 1);
  if (size <= 0 || static_cast<std::size_t>(size) >= text.size()) return false;
  return std::find(judged.begin(), judged.end(), std::string_view(text.data())) != judged.end();
}

class Walk {
 public:
  Walk(std::span<const Certificate> pool, const ChainRules& rules, std::vector<Reason>& reasons)
      : pool_(pool), rules_(rules), reasons_(reasons), before_(reasons.size()) {}

  std::optional<std::vector<Certificate>> run(const Certificate& leaf) {
    std::vector<Certificate> chain{leaf};
    while (!is_root(chain.back())) {
      judge(chain.back(), chain.size() - 1);
      if (chain.size() == rules_.longest) {
        add_too_long(chain);
        return std::nullopt;
      }
      const Certificate* issuer = find_issuer(chain);
      if (issuer == nullptr) return std::nullopt;
      chain.push_back(*issuer);
    }
    judge(chain.back(), chain.size() - 1);
    // Lists are large: nobody has them read for a chain of his own making.
    parse_lists(chain);
    for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
      judge_revocation(chain[i], chain[i + 1], i > 0);
    }
    if (reasons_.size() != before_) return std::nullopt;
    return chain;
  }

 private:
  void add(std::string code, std::string text) {
    reasons_.push_back({std::move(code), std::move(text)});
  }

  bool has_pinned_key(const Certificate& certificate) const {
    return std::find(rules_.roots.begin(), rules_.roots.end(), certificate.key_digest()) !=
           rules_.roots.end();
  }

  // Anybody can write a certificate with a root's public key in it: what else it says (names,
  // validity, limits) is the root's word only under its signature.
  bool is_root(const Certificate& certificate) const {
    return has_pinned_key(certificate) && certificate.subject_name() == certificate.issuer_name() &&
           is_signed_by(certificate, certificate);
  }

  bool is_valid_now(const Certificate& certificate) const {
    return certificate.not_before() <= rules_.now && rules_.now <= certificate.not_after();
  }

  // Among issuers of that name, one whose key made the signature: a root before others, then one
  // that is valid.
  const Certificate* find_issuer(const std::vector<Certificate>& chain) {
    const Certificate& subject = chain.back();
    const ByteVector name = subject.issuer_name();
    std::size_t named = 0;
    int best = -1;
    const Certificate* found = nullptr;
    for (const Certificate& candidate : pool_) {
      if (candidate.subject_name() != name) continue;
      if (++named > kMaxCandidates) {
        add("chain.issuer",
            "more than " + std::to_string(kMaxCandidates) + " certificates were supplied of " +
                printable(subject.issuer_common_name()) + ", the issuer of " + name_of(subject));
        return nullptr;
      }
      if (std::find(chain.begin(), chain.end(), candidate) != chain.end()) continue;
      if (!is_signed_by(subject, candidate)) continue;
      const int rank = (is_root(candidate) ? 2 : 0) + (is_valid_now(candidate) ? 1 : 0);
      if (rank <= best) continue;
      best = rank;
      found = &candidate;
    }
    if (found == nullptr) add_no_issuer(subject, named > 0);
    return found;
  }

  void add_too_long(const std::vector<Certificate>& chain) {
    const Certificate& last = chain.back();
    if (last.subject_name() == last.issuer_name()) {
      add_no_issuer(last, false);
      return;
    }
    add("chain.too-long", "no pinned root within " + std::to_string(rules_.longest) +
                              " certificates of " + name_of(chain.front()));
  }

  void add_no_issuer(const Certificate& subject, bool named) {
    if (has_pinned_key(subject)) {
      add("chain.root", name_of(subject) + " has the key of a pinned root and is not signed by it");
    } else if (subject.subject_name() == subject.issuer_name()) {
      add("chain.root",
          name_of(subject) + " names itself as issuer and its key is not a pinned root");
    } else if (named) {
      add("chain.signature", "the signature of " + name_of(subject) + " is not by " +
                                 printable(subject.issuer_common_name()));
    } else {
      add("chain.issuer", "no certificate of " + printable(subject.issuer_common_name()) +
                              ", the issuer of " + name_of(subject) + ", was supplied");
    }
  }

  void judge(const Certificate& certificate, std::size_t below) {
    judge_validity(certificate);
    if (below > 0) judge_authority(certificate, below);
    const X509* x509 = CertificateAccess::x509(certificate);
    for (int i = 0; i < X509_get_ext_count(x509); ++i) {
      X509_EXTENSION* extension = X509_get_ext(x509, i);
      if (X509_EXTENSION_get_critical(extension) == 0) continue;
      if (!is_known_critical(X509_EXTENSION_get_object(extension), rules_.judged_by_caller)) {
        add("chain.critical-extension",
            name_of(certificate) + " has a critical extension that is not understood");
      }
    }
  }

  void judge_validity(const Certificate& certificate) {
    if (rules_.now < certificate.not_before()) {
      add("chain.not-yet-valid", name_of(certificate) + " is valid from " +
                                     utc_text(certificate.not_before()) + ", it is " +
                                     utc_text(rules_.now));
    }
    if (rules_.now > certificate.not_after()) {
      add("chain.expired", name_of(certificate) + " expired at " +
                               utc_text(certificate.not_after()) + ", it is " +
                               utc_text(rules_.now));
    }
  }

  void judge_authority(const Certificate& certificate, std::size_t below) {
    if (!certificate.is_authority()) {
      add("chain.authority", name_of(certificate) + " is not a certificate authority");
    }
    // pathLenConstraint counts the authorities below, the leaf not among them.
    const long longest = X509_get_pathlen(CertificateAccess::x509(certificate));
    if (longest >= 0 && static_cast<std::size_t>(longest) + 1 < below) {
      add("chain.path-length", name_of(certificate) + " allows " + std::to_string(longest) +
                                   " authorities below it, there are " + std::to_string(below - 1));
    }
  }

  // Not those of others, of which a broker has every maker's.
  void parse_lists(const std::vector<Certificate>& chain) {
    std::set<ByteVector> issuers;
    for (std::size_t i = 1; i < chain.size(); ++i) issuers.insert(chain[i].subject_name());
    std::size_t count = 0;
    for (const ByteVector& der : rules_.revocation_lists) {
      const auto issuer = RevocationList::issuer_of(der);
      if (issuer && !issuers.contains(*issuer)) continue;
      if (++count > kMaxLists) {
        add("chain.revocation-list", "more than " + std::to_string(kMaxLists) +
                                         " revocation lists of the issuers of " +
                                         name_of(chain.front()) + " were supplied");
        return;
      }
      auto list = rules_.read_lists != nullptr ? rules_.read_lists->parse(der)
                                               : RevocationList::parse_der(der);
      if (list.ok()) {
        lists_.push_back(std::move(list).value());
      } else {
        add("chain.revocation-list", list.error().message());
      }
    }
  }

  // Whether something proves that the certificate is not revoked, or only did so at another time.
  struct Standing {
    bool current = false;
    bool stale = false;
    void take(bool is_current) { (is_current ? current : stale) = true; }
  };

  void judge_revocation(const Certificate& certificate, const Certificate& issuer,
                        bool is_authority) {
    const bool required = rules_.revocation == Revocation::kAll ||
                          (rules_.revocation == Revocation::kAuthorities && is_authority);
    Standing standing;
    ask_lists(certificate, issuer, standing);
    std::string unproven;
    const bool answered = ask_responses(certificate, issuer, standing, unproven);
    if (standing.current || (!required && !answered)) return;
    if (!unproven.empty()) add("chain.ocsp-responder", name_of(certificate) + ": " + unproven);
    add(standing.stale ? "chain.revocation-stale" : "chain.revocation-unknown",
        "that " + name_of(certificate) + " is not revoked is proven by no list or answer of " +
            name_of(issuer) + " that is valid at " + utc_text(rules_.now) +
            (standing.stale ? ": what was supplied is not current" : ""));
  }

  void ask_lists(const Certificate& certificate, const Certificate& issuer, Standing& standing) {
    for (const RevocationList& list : lists_) {
      if (!list.is_by(issuer)) continue;
      if (list.names(certificate)) {
        add("chain.revoked", name_of(certificate) + " was revoked by " + name_of(issuer));
      }
      standing.take(list.is_current(rules_.now));
    }
  }

  // Whether any response is about the certificate. `unproven`: why one of them proves nothing.
  bool ask_responses(const Certificate& certificate, const Certificate& issuer, Standing& standing,
                     std::string& unproven) {
    bool answered = false;
    std::size_t verified = 0;
    for (const OcspResponse& response : rules_.ocsp_responses) {
      const std::vector<OcspAnswer> answers = response.answers_about(certificate, issuer);
      answered = answered || !answers.empty();
      if (!could_change(answers, standing)) continue;
      if (++verified > kMaxVerifiedOfOne || ++verified_ > kMaxVerified) {
        add("chain.ocsp-responses", "more than " + std::to_string(kMaxVerifiedOfOne) +
                                        " OCSP responses about " + name_of(certificate) +
                                        " would have to be verified, or more than " +
                                        std::to_string(kMaxVerified) + " about its chain");
        break;
      }
      const auto responder = response.verify_responder(issuer, lists_);
      if (!responder.ok()) {
        unproven = responder.error().message();
        continue;
      }
      for (const OcspAnswer& answer : answers) {
        take_answer(certificate, response, answer, *responder, standing, unproven);
      }
    }
    return answered;
  }

  // Whether it matters who gave these answers: a good one beside another that counts does not, and
  // neither does one that is not current.
  bool could_change(const std::vector<OcspAnswer>& answers, Standing& standing) const {
    bool could = false;
    for (const OcspAnswer& answer : answers) {
      const bool good = answer.status == OcspStatus::kGood;
      if (good && !answer.is_current(rules_.now)) standing.stale = true;
      could = could || answer.status == OcspStatus::kRevoked ||
              answer.status == OcspStatus::kOnHold ||
              (good && answer.is_current(rules_.now) && !standing.current);
    }
    return could;
  }

  void take_answer(const Certificate& certificate, const OcspResponse& response,
                   const OcspAnswer& answer, const OcspResponder& responder, Standing& standing,
                   std::string& unproven) {
    const bool valid_now = responder.is_valid(rules_.now);
    // What is revoked stays so, though nobody renews the certificate of who said it.
    const bool valid_then =
        responder.is_valid(answer.this_update) || responder.is_valid(response.produced_at());
    switch (answer.status) {
      case OcspStatus::kGood:
        if (!valid_now) unproven = "the certificate of the responder is not valid now";
        if (valid_now) standing.take(answer.is_current(rules_.now));
        return;
      case OcspStatus::kRevoked:
      case OcspStatus::kOnHold:
        if (valid_now || valid_then) return add_revoked(certificate, answer.status);
        unproven = "the certificate of the responder was not valid when it answered";
        return;
      case OcspStatus::kUnknown:
        return;
    }
  }

  void add_revoked(const Certificate& certificate, OcspStatus status) {
    const bool on_hold = status == OcspStatus::kOnHold;
    add(on_hold ? "chain.on-hold" : "chain.revoked", "a responder of its issuer says that " +
                                                         name_of(certificate) +
                                                         (on_hold ? " is on hold" : " is revoked"));
  }

  std::span<const Certificate> pool_;
  const ChainRules& rules_;
  std::vector<Reason>& reasons_;
  std::size_t before_;
  std::vector<RevocationList> lists_;
  std::size_t verified_ = 0;  // OCSP responses
};

}  // namespace

std::optional<std::vector<Certificate>> verify_chain(const Certificate& leaf,
                                                     std::span<const Certificate> pool,
                                                     const ChainRules& rules,
                                                     std::vector<Reason>& reasons) {
  return Walk(pool, rules, reasons).run(leaf);
}

}  // namespace sealpack::x509
