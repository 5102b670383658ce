// SPDX-License-Identifier: Apache-2.0
#include "attest/files/evidence_file.h"

#include <algorithm>

#include "attest/evidence/event_log_padding.h"
#include "attest/files/endorsement_file.h"
#include "attest/files/evidence_folder.h"
#include "attest/files/foreign_evidence.h"
#include "attest/files/nvattest_import.h"
#include "attest/files/text_encodings.h"
#include "attest/files/tpm_import.h"
#include "attest/verify/cose/cbor.h"
#include "formats/base/byte_reader.h"
#include "formats/files/file_source.h"

namespace sealpack::attest {
namespace {

constexpr std::uint64_t kMaxFileSize = 1U << 20U;
constexpr std::string_view kEventLog = "event-log";
constexpr std::size_t kSnpReportSize = 1184;
constexpr std::uint64_t kCoseMac0 = 17;
constexpr std::uint64_t kCoseSign1 = 18;
constexpr std::uint64_t kCcaToken = 399;
constexpr std::uint64_t kCmwCollection = 907;

Error not_evidence(const std::string& why) {
  return Error(ErrorCode::kMalformed, why)
      .with_hint("docs/ATTESTATION.md lists the forms of evidence that are read");
}

Evidence of_one(const char* tee, const char* kind, Bytes bytes) {
  return {tee, {{kind, to_vector(bytes)}}};
}

// Header of a DCAP quote: version, type of the attestation key, TEE.
std::optional<Evidence> as_quote(Bytes bytes) {
  ByteReader in(bytes, "quote");
  const auto version = in.u16("version");
  const auto key_type = in.u16("key type");
  const auto tee = in.u32("TEE type");
  if (!tee.ok() || *version < 3 || *version > 5 || *key_type < 2 || *key_type > 3) return {};
  constexpr std::uint32_t kTdx = 0x81;
  if (*version == 3 || *tee == 0) return of_one("sgx", "quote", bytes);
  if (*tee == kTdx) return of_one("tdx", "quote", bytes);
  return {};
}

// By version and signature algorithm, in whatever length.
bool is_snp_report(Bytes bytes) {
  constexpr std::size_t kAlgorithmAt = 0x34;
  if (bytes.size() < kAlgorithmAt + 4) return false;
  ByteReader in(bytes, "report");
  const auto version = in.u32("version");
  return *version >= 1 && *version <= 0xff && bytes[kAlgorithmAt] == 1 &&
         bytes[kAlgorithmAt + 1] == 0;
}

std::optional<Evidence> as_snp_report(Bytes bytes) {
  if (bytes.size() < kSnpReportSize || !is_snp_report(bytes)) return {};
  Evidence evidence = of_one("sev-snp", "report", bytes.first(kSnpReportSize));
  const Bytes rest = bytes.subspan(kSnpReportSize);
  if (!rest.empty()) evidence.items.push_back({"certificates", to_vector(rest)});
  return evidence;
}

// COSE_Sign1 with a map inside: Nitro's has texts for keys, PSA's numbers.
Result<Evidence> read_cose(Bytes bytes) {
  CborReader in(bytes, "COSE");
  if (TRY(in.peek()) == CborType::kTag) {
    const std::uint64_t tag = TRY(in.tag("tag"));
    if (tag == kCcaToken || tag == kCmwCollection) return of_one("cca", "token", bytes);
    if (tag != kCoseSign1 && tag != kCoseMac0) return not_evidence("CBOR of another tag");
  }
  if (TRY(in.array("message")) != 4) return not_evidence("CBOR that is no COSE message");
  (void)TRY(in.bytes("protected header"));
  (void)TRY(in.skip());
  CborReader payload(TRY(in.bytes("payload")), "payload", CborLengths::kAny);
  if (TRY(payload.peek()) == CborType::kTag) (void)TRY(payload.tag("tag"));
  CborReader::Members claims = TRY(payload.open_map("claims"));
  if (!TRY(payload.next(claims))) return not_evidence("a token without claims");
  const bool nitro = TRY(payload.peek()) == CborType::kText;
  return nitro ? of_one("nitro", "document", bytes) : of_one("psa", "token", bytes);
}

std::optional<Evidence> as_cose(Bytes bytes) {
  constexpr std::uint8_t kArrayOf4 = 0x84;
  const bool tagged = !bytes.empty() && bytes[0] >> 5U == 6;
  if (bytes.empty() || (!tagged && bytes[0] != kArrayOf4)) return {};
  auto evidence = read_cose(bytes);
  if (!evidence.ok()) return {};
  return std::move(evidence).value();
}

// The manufacturers' own bytes.
std::optional<Evidence> as_raw(Bytes bytes) {
  for (const auto read : {as_quote, as_snp_report, parse_gpu_report, as_cose}) {
    if (auto evidence = read(bytes)) return evidence;
  }
  return {};
}

bool is_text(Bytes content) {
  return std::all_of(content.begin(), content.end(), [](std::uint8_t byte) {
    return (byte >= 0x20 && byte < 0x7f) || byte == '\n' || byte == '\r' || byte == '\t';
  });
}

// go-tpm-tools' Attestation begins with the attestation key, its field 1.
constexpr std::uint8_t kGoTpmFirstTag = 0x0a;

Result<Evidence> read_go_tpm(Bytes content, Endorsements* beside) {
  GoTpmAttestation attestation = TRY(parse_go_tpm_attestation(content));
  if (beside != nullptr) {
    for (ByteVector& der : attestation.certificates) {
      beside->certificates.push_back(std::move(der));
    }
  }
  return std::move(attestation.evidence);
}

// What people take for evidence and is none, by its name.
Error unknown_bytes(Bytes content) {
  constexpr std::size_t kTdReportSize = 1024;
  constexpr std::uint8_t kTdReportType = 0x81;
  constexpr std::uint8_t kWebToken[] = {0xd8, 0x3d};  // CBOR of tag 61
  if (content.size() > 1 &&
      std::equal(std::begin(kWebToken), std::end(kWebToken), content.begin())) {
    return Error(ErrorCode::kUnsupported,
                 "a CBOR Web Token, as Intel's quotes of the DICE kind are: not verified here")
        .with_hint("have the platform's quoting service make a DCAP quote, version 4 or 5");
  }
  if (is_snp_report(content) && content.size() < kSnpReportSize) {
    return not_evidence(std::to_string(content.size()) +
                        " bytes that begin as a report of SEV-SNP does, which has " +
                        std::to_string(kSnpReportSize));
  }
  if (as_text(content).starts_with("HCLA")) {
    return not_evidence(
        "Azure's report alone: evidence is a folder of it, the quote of the virtual TPM, and what "
        "proves the report");
  }
  if (content.size() == kTdReportSize && content[0] == kTdReportType) {
    return not_evidence("a TDREPORT, which only its own processor can check; evidence is a quote");
  }
  return not_evidence("bytes that are no evidence of any TEE known here");
}

Result<Evidence> parse_binary(Bytes content, Endorsements* beside) {
  constexpr std::uint8_t kEnvelope[] = {0x08, 0x01, 0x12};
  if (std::equal(std::begin(kEnvelope), std::end(kEnvelope), content.begin(),
                 content.begin() +
                     static_cast<std::ptrdiff_t>(std::min(std::size(kEnvelope), content.size())))) {
    return parse_evidence(content);
  }
  if (auto evidence = as_raw(content)) return std::move(*evidence);
  if (content[0] == kGoTpmFirstTag) return read_go_tpm(content, beside);
  return unknown_bytes(content);
}

Result<Evidence> parse_text(std::string_view text, Endorsements* beside) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  if (text.starts_with('{') || text.starts_with('[')) return parse_foreign_json(as_bytes(text));
  if (text.starts_with("eyJ") && text.find('.') != text.npos) {
    return not_evidence("a JSON Web Token: what another verifier says, not what a TEE does");
  }
  if (text.starts_with("0x")) text.remove_prefix(2);
  constexpr std::size_t kMeant = 256;  // bytes: so long a text is in that encoding by no accident
  for (const auto decode : {decode_hex_text, decode_base64}) {
    const auto bytes = decode(text);
    if (!bytes.ok() || bytes->empty()) continue;
    auto evidence = parse_binary(*bytes, beside);
    if (evidence.ok() || bytes->size() >= kMeant) return evidence;
  }
  return not_evidence("text that is no evidence in hex, base64 or JSON");
}

Result<Evidence> parse_content(Bytes content, const std::string& name, Endorsements* beside) {
  if (content.empty()) return not_evidence("an empty file");
  auto evidence =
      is_text(content) ? parse_text(as_text(content), beside) : parse_binary(content, beside);
  Endorsements others;
  if (evidence.ok() || !add_endorsement_file(content, name, others).ok()) return evidence;
  return Error(ErrorCode::kMalformed, "an endorsement, which proves evidence and is none")
      .with_hint("give it with --endorsements; a GPU's chain with --item gpu-certificates=FILE");
}

}  // namespace

