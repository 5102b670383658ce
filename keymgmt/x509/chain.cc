// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/x509/chain.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

#include "formats/base/utc_text.h"
#include "keymgmt/x509/certificate_state.h"

namespace sealpack::x509 {
namespace {

constexpr std::size_t kMaxListSize = 4U << 20U;
constexpr std::size_t kMaxLists = 16;

using crypto::internal::QuietErrors;

std::string name_of(const Certificate& certificate) {
  const std::string name = certificate.subject_common_name();
  return name.empty() ? "a certificate without a common name" : printable(name);
}

bool is_strong_digest(int nid) {
  return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

bool is_strong_signature(int nid) {
  static constexpr std::array kStrong{NID_ecdsa_with_SHA256,
                                      NID_ecdsa_with_SHA384,
                                      NID_ecdsa_with_SHA512,
                                      NID_sha256WithRSAEncryption,
                                      NID_sha384WithRSAEncryption,
                                      NID_sha512WithRSAEncryption,
                                      NID_rsassaPss};
  return std::find(kStrong.begin(), kStrong.end(), nid) != kStrong.end();
}

bool is_signed_by(const Certificate& certificate, const Certificate& issuer) {
  const QuietErrors quiet;
  X509* x509 = CertificateAccess::x509(certificate);
  int digest = NID_undef;
  if (X509_get_signature_info(x509, &digest, nullptr, nullptr, nullptr) != 1) return false;
  if (!is_strong_digest(digest)) return false;
  return X509_verify(x509, X509_get0_pubkey(CertificateAccess::x509(issuer))) == 1;
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
        add("chain.too-long", "no pinned root within " + std::to_string(rules_.longest) +
                                  " certificates of " + name_of(leaf));
        return std::nullopt;
      }
      const Certificate* issuer = find_issuer(chain);
      if (issuer == nullptr) return std::nullopt;
      judge_revocation(chain.back(), *issuer, chain.size() > 1);
      chain.push_back(*issuer);
    }
    judge(chain.back(), chain.size() - 1);
    if (reasons_.size() != before_) return std::nullopt;
    return chain;
  }

 private:
  void add(std::string code, std::string text) {
    reasons_.push_back({std::move(code), std::move(text)});
  }

  bool is_root(const Certificate& certificate) const {
    return std::find(rules_.roots.begin(), rules_.roots.end(), certificate.key_digest()) !=
           rules_.roots.end();
  }

  // Among issuers of that name, the one whose key made the signature; a root before others.
  const Certificate* find_issuer(const std::vector<Certificate>& chain) {
    const Certificate& subject = chain.back();
    bool named = false;
    const Certificate* found = nullptr;
    for (const Certificate& candidate : pool_) {
      if (candidate.subject_name() != subject.issuer_name()) continue;
      named = true;
      if (std::find(chain.begin(), chain.end(), candidate) != chain.end()) continue;
      if (!is_signed_by(subject, candidate)) continue;
      if (found == nullptr || is_root(candidate)) found = &candidate;
    }
    if (found != nullptr) return found;
    if (subject.subject_name() == subject.issuer_name()) {
      add("chain.root", name_of(subject) + " signs itself and its key is not a pinned root");
    } else if (named) {
      add("chain.signature", "the signature of " + name_of(subject) + " is not by " +
                                 printable(subject.issuer_common_name()));
    } else {
      add("chain.issuer", "no certificate of " + printable(subject.issuer_common_name()) +
                              ", the issuer of " + name_of(subject) + ", was supplied");
    }
    return nullptr;
  }

