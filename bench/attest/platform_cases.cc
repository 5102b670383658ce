// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/verify/dcap/quote.h"
#include "bench/attest/verification_case.h"
#include "formats/base/error.h"
#include "tests/attest/verify/dcap/mint_dcap.h"
#include "tests/attest/verify/snp/snp_lab.h"
#include "tests/attest/verify/tpm/hcl_lab.h"

namespace sealpack::bench {
namespace {

using crypto::HashAlgorithm;
using testing::HclLab;
using testing::MintDcap;
using testing::MintedLog;
using testing::MintedTpm;
using testing::MintKey;
using testing::MintKeyType;
using testing::SnpLab;
using Request = VerificationCase::Request;

ByteVector binding_of(std::size_t request, std::size_t size = 64) {
  return ByteVector(size, static_cast<std::uint8_t>(request + 1));
}

BareSignature bare(const MintKey& key, HashAlgorithm hash, Bytes message) {
  const bool is_rsa = key.type() == MintKeyType::kRsa2048;
  return {is_rsa ? SignatureKind::kRsaPkcs1 : SignatureKind::kEcdsa, hash, key.spki(), message,
          key.sign(hash, message)};
}

// --- AMD ---

BareSignature signature_of(const SnpLab& lab) {
  return bare(lab.signing_key, HashAlgorithm::kSha384, lab.report);
}

attest::Endorsements chain_of(const SnpLab& lab) {
  attest::Endorsements endorsements;
  endorsements.certificates = {lab.leaf_der(), lab.authority_der(), lab.ark_der()};
  endorsements.revocation_lists = {testing::mint_list({}, lab.ark, lab.ark_key)};
  return endorsements;
}

VerificationCase snp_case(const std::string& name, const std::string& product,
                          std::uint32_t version) {
  SnpLab lab(product, SnpLab::Kind::kVcek, version);
  VerificationCase made{name, chain_of(lab), lab.roots, SnpLab::kNow, {}};
  for (std::size_t i = 0; i < kRequests; ++i) {
    const ByteVector binding = binding_of(i);
    lab.set_bytes(0x50, binding);
    made.requests.push_back(
        {{"sev-snp", {{"report", lab.signed_report()}}}, binding, {signature_of(lab)}});
  }
  return made;
}

// --- Intel ---

// One platform's quotes: its quoting enclave was certified once and vouches for one key.
class QuoteMaker {
 public:
  explicit QuoteMaker(MintDcap::Kind kind) : platform(kind) {
    quote_ = platform.quote();
    const std::size_t head = platform.version == 5 ? 54 : 48;
    signed_size_ = head + platform.body.size();
    report_data_at_ = head + (platform.tdx() ? 520 : 320);
  }

  ByteVector quote(Bytes report_data) {
    std::copy(report_data.begin(), report_data.end(),
              quote_.begin() + static_cast<std::ptrdiff_t>(report_data_at_));
    const ByteVector signature = key().sign(HashAlgorithm::kSha256, signed_part());
    std::copy(signature.begin(), signature.end(),
              quote_.begin() + static_cast<std::ptrdiff_t>(signed_size_ + 4));
    return quote_;
  }
  // Of the last quote.
  BareSignature signature() const { return bare(key(), HashAlgorithm::kSha256, signed_part()); }

  MintDcap platform;

 private:
  static const MintKey& key() { return testing::mint_dcap_keys().attestation; }
  Bytes signed_part() const { return Bytes(quote_).first(signed_size_); }

