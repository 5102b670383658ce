// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/quote.h"

#include <algorithm>

#include "formats/base/byte_reader.h"

namespace sealpack::attest::dcap {
namespace {

constexpr std::uint32_t kTeeTypeSgx = 0x00;
constexpr std::uint32_t kTeeTypeTdx = 0x81;
constexpr std::uint16_t kEcdsaP256 = 2;
constexpr std::uint16_t kQeReportCertification = 6;
constexpr std::size_t kSignatureSize = 64;
constexpr std::size_t kKeySize = 64;

// Descriptors of v5.
enum class BodyType : std::uint16_t { kSgx = 1, kTd10 = 2, kTd15 = 3, kTd15Extended = 4 };

std::size_t size_of(BodyType type) {
  switch (type) {
    case BodyType::kSgx:
      return SgxReport::kSize;
    case BodyType::kTd10:
      return TdReport::kSize10;
    case BodyType::kTd15:
      return TdReport::kSize15;
    case BodyType::kTd15Extended:
      return TdReport::kSize15Extended;
  }
  die("unknown body type");
}

bool is_zero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

Error unsupported(const std::string& why) {
  return {ErrorCode::kUnsupported, "quote: " + why};
}

struct Header {
  std::uint16_t version;
  std::uint32_t tee_type;
  Array<16> qe_vendor_id;
};

Result<Header> read_header(ByteReader& in) {
  Header header{};
  header.version = TRY(in.u16("version"));
  // Intel counts by ones; beyond this, and before the first, it is no number of a version.
  if (header.version < 3 || header.version > 255) {
    return in.malformed("version " + std::to_string(header.version) + ", which no quote has");
  }
  if (header.version > 5) {
    return unsupported("version " + std::to_string(header.version) + ", known are 3 to 5");
  }
  const std::uint16_t key_type = TRY(in.u16("attestation key type"));
  if (key_type != kEcdsaP256) {
    return unsupported("attestation key type " + std::to_string(key_type) +
                       ", known is 2 (ECDSA P-256)");
  }
  // Reserved in version 3, where all quotes are of SGX.
  header.tee_type = TRY(in.u32("TEE type"));
  if (header.version == 3 && header.tee_type != 0) {
    return in.malformed("reserved bytes of the header are not zero");
  }
  if (header.tee_type != kTeeTypeSgx && header.tee_type != kTeeTypeTdx) {
    return unsupported("TEE type " + std::to_string(header.tee_type));
  }
  TRY(in.skip(4, "QE SVN and PCE SVN"));  // what they are is in the QE's report and the PCK
  header.qe_vendor_id = TRY(in.array<16>("QE vendor id"));
  TRY(in.skip(20, "user data"));
  return header;
}

Result<BodyType> read_body_type(ByteReader& in, const Header& header) {
  const bool tdx = header.tee_type == kTeeTypeTdx;
  if (header.version < 5) return tdx ? BodyType::kTd10 : BodyType::kSgx;
  const std::uint16_t type = TRY(in.u16("body type"));
  const std::uint32_t size = TRY(in.u32("body size"));
  if (type < 1 || type > 4) {
    return unsupported("body type " + std::to_string(type) + ", known are 1 to 4");
  }
  const auto body = static_cast<BodyType>(type);
  if (size != size_of(body)) {
    return in.malformed("a body of type " + std::to_string(type) + " has " +
                        std::to_string(size_of(body)) + " bytes, not " + std::to_string(size));
  }
  if ((body == BodyType::kSgx) == tdx) return in.malformed("the body is not of the header's TEE");
  return body;
}

Status read_body(ByteReader& in, BodyType type, Quote& quote) {
  if (type == BodyType::kSgx) {
    quote.tee = Tee::kSgx;
    quote.sgx = TRY(parse_sgx_report(TRY(in.bytes(size_of(type), "enclave report"))));
    return done();
  }
  quote.tee = Tee::kTdx;
  quote.td = TRY(parse_td_report(TRY(in.bytes(size_of(type), "TD report"))));
  return done();
}

struct CertificationData {
  std::uint16_t type;
  Bytes bytes;
};

// To the end of what `in` reads.
Result<CertificationData> read_certification_data(ByteReader& in) {
  CertificationData data{};
  data.type = TRY(in.u16("certification data type"));
  const std::uint32_t size = TRY(in.u32("certification data size"));
  data.bytes = TRY(in.bytes(size, "certification data"));
  TRY(in.finish());
  return data;
}

Status read_qe(ByteReader& in, Quote& quote) {
  quote.qe_report_bytes = TRY(in.bytes(SgxReport::kSize, "QE report"));
  quote.qe_report = TRY(parse_sgx_report(quote.qe_report_bytes));
  quote.qe_signature = TRY(in.bytes(kSignatureSize, "QE report signature"));
  const std::uint16_t size = TRY(in.u16("QE authentication data size"));
  quote.qe_authentication_data = TRY(in.bytes(size, "QE authentication data"));
  const CertificationData data = TRY(read_certification_data(in));
  quote.certification_type = data.type;
  quote.certification_data = data.bytes;
  return done();
}

Status read_signature_data(Bytes bytes, Quote& quote) {
  ByteReader in(bytes, "quote signature data");
  quote.signature = TRY(in.bytes(kSignatureSize, "signature"));
  quote.certification = bytes.subspan(kSignatureSize);
  quote.attestation_key = TRY(in.bytes(kKeySize, "attestation key"));
  if (quote.version == 3) return read_qe(in, quote);
  const CertificationData outer = TRY(read_certification_data(in));
  if (outer.type != kQeReportCertification) {
    return unsupported("certification data of type " + std::to_string(outer.type) +
                       " around the QE report, known is 6");
  }
  ByteReader inner(outer.bytes, "quote QE report certification data");
  return read_qe(inner, quote);
}

Result<TdReport::Extension> read_extension(ByteReader& in) {
  TdReport::Extension extension;
  extension.vm_id = TRY(in.u8("VMID"));
  extension.td_id = TRY(in.array<32>("TD_ID"));
  extension.device_info = TRY(in.array<48>("DEVINFO"));
  extension.initial_service_td = TRY(in.array<48>("INIT_SERVTD_HASH"));
  extension.initial_service_td_attributes = TRY(in.array<8>("INIT_SERVTD_ATTR"));
  extension.initial_cpu_svn = TRY(in.array<16>("INIT_CPUSVN"));
  extension.initial_tee_tcb_svn = TRY(in.array<16>("INIT_TEE_TCB_SVN"));
  extension.initial_fmspc = TRY(in.array<12>("INIT_TEE_FMSPC"));
  extension.current_service_td = TRY(in.array<48>("CURR_SERVTD_HASH"));
  extension.current_service_td_attributes = TRY(in.array<8>("CURR_SERVTD_ATTR"));
  return extension;
}

}  // namespace

const char* to_string(Tee tee) {
  return tee == Tee::kSgx ? "SGX" : "TDX";
}

Result<SgxReport> parse_sgx_report(Bytes bytes) {
  ByteReader in(bytes, "enclave report");
  SgxReport report;
  report.cpu_svn = TRY(in.array<16>("CPUSVN"));
  report.misc_select = TRY(in.array<4>("MISCSELECT"));
  const Bytes reserved1 = TRY(in.bytes(12, "reserved"));
  report.isv_ext_prod_id = TRY(in.array<16>("ISVEXTPRODID"));
  report.attributes = TRY(in.array<16>("ATTRIBUTES"));
  report.mrenclave = TRY(in.array<32>("MRENCLAVE"));
  const Bytes reserved2 = TRY(in.bytes(32, "reserved"));
  report.mrsigner = TRY(in.array<32>("MRSIGNER"));
  const Bytes reserved3 = TRY(in.bytes(32, "reserved"));
  report.config_id = TRY(in.array<64>("CONFIGID"));
  report.isv_prod_id = TRY(in.u16("ISVPRODID"));
  report.isv_svn = TRY(in.u16("ISVSVN"));
  report.config_svn = TRY(in.u16("CONFIGSVN"));
  const Bytes reserved4 = TRY(in.bytes(42, "reserved"));
  report.isv_family_id = TRY(in.array<16>("ISVFAMILYID"));
  report.report_data = TRY(in.array<64>("REPORTDATA"));
  TRY(in.finish());
  report.reserved_is_zero =
      is_zero(reserved1) && is_zero(reserved2) && is_zero(reserved3) && is_zero(reserved4);
  return report;
}

Result<TdReport> parse_td_report(Bytes bytes) {
  ByteReader in(bytes, "TD report");
  TdReport report;
  report.tee_tcb_svn = TRY(in.array<16>("TEE_TCB_SVN"));
  report.mr_seam = TRY(in.array<48>("MRSEAM"));
  report.mr_signer_seam = TRY(in.array<48>("MRSIGNERSEAM"));
  report.seam_attributes = TRY(in.array<8>("SEAMATTRIBUTES"));
  report.td_attributes = TRY(in.array<8>("TDATTRIBUTES"));
  report.xfam = TRY(in.array<8>("XFAM"));
  report.mr_td = TRY(in.array<48>("MRTD"));
  report.mr_config_id = TRY(in.array<48>("MRCONFIGID"));
  report.mr_owner = TRY(in.array<48>("MROWNER"));
  report.mr_owner_config = TRY(in.array<48>("MROWNERCONFIG"));
  for (Array<48>& rtmr : report.rtmr) rtmr = TRY(in.array<48>("RTMR"));
  report.report_data = TRY(in.array<64>("REPORTDATA"));
  if (bytes.size() >= TdReport::kSize15) {
    TdReport::Added added;
    added.tee_tcb_svn2 = TRY(in.array<16>("TEE_TCB_SVN2"));
    added.mr_service_td = TRY(in.array<48>("MRSERVICETD"));
    report.added = added;
  }
  if (bytes.size() == TdReport::kSize15Extended) report.extension = TRY(read_extension(in));
  TRY(in.finish());
  return report;
}

Result<Quote> parse_quote(Bytes bytes) {
  if (bytes.size() > kMaxQuoteSize) {
    return Error(ErrorCode::kLimit, "quote: " + format_size(bytes.size()) + ", at most " +
                                        format_size(kMaxQuoteSize) + " are read");
  }
  ByteReader in(bytes, "quote");
  const Header header = TRY(read_header(in));
  Quote quote;
  quote.version = header.version;
  quote.qe_vendor_id = header.qe_vendor_id;
  TRY(read_body(in, TRY(read_body_type(in, header)), quote));
  quote.signed_part = bytes.first(static_cast<std::size_t>(in.position()));
  const std::uint32_t size = TRY(in.u32("signature data size"));
  TRY(read_signature_data(TRY(in.bytes(size, "signature data")), quote));
  const std::uint64_t left = in.remaining();
  if (!is_zero(TRY(in.bytes(left, "padding")))) {
    return in.malformed("other bytes than zeros among the " + std::to_string(left) +
                        " behind the signature data");
  }
  return quote;
}

}  // namespace sealpack::attest::dcap
