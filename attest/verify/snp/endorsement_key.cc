// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/snp/endorsement_key.h"

#include <algorithm>

#include "keymgmt/crypto/der.h"

namespace sealpack::attest::snp {
namespace {

using crypto::internal::DerReader;
using crypto::internal::DerTag;

// 1.3.6.1.4.1.3704.1: AMD's arc for these certificates.
constexpr std::string_view kProductName = "1.3.6.1.4.1.3704.1.2";
constexpr std::string_view kBootloader = "1.3.6.1.4.1.3704.1.3.1";
constexpr std::string_view kTee = "1.3.6.1.4.1.3704.1.3.2";
constexpr std::string_view kSnp = "1.3.6.1.4.1.3704.1.3.3";
constexpr std::string_view kMicrocode = "1.3.6.1.4.1.3704.1.3.8";
constexpr std::string_view kFmc = "1.3.6.1.4.1.3704.1.3.9";
constexpr std::string_view kHardwareId = "1.3.6.1.4.1.3704.1.4";
constexpr std::string_view kCspId = "1.3.6.1.4.1.3704.1.5";

constexpr std::uint64_t kMaxSecurityVersion = 255;
constexpr std::size_t kHardwareIdSize = 64;
constexpr std::size_t kTurinHardwareIdSize = 8;

class Extensions {
 public:
  Extensions(const x509::Certificate& certificate, std::vector<Reason>& reasons)
      : certificate_(certificate), reasons_(reasons) {}

  bool has(std::string_view oid) const { return certificate_.extension(oid).has_value(); }

  std::uint8_t security_version(std::string_view oid) {
    const auto value = parse<std::uint64_t>(
        oid, [](DerReader& in) { return in.unsigned_integer("security version"); });
    if (!value) return 0;
    if (*value > kMaxSecurityVersion) {
      add("snp.leaf-extension",
          std::string(oid) + " is " + std::to_string(*value) + ", security versions have one byte");
      return 0;
    }
    return static_cast<std::uint8_t>(*value);
  }

  std::string text(std::string_view oid) {
    const auto value = parse<std::string>(oid, [](DerReader& in) -> Result<std::string> {
      const Bytes text = TRY(in.element(DerTag::kIa5String, "text"));
      const bool is_plain = std::all_of(text.begin(), text.end(),
                                        [](std::uint8_t c) { return c >= 0x20 && c < 0x7F; });
      if (!is_plain) return in.malformed("text with control characters");
      return std::string(as_text(text));
    });
    return value.value_or("");
  }

  // Seen as bytes alone and as an OCTET STRING of them.
  ByteVector hardware_id(std::size_t size) {
    const auto value = certificate_.extension(kHardwareId);
    if (!value) {
      add("snp.hwid", "it has none");
      return {};
    }
    if (value->size() == size) return *value;
    DerReader in(*value, "HWID");
    const auto inner = in.element(DerTag::kOctetString, "HWID");
    if (inner.ok() && in.at_end() && inner->size() == size) return to_vector(*inner);
    add("snp.hwid", "it is not " + std::to_string(size) + " bytes");
    return {};
  }

  void add(const char* code, const std::string& text) {
    reasons_.push_back({code, printable(certificate_.subject_common_name()) + ": " + text});
  }

 private:
  template <typename Value, typename Parse>
  std::optional<Value> parse(std::string_view oid, Parse parse_value) {
    const auto extension = certificate_.extension(oid);
    if (!extension) {
      add("snp.leaf-extension", "it has no extension " + std::string(oid));
      return std::nullopt;
    }
    DerReader in(*extension, oid);
    const Result<Value> value = parse_value(in);
    const Status end = in.finish();
    if (value.ok() && end.ok()) return *value;
    add("snp.leaf-extension", value.ok() ? end.error().message() : value.error().message());
    return std::nullopt;
  }

  const x509::Certificate& certificate_;
  std::vector<Reason>& reasons_;
};

Tcb read_tcb(Extensions& in, Product product) {
  Tcb tcb;
  tcb.bootloader = in.security_version(kBootloader);
  tcb.tee = in.security_version(kTee);
  tcb.snp = in.security_version(kSnp);
  tcb.microcode = in.security_version(kMicrocode);
  if (product == Product::kTurin) {
    tcb.fmc = in.security_version(kFmc);
  } else if (in.has(kFmc)) {
    in.add("snp.leaf-extension", std::string(to_string(product)) + " has no FMC");
  }
  return tcb;
}

}  // namespace

std::string_view leaf_name(SigningKey kind) {
  return kind == SigningKey::kVcek ? "SEV-VCEK" : "SEV-VLEK";
}
std::string authority_name(SigningKey kind, Product product) {
  return (kind == SigningKey::kVcek ? "SEV-" : "SEV-VLEK-") + std::string(to_string(product));
}
std::string root_name(Product product) {
  return "ARK-" + std::string(to_string(product));
}

std::optional<EndorsementKey> parse_endorsement_key(const x509::Certificate& certificate,
                                                    SigningKey kind, std::vector<Reason>& reasons) {
  const std::size_t before = reasons.size();
  Extensions in(certificate, reasons);
  const std::string name = in.text(kProductName);
  const auto product = product_of_name(name);
  if (!product) {
    if (reasons.size() == before) in.add("snp.product", "unknown product " + printable(name));
    return std::nullopt;
  }
  EndorsementKey key{certificate, *product, read_tcb(in, *product), {}, {}};
  if (kind == SigningKey::kVcek) {
    key.hardware_id =
        in.hardware_id(*product == Product::kTurin ? kTurinHardwareIdSize : kHardwareIdSize);
    if (in.has(kCspId)) in.add("snp.csp-id", "a chip's own key has no CSP_ID");
  } else {
    if (in.has(kHardwareId)) in.add("snp.hwid", "a leased key has no HWID");
    if (in.has(kCspId)) {
      key.csp_id = in.text(kCspId);
    } else {
      in.add("snp.csp-id", "a leased key without CSP_ID");
    }
  }
  if (reasons.size() != before) return std::nullopt;
  return key;
}

}  // namespace sealpack::attest::snp
