// SPDX-License-Identifier: Apache-2.0
#include "attest/files/azure_import.h"

#include <set>

#include "attest/files/quote_json.h"
#include "attest/verify/tpm/tpm_algorithms.h"
#include "keymgmt/x509/certificate.h"

namespace sealpack::attest {
namespace {

using models::JsonReader;

constexpr std::uint64_t kLastVersion = 2;

struct AzureJson {
  QuoteJson quote;
  ByteVector hcl_report;
  ByteVector vcek;  // DER
  ByteVector td_quote;
};

// Version 0 writes PEM, later ones the DER in base64.
Result<ByteVector> read_certificate(JsonReader& in) {
  constexpr std::string_view kPem = "-----BEGIN ";
  JsonReader ahead = in;
  if (TRY(ahead.peek()) == JsonReader::Kind::kString) {
    const std::string text = TRY(ahead.string("vcek"));
    if (text.starts_with(kPem)) {
      in = ahead;
      const auto certificates = TRY(x509::Certificate::parse_pem(as_bytes(text)));
      if (certificates.size() != 1) return in.malformed("a vcek of several certificates");
      return to_vector(certificates[0].der());
    }
  }
  return read_json_bytes(in, JsonBytes::kBase64, "vcek");
}

// The first evidence of SEV-SNP has other names for two of them.
std::string member_of(const std::string& name) {
  return name == "quote" ? "tpm_quote" : name == "report" ? "hcl_report" : name;
}

Status read_member(JsonReader& in, const std::string& key, AzureJson& out) {
  if (key == "version") {
    const std::uint64_t version = TRY(in.integer("version"));
    if (version == 0 || version > kLastVersion) {
      return Error(ErrorCode::kUnsupported, "Azure evidence of version " + std::to_string(version));
    }
    return done();
  }
  if (key == "tpm_quote") {
    out.quote = TRY(read_quote_json(in, JsonBytes::kHex));
  } else if (key == "hcl_report") {
    out.hcl_report = TRY(read_json_bytes(in, JsonBytes::kBase64, key));
  } else if (key == "vcek") {
    out.vcek = TRY(read_certificate(in));
  } else if (key == "td_quote") {
    out.td_quote = TRY(read_json_bytes(in, JsonBytes::kBase64, key));
  } else {
    return in.malformed("member " + printable(key) + " in no Azure evidence known here");
  }
  return done();
}

// TPMT_SIGNATURE around it.
ByteVector wrapped_signature(const ByteVector& signature) {
  ByteVector out;
  for (const std::size_t part :
       {std::size_t{tpm::kAlgRsaSsa}, std::size_t{tpm::kAlgSha256}, signature.size()}) {
    out.push_back(static_cast<std::uint8_t>(part >> 8U));
    out.push_back(static_cast<std::uint8_t>(part & 0xffU));
  }
  out.insert(out.end(), signature.begin(), signature.end());
  return out;
}

// The table of certificates that evidence of SNP has (GHCB specification): one entry, the end, DER.
ByteVector certificate_table(const ByteVector& vcek) {
  constexpr std::uint8_t kVcekGuid[16] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64,
                                          0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
  constexpr std::size_t kEntrySize = 24;
  ByteVector out(std::begin(kVcekGuid), std::end(kVcekGuid));
  for (const std::size_t number : {2 * kEntrySize, vcek.size()}) {
    for (unsigned i = 0; i < 4; ++i) {
      out.push_back(static_cast<std::uint8_t>((number >> (8U * i)) & 0xffU));
    }
  }
  out.resize(2 * kEntrySize);
  out.insert(out.end(), vcek.begin(), vcek.end());
  return out;
}

}  // namespace

Result<Evidence> parse_trustee_azure(Bytes json) {
  JsonReader in(json, "Trustee's Azure evidence");
  AzureJson parts;
  std::set<std::string> seen;
  TRY(in.begin_object("evidence"));
  while (const auto key = TRY(in.next_key())) {
    const std::string name = member_of(*key);
    if (!seen.insert(name).second) return in.malformed("member " + printable(*key) + " twice");
    TRY(read_member(in, name, parts));
  }
  TRY(in.finish());
  const bool snp = !parts.vcek.empty();
  if (parts.quote.signature.size() > 0xffff) return in.malformed("a signature beyond 64 KiB");
  if (snp == !parts.td_quote.empty() || parts.hcl_report.empty() || parts.quote.message.empty()) {
    return in.malformed("needs a quote, a report, and either a vcek or a td_quote");
  }
  Evidence evidence;
  evidence.tee = snp ? "azure-sev-snp" : "azure-tdx";
  if (snp) evidence.items.push_back({"certificates", certificate_table(parts.vcek)});
  if (!snp) evidence.items.push_back({"quote", parts.td_quote});
  evidence.items.push_back({"hcl-report", parts.hcl_report});
  evidence.items.push_back({"tpm-quote", parts.quote.message});
  evidence.items.push_back({"tpm-signature", wrapped_signature(parts.quote.signature)});
  ByteVector pcrs = TRY(quoted_pcrs(parts.quote));
  evidence.items.push_back({"tpm-pcrs", std::move(pcrs)});
  return evidence;
}

}  // namespace sealpack::attest