  ByteVector quote_;
  std::size_t signed_size_ = 0;
  std::size_t report_data_at_ = 0;
};

VerificationCase quote_case(const std::string& name, MintDcap::Kind kind) {
  QuoteMaker maker(kind);
  VerificationCase made{
      name, maker.platform.endorsements(), maker.platform.roots(), testing::kDcapNow, {}};
  for (std::size_t i = 0; i < kRequests; ++i) {
    const ByteVector binding = binding_of(i);
    const ByteVector quote = maker.quote(binding);
    made.requests.push_back(
        {{maker.platform.tee(), {{"quote", quote}}}, binding, {maker.signature()}});
  }
  return made;
}

// --- TPMs, alone and Azure's ---

BareSignature signature_of(const MintedTpm& tpm, const testing::QuoteFields& fields) {
  return bare(tpm.key(), HashAlgorithm::kSha256, testing::write_quote(fields));
}

VerificationCase tpm_case(const std::string& name, MintKeyType type, bool with_log) {
  const MintedTpm tpm(type);
  MintedLog log;
  log.boot(true);
  const auto values = log.values(HashAlgorithm::kSha256, {0, 4, 7, 9});
  testing::QuoteFields fields = tpm.fields_for(values);
  VerificationCase made{name, {}, {}, SnpLab::kNow, {}};
  made.roots.tpm_enrolments = {{tpm.key_digest(), tpm.name(), ByteVector(34, 0xee)}};
  for (std::size_t i = 0; i < kRequests; ++i) {
    fields.extra_data = binding_of(i, 32);
    made.requests.push_back({tpm.evidence(fields, values, with_log ? Bytes(log.bytes()) : Bytes{}),
                             fields.extra_data,
                             {signature_of(tpm, fields)}});
  }
  return made;
}

// Without the log, whose replay is no signature's: tpm has a case with one.
attest::Evidence azure_evidence(const HclLab& lab, const std::string& tee, Bytes hardware) {
  attest::Evidence evidence = lab.evidence(tee, hardware);
  std::erase_if(evidence.items, [](const auto& item) { return item.kind == "event-log"; });
  return evidence;
}

// The hardware report is bound to the firmware's data and not to the request: it is made at boot,
// and a new one is asked for as rarely.
VerificationCase azure_snp_case() {
  SnpLab snp("Milan");
  HclLab lab(2);
  snp.set_bytes(0x50, lab.binding());
  const ByteVector report = snp.signed_report();
  VerificationCase made{"azure-sev-snp", chain_of(snp), snp.roots, SnpLab::kNow, {}};
  for (std::size_t i = 0; i < kRequests; ++i) {
    lab.fields.extra_data = binding_of(i, 32);
    made.requests.push_back({azure_evidence(lab, "azure-sev-snp", report),
                             lab.fields.extra_data,
                             {signature_of(snp), signature_of(lab.tpm, lab.fields)}});
  }
  return made;
}

VerificationCase azure_tdx_case() {
  QuoteMaker maker(MintDcap::Kind::kTdx4);
  HclLab lab(4);
  const ByteVector quote = maker.quote(lab.binding());
  ByteVector td_report(1184);
  const ByteVector binding = lab.binding();
  std::copy(binding.begin(), binding.end(), td_report.begin() + 128);
  VerificationCase made{
      "azure-tdx", maker.platform.endorsements(), maker.platform.roots(), testing::kDcapNow, {}};
  for (std::size_t i = 0; i < kRequests; ++i) {
    lab.fields.extra_data = binding_of(i, 32);
    attest::Evidence evidence = azure_evidence(lab, "azure-tdx", td_report);
    evidence.items.push_back({"quote", quote});
    made.requests.push_back({std::move(evidence),
                             lab.fields.extra_data,
                             {maker.signature(), signature_of(lab.tpm, lab.fields)}});
  }
  return made;
}

}  // namespace

std::vector<VerificationCase> platform_cases() {
  return {snp_case("sev-snp, Milan, version 3", "Milan", 3),
          snp_case("sev-snp, Turin, version 5", "Turin", 5),
          quote_case("sgx, version 3", MintDcap::Kind::kSgx3),
          quote_case("tdx, version 4", MintDcap::Kind::kTdx4),
          quote_case("tdx, version 5", MintDcap::Kind::kTdx5),
          azure_snp_case(),
          azure_tdx_case(),
          tpm_case("tpm, ECDSA", MintKeyType::kP256, false),
          tpm_case("tpm, RSA", MintKeyType::kRsa2048, false),
          tpm_case("tpm, ECDSA, with a log", MintKeyType::kP256, true)};
}

attest::Endorsements other_endorsements() {
  attest::Endorsements others;
  SnpLab lab("Milan");
  MintKey other_key = testing::lab_key(3);
  lab.leaf_key = other_key;
  for (std::size_t i = 0; i < kOtherVceks; ++i) {
    ByteVector chip(64, 0x0C);
    chip.back() = static_cast<std::uint8_t>(i);
    lab.extension("4").value = chip;
    others.certificates.push_back(lab.leaf_der());
  }
  const MintDcap platform(MintDcap::Kind::kTdx4);
  for (std::size_t i = 0; i < kOtherTcbInfos; ++i) {
    const std::string fmspc = to_hex(ByteVector{0x10, static_cast<std::uint8_t>(i), 0, 0, 0, 0});
    others.tcb_infos.push_back(MintDcap::sign_document(
        "tcbInfo", testing::edited(platform.tcb_info, "90C06F000000", fmspc)));
  }
  return others;
}

}  // namespace sealpack::bench