  void judge(const Certificate& certificate, std::size_t below) {
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
    X509* x509 = CertificateAccess::x509(certificate);
    if (below > 0) {
      if (!certificate.is_authority()) {
        add("chain.authority", name_of(certificate) + " is not a certificate authority");
      }
      // pathLenConstraint counts the authorities below, the leaf not among them.
      const long longest = X509_get_pathlen(x509);
      if (longest >= 0 && static_cast<std::size_t>(longest) + 1 < below) {
        add("chain.path-length", name_of(certificate) + " allows " + std::to_string(longest) +
                                     " authorities below it, there are " +
                                     std::to_string(below - 1));
      }
    }
    for (int i = 0; i < X509_get_ext_count(x509); ++i) {
      X509_EXTENSION* extension = X509_get_ext(x509, i);
      if (X509_EXTENSION_get_critical(extension) == 0) continue;
      if (!is_known_critical(X509_EXTENSION_get_object(extension), rules_.judged_by_caller)) {
        add("chain.critical-extension",
            name_of(certificate) + " has a critical extension that is not understood");
      }
    }
  }

  void judge_revocation(const Certificate& certificate, const Certificate& issuer,
                        bool is_authority) {
    const bool required = rules_.revocation == Revocation::kAll ||
                          (rules_.revocation == Revocation::kAuthorities && is_authority);
    bool current = false;
    bool stale = false;
    std::size_t seen = 0;
    for (const ByteVector& der : rules_.revocation_lists) {
      if (++seen > kMaxLists) {
        add("chain.revocation-lists", "more than 16 revocation lists");
        return;
      }
      const CrlPtr list = list_of(der, issuer);
      if (!list) continue;
      if (is_listed(*list, certificate)) {
        add("chain.revoked", name_of(certificate) + " was revoked by " + name_of(issuer));
      }
      (is_current(*list) ? current : stale) = true;
    }
    if (current || !required) return;
    add(stale ? "chain.revocation-stale" : "chain.revocation-unknown",
        "no revocation list of " + name_of(issuer) + " is valid at " + utc_text(rules_.now) +
            (stale ? ": that supplied is not current" : ": none was supplied"));
  }

  // The list if it is by this issuer and says nothing that we do not understand.
  static CrlPtr list_of(const ByteVector& der, const Certificate& issuer) {
    const QuietErrors quiet;
    if (der.size() > kMaxListSize) return nullptr;
    const unsigned char* cursor = der.data();
    CrlPtr list(d2i_X509_CRL(nullptr, &cursor, static_cast<long>(der.size())));
    if (!list || cursor != der.data() + der.size()) return nullptr;
    X509* x509 = CertificateAccess::x509(issuer);
    if (X509_NAME_cmp(X509_CRL_get_issuer(list.get()), X509_get_subject_name(x509)) != 0) {
      return nullptr;
    }
    if (!is_strong_signature(X509_CRL_get_signature_nid(list.get())) ||
        X509_CRL_verify(list.get(), X509_get0_pubkey(x509)) != 1) {
      return nullptr;
    }
    for (int i = 0; i < X509_CRL_get_ext_count(list.get()); ++i) {
      if (X509_EXTENSION_get_critical(X509_CRL_get_ext(list.get(), i)) != 0) return nullptr;
    }
    return list;
  }

  static bool is_listed(X509_CRL& list, const Certificate& certificate) {
    X509_REVOKED* entry = nullptr;
    return X509_CRL_get0_by_cert(&list, &entry, CertificateAccess::x509(certificate)) != 0;
  }

  bool is_current(X509_CRL& list) const {
    const auto from = unix_seconds(X509_CRL_get0_lastUpdate(&list));
    const auto until = unix_seconds(X509_CRL_get0_nextUpdate(&list));
    return from && until && *from <= rules_.now && rules_.now < *until;
  }

  std::span<const Certificate> pool_;
  const ChainRules& rules_;
  std::vector<Reason>& reasons_;
  std::size_t before_;
};

}  // namespace

std::optional<std::vector<Certificate>> verify_chain(const Certificate& leaf,
                                                     std::span<const Certificate> pool,
                                                     const ChainRules& rules,
                                                     std::vector<Reason>& reasons) {
  return Walk(pool, rules, reasons).run(leaf);
}

}  // namespace sealpack::x509
