// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/pck_certificate.h"

#include <algorithm>
#include <bitset>

#include "keymgmt/crypto/der.h"

namespace sealpack::attest::dcap {
namespace {

using crypto::internal::DerReader;
using crypto::internal::DerTag;

constexpr std::string_view kWhat = "SGX extension of the PCK certificate";

// 1.2.840.113741.1.13.1 in DER.
constexpr std::array<std::uint8_t, 9> kArc{0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

enum Field : std::uint8_t {
  kPpid = 1,
  kTcb = 2,
  kPceId = 3,
  kFmspc = 4,
  kSgxType = 5,
  kPlatformInstance = 6,
  kConfiguration = 7,
};
constexpr std::uint8_t kPceSvn = 17;
constexpr std::uint8_t kCpuSvn = 18;

// One more SEQUENCE {OID, value} of `in`: the last arc of its OID, which must be `arc`, number.
Result<std::uint8_t> begin_field(DerReader& field, Bytes arc) {
  const Bytes oid = TRY(field.element(DerTag::kObjectIdentifier, "OID"));
  if (oid.size() != arc.size() + 1 || !std::equal(arc.begin(), arc.end(), oid.begin())) {
    return field.malformed("an OID outside the specification");
  }
  return oid.back();
}

template <std::size_t N>
Status read_octets(DerReader& in, std::string_view field, Array<N>& out) {
  const Bytes bytes = TRY(in.element(DerTag::kOctetString, field));
  if (bytes.size() != N) {
    return in.malformed(std::string(field) + " has " + std::to_string(bytes.size()) +
                        " bytes, not " + std::to_string(N));
  }
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return done();
}

Result<std::uint16_t> read_number(DerReader& in, std::string_view field, std::uint64_t largest) {
  const std::uint64_t value = TRY(in.unsigned_integer(field));
  if (value > largest) {
    return in.malformed(std::string(field) + " is " + std::to_string(value) + ", at most " +
                        std::to_string(largest) + " can be");
  }
  return static_cast<std::uint16_t>(value);
}

// All of 1 to `count` once: the specification leaves none out.
Status take_once(DerReader& in, std::uint8_t number, std::uint8_t count, std::bitset<32>& seen) {
  if (number < 1 || number > count) return in.malformed("a field outside the specification");
  if (seen.test(number)) return in.malformed("field " + std::to_string(number) + " occurs twice");
  seen.set(number);
  return done();
}

Status read_tcb(DerReader in, PckExtension& out) {
  std::array<std::uint8_t, kArc.size() + 1> arc{};
  std::copy(kArc.begin(), kArc.end(), arc.begin());
  arc.back() = kTcb;
  std::bitset<32> seen;
  while (!in.at_end()) {
    DerReader field = TRY(in.sequence("TCB component"));
    const std::uint8_t number = TRY(begin_field(field, arc));
    TRY(take_once(field, number, kCpuSvn, seen));
    if (number == kPceSvn) {
      out.pce_svn = TRY(read_number(field, "PCESVN", 0xffff));
    } else if (number == kCpuSvn) {
      Array<16> cpu_svn{};  // the components again, in an encoding of the processor's own
      TRY(read_octets(field, "CPUSVN", cpu_svn));
    } else {
      out.component_svns[number - 1U] =
          static_cast<std::uint8_t>(TRY(read_number(field, "TCB component SVN", 0xff)));
    }
    TRY(field.finish());
  }
  if (seen.count() != kCpuSvn) return in.malformed("its TCB lacks a component");
  return done();
}

Result<bool> read_boolean(DerReader& in, std::string_view field) {
  const Bytes value = TRY(in.element(DerTag::kBoolean, field));
  if (value.size() != 1 || (value[0] != 0x00 && value[0] != 0xff)) {
    return in.malformed(std::string(field) + " is not a boolean");
  }
  return value[0] == 0xff;
}

// dynamicPlatform, cachedKeys, SMTenabled.
Status read_configuration(DerReader in, PckExtension& out) {
  std::array<std::uint8_t, kArc.size() + 1> arc{};
  std::copy(kArc.begin(), kArc.end(), arc.begin());
  arc.back() = kConfiguration;
  std::bitset<32> seen;
  while (!in.at_end()) {
    DerReader field = TRY(in.sequence("configuration"));
    const std::uint8_t number = TRY(begin_field(field, arc));
    TRY(take_once(field, number, 3, seen));
    const bool value = TRY(read_boolean(field, "configuration"));
    if (number == 3) out.smt_enabled = value;
    TRY(field.finish());
  }
  return done();
}

Status read_field(DerReader& in, std::uint8_t number, PckExtension& out) {
  switch (number) {
    case kPpid:
      return read_octets(in, "PPID", out.ppid);
    case kTcb:
      return read_tcb(TRY(in.sequence("TCB")), out);
    case kPceId:
      return read_octets(in, "PCEID", out.pce_id);
    case kFmspc:
      return read_octets(in, "FMSPC", out.fmspc);
    case kSgxType: {
      const Bytes type = TRY(in.element(DerTag::kEnumerated, "SGX type"));
      // Standard, scalable, scalable with integrity.
      if (type.size() != 1 || type[0] > 2) return in.malformed("an SGX type that is not known");
      return done();
    }
    case kPlatformInstance:
      return read_octets(in, "platform instance", out.platform_instance_id.emplace());
    default:
      return read_configuration(TRY(in.sequence("configuration")), out);
  }
}

}  // namespace

Result<PckExtension> parse_pck_extension(Bytes der) {
  DerReader in(der, kWhat);
  DerReader fields = TRY(in.sequence("extension"));
  TRY(in.finish());
  PckExtension out;
  std::bitset<32> seen;
  while (!fields.at_end()) {
    DerReader field = TRY(fields.sequence("field"));
    const std::uint8_t number = TRY(begin_field(field, kArc));
    TRY(take_once(field, number, kConfiguration, seen));
    TRY(read_field(field, number, out));
    TRY(field.finish());
  }
  for (const std::uint8_t number : {kPpid, kTcb, kPceId, kFmspc, kSgxType}) {
    if (!seen.test(number)) return fields.malformed("field " + std::to_string(number) + " lacks");
  }
  return out;
}

}  // namespace sealpack::attest::dcap
