// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/collateral_file.h"

#include <algorithm>
#include <array>
#include <map>

#include "attest/files/text_encodings.h"
#include "attest/verify/dcap/enclave_identity.h"
#include "keymgmt/x509/certificate.h"

namespace sealpack::attest {
namespace {

using dcap::EnclaveIdentity;
using dcap::TcbInfo;
using models::JsonReader;

constexpr std::size_t kMaxFileSize = 4U << 20U;
constexpr std::string_view kWhat = "DCAP collateral";

constexpr std::array<std::string_view, 10> kTexts{"pck_crl_issuer_chain",
                                                  "root_ca_crl",
                                                  "pck_crl",
                                                  "tcb_info_issuer_chain",
                                                  "tcb_info",
                                                  "tcb_info_signature",
                                                  "qe_identity",
                                                  "qe_identity_issuer_chain",
                                                  "qe_identity_signature",
                                                  "pck_certificate_chain"};
// Of the library's structure; they say nothing that the documents do not.
constexpr std::array<std::string_view, 4> kNumbers{"version", "major_version", "minor_version",
                                                   "tee_type"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

using Texts = std::map<std::string, std::string, std::less<>>;

Result<Texts> read_texts(Bytes json) {
  JsonReader in(json, kWhat);
  Texts texts;
  TRY(dcap::read_object(in, kWhat, [&](std::string_view key) -> Result<bool> {
    if (contains(kNumbers, key)) return false;
    if (!contains(kTexts, key))
      return in.malformed("a member that is not known: " + printable(key));
    if (TRY(in.peek()) == JsonReader::Kind::kNull) {
      TRY(in.null(key));
    } else {
      texts.emplace(key, TRY(in.string(key)));
    }
    return true;
  }));
  TRY(in.finish());
  if (texts.empty()) return in.malformed("nothing in it");
  return texts;
}

// nullptr for one that is absent or empty.
const std::string* find(const Texts& texts, std::string_view name) {
  const auto found = texts.find(name);
  return found == texts.end() || found->second.empty() ? nullptr : &found->second;
}

Status add_chain(const Texts& texts, std::string_view name, Endorsements& out) {
  const std::string* pem = find(texts, name);
  if (pem == nullptr) return done();
  const std::vector<x509::Certificate> chain =
      TRY(x509::Certificate::parse_pem(as_bytes(*pem)).within(std::string(name)));
  for (const x509::Certificate& certificate : chain) {
    ByteVector der = to_vector(certificate.der());
    if (std::find(out.certificates.begin(), out.certificates.end(), der) ==
        out.certificates.end()) {
      out.certificates.push_back(std::move(der));
    }
  }
  return done();
}

Result<ByteVector> decode_list(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN X509 CRL-----";
  constexpr std::string_view kEnd = "-----END X509 CRL-----";
  const std::size_t begin = text.find(kBegin);
  if (begin == std::string_view::npos) return decode_hex_text(text);
  const std::size_t start = begin + kBegin.size();
  const std::size_t end = text.find(kEnd, start);
  if (end == std::string_view::npos) {
    return Error(ErrorCode::kMalformed, "a PEM block that does not end");
  }
  return decode_base64(text.substr(start, end - start));
}

Status add_list(const Texts& texts, std::string_view name, Endorsements& out) {
  const std::string* text = find(texts, name);
  if (text == nullptr) return done();
  out.revocation_lists.push_back(TRY(decode_list(*text).within(std::string(name))));
  return done();
}

// The document as PCS delivers it, out of the inner text and its signature where they are apart.
Status add_document(const Texts& texts, const std::string& name, std::string_view pcs_name,
                    std::vector<ByteVector>& out) {
  const std::string* text = find(texts, name);
  if (text == nullptr) return done();
  const std::string* signature = find(texts, name + "_signature");
  std::string document = *text;
  if (signature != nullptr) {
    const ByteVector raw = TRY(from_hex(*signature).within(name + "_signature"));
    document =
        "{\"" + std::string(pcs_name) + "\":" + *text + ",\"signature\":\"" + to_hex(raw) + "\"}";
  }
  TRY(dcap::split_document(as_bytes(document), pcs_name).within(name));
  out.push_back(to_vector(as_bytes(document)));
  return done();
}

Result<Endorsements> read_set(Bytes json) {
  const Texts texts = TRY(read_texts(json));
  Endorsements out;
  for (const char* name : {"pck_crl_issuer_chain", "tcb_info_issuer_chain",
                           "qe_identity_issuer_chain", "pck_certificate_chain"}) {
    TRY(add_chain(texts, name, out));
  }
  TRY(add_list(texts, "root_ca_crl", out));
  TRY(add_list(texts, "pck_crl", out));
  TRY(add_document(texts, "tcb_info", TcbInfo::kName, out.tcb_infos));
  TRY(add_document(texts, "qe_identity", EnclaveIdentity::kName, out.enclave_identities));
  return out;
}

// Which of the three forms: by the first key that tells.
Result<std::string> tell_form(Bytes json) {
  JsonReader in(json, kWhat);
  TRY(in.begin_object(kWhat));
  while (auto key = TRY(in.next_key())) {
    if (*key == TcbInfo::kName || *key == EnclaveIdentity::kName) return std::move(*key);
    TRY(in.skip_value());
  }
  return std::string();
}

}  // namespace

Result<Endorsements> parse_dcap_collateral(Bytes json) {
  if (json.size() > kMaxFileSize) {
    return Error(ErrorCode::kLimit, std::string(kWhat) + ": " + format_size(json.size()) +
                                        ", at most " + format_size(kMaxFileSize) + " are read");
  }
  const std::string form = TRY(tell_form(json));
  if (form.empty()) return read_set(json);
  TRY(dcap::split_document(json, form));
  Endorsements out;
  (form == TcbInfo::kName ? out.tcb_infos : out.enclave_identities).push_back(to_vector(json));
  return out;
}

}  // namespace sealpack::attest
