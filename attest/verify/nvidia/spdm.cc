// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/nvidia/spdm.h"

#include <algorithm>

#include "formats/base/byte_reader.h"

namespace sealpack::attest {
namespace {

constexpr std::uint8_t kVersion11 = 0x11;
constexpr std::uint8_t kLastVersion1 = 0x1F;
constexpr std::uint8_t kGetMeasurements = 0xE0;
constexpr std::uint8_t kMeasurements = 0x60;
constexpr std::uint8_t kWithSignature = 0x01;
constexpr std::uint8_t kAllMeasurements = 0xFF;
constexpr std::uint8_t kDmtfSpecification = 0x01;
constexpr std::uint64_t kBlockHeaderSize = 3;

// "NVIDIA Opaque Data Format": the header of the versioned layout; without it entries have no value
// type, and the version is a field.
constexpr std::string_view kOpaqueMagic = "NVDAOD";
constexpr std::uint16_t kOpaqueProfile = 0;
constexpr std::uint16_t kOpaqueVersionField = 34;
constexpr std::uint64_t kNewestOpaqueVersion = 2;
constexpr std::size_t kMaxOpaqueFields = 128;

Result<std::uint64_t> little_endian(Bytes bytes) {
  if (bytes.empty() || bytes.size() > 8) {
    return Error(ErrorCode::kMalformed,
                 "opaque data: a version of " + std::to_string(bytes.size()) + " bytes");
  }
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8U | bytes[i];
  return value;
}

Status check_byte(ByteReader& in, std::uint8_t expected, std::string_view field) {
  const std::uint8_t found = TRY(in.u8(field));
  if (found == expected) return done();
  return in.malformed(std::string(field) + " is 0x" + to_hex({&found, 1}) + ", expected 0x" +
                      to_hex({&expected, 1}));
}

Status check_version(ByteReader& in) {
  const std::uint8_t found = TRY(in.u8("SPDM version"));
  if (found == kVersion11) return done();
  const std::string text = "SPDM version is 0x" + to_hex({&found, 1}) + ", this version knows 0x11";
  if (found < kVersion11 || found > kLastVersion1) return in.malformed(text);
  return Error(ErrorCode::kUnsupported, text);
}

Result<std::vector<SpdmMeasurement>> parse_blocks(Bytes record, std::uint8_t count) {
  ByteReader in(record, "measurement record");
  std::vector<SpdmMeasurement> blocks;
  for (unsigned i = 0; i < count; ++i) {
    SpdmMeasurement block;
    block.index = TRY(in.u8("index"));
    if (block.index <= (blocks.empty() ? 0 : blocks.back().index)) {
      return in.malformed("indices are not ascending");
    }
    TRY(check_byte(in, kDmtfSpecification, "measurement specification"));
    const std::uint16_t size = TRY(in.u16("measurement size"));
    block.type = TRY(in.u8("value type"));
    const std::uint16_t value_size = TRY(in.u16("value size"));
    if (size != kBlockHeaderSize + value_size) return in.malformed("sizes of a block disagree");
    block.value = TRY(in.bytes(value_size, "value"));
    blocks.push_back(block);
  }
  TRY(in.finish());
  return blocks;
}

Status parse_opaque(Bytes opaque, SpdmReport& report) {
  ByteReader in(opaque, "opaque data");
  const bool versioned = as_text(opaque).starts_with(kOpaqueMagic);
  if (versioned) {
    TRY(in.skip(kOpaqueMagic.size(), "magic"));
    const std::uint16_t profile = TRY(in.u16("profile"));
    if (profile != kOpaqueProfile) {
      return Error(ErrorCode::kUnsupported,
                   "opaque data of profile " + std::to_string(profile) + ", this version knows 0");
    }
    report.opaque_version = TRY(in.u8("major version"));
    TRY(in.skip(3, "version"));
  }
  while (in.remaining() != 0) {
    OpaqueField field;
    field.id = TRY(in.u16("field"));
    if (versioned) TRY(in.u16("value type"));
    field.value = TRY(in.bytes(TRY(in.u16("size")), "value"));
    if (report.find(field.id)) return in.malformed("a field is there twice");
    if (report.opaque.size() == kMaxOpaqueFields) return in.malformed("more than 128 fields");
    report.opaque.push_back(field);
  }
  if (const auto version = report.find(kOpaqueVersionField); version && !versioned) {
    report.opaque_version = TRY(little_endian(*version));
  }
  if (report.opaque_version > kNewestOpaqueVersion) {
    return Error(ErrorCode::kUnsupported, "opaque data of version " +
                                              std::to_string(report.opaque_version) +
                                              ", this version knows 2");
  }
  return done();
}

}  // namespace

std::optional<Bytes> SpdmReport::find(std::uint16_t id) const {
  for (const OpaqueField& field : opaque) {
    if (field.id == id) return field.value;
  }
  return std::nullopt;
}

Result<std::array<std::uint8_t, kSpdmNonceSize>> parse_spdm_request(Bytes bytes) {
  ByteReader in(bytes, "GPU request");
  TRY(check_version(in));
  TRY(check_byte(in, kGetMeasurements, "request code"));
  TRY(check_byte(in, kWithSignature, "attributes"));
  TRY(check_byte(in, kAllMeasurements, "measurement operation"));
  const auto nonce = TRY(in.array<kSpdmNonceSize>("nonce"));
  TRY(in.u8("slot"));  // which chain signs: the chain that comes along shows it
  TRY(in.finish());
  return nonce;
}

Result<SpdmReport> parse_spdm_report(Bytes bytes) {
  ByteReader in(bytes, "GPU report");
  TRY(check_version(in));
  TRY(check_byte(in, kMeasurements, "response code"));
  TRY(in.skip(2, "parameters"));
  const std::uint8_t count = TRY(in.u8("number of blocks"));
  std::uint64_t record_size = TRY(in.u16("record size"));
  record_size |= std::uint64_t{TRY(in.u8("record size"))} << 16U;
  SpdmReport report;
  report.record = TRY(in.bytes(record_size, "measurement record"));
  report.measurements = TRY(parse_blocks(report.record, count));
  TRY(in.skip(kSpdmNonceSize, "nonce of the GPU"));
  TRY(parse_opaque(TRY(in.bytes(TRY(in.u16("opaque size")), "opaque data")), report));
  report.signed_part = bytes.first(in.position());
  report.signature = TRY(in.bytes(kSpdmSignatureSize, "signature"));
  if (in.remaining() == 1) TRY(check_byte(in, 0, "byte after the signature"));
  TRY(in.finish());
  return report;
}

}  // namespace sealpack::attest