Result<Evidence> parse_evidence_file(Bytes content, const std::string& name, Endorsements* beside) {
  Evidence evidence = TRY(parse_content(content, name, beside).within(printable(name)));
  if (serialize_evidence(evidence).size() > kMaxEvidenceSize) {
    return Error(ErrorCode::kLimit,
                 printable(name) + ": evidence of more than " + format_size(kMaxEvidenceSize));
  }
  return evidence;
}

Result<Evidence> load_evidence(const std::filesystem::path& path, Endorsements* beside) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return load_evidence_folder(path);
  return parse_evidence_file(TRY(load_file(path, kMaxFileSize)), path.string(), beside);
}

std::uint64_t max_item_file_size(std::string_view kind) {
  return kind == kEventLog ? kMaxPaddedLog : kMaxEvidenceSize;
}

Status set_item(Evidence& evidence, const std::string& kind, Bytes bytes) {
  const auto place_of = [](std::string_view name) {
    return std::find(std::begin(kEvidenceKinds), std::end(kEvidenceKinds), name);
  };
  if (place_of(kind) == std::end(kEvidenceKinds)) {
    std::string all;
    for (const std::string_view one : kEvidenceKinds)
      all += (all.empty() ? "" : ", ") + std::string(one);
    return Error(ErrorCode::kUsage, "evidence has no item " + printable(kind)).with_hint(all);
  }
  if (bytes.empty()) return Error(ErrorCode::kUsage, "the item " + kind + " is empty");
  if (kind == kEventLog) bytes = without_padding(bytes);
  auto at = evidence.items.begin();
  while (at != evidence.items.end() && place_of(at->kind) < place_of(kind)) ++at;
  if (at != evidence.items.end() && at->kind == kind) {
    at->bytes = to_vector(bytes);
  } else {
    evidence.items.insert(at, {kind, to_vector(bytes)});
  }
  return done();
}

}  // namespace sealpack::attest
