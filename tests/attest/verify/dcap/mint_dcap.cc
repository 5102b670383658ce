// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/verify/dcap/mint_dcap.h"

#include <algorithm>

#include "keymgmt/crypto/der.h"

namespace sealpack::testing {
namespace {

using attest::dcap::PckExtension;
using crypto::HashAlgorithm;
using crypto::internal::der_element;
using crypto::internal::der_unsigned;
using crypto::internal::DerTag;

constexpr attest::dcap::Array<16> kIntelQe{0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                           0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
constexpr std::string_view kQeSigner =
    "8c4f5775d796503e96137f77c68a829a0056ac8ded70140b081b094490c57bff";
constexpr std::string_view kTdQeSigner =
    "dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5";

void put_u16(ByteVector& out, std::uint32_t value) {
  out.push_back(static_cast<std::uint8_t>(value));
  out.push_back(static_cast<std::uint8_t>(value >> 8U));
}
void put_u32(ByteVector& out, std::uint32_t value) {
  put_u16(out, value);
  put_u16(out, value >> 16U);
}
void put(ByteVector& out, Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}
void overwrite(ByteVector& out, std::size_t at, Bytes bytes) {
  std::copy(bytes.begin(), bytes.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
}

std::string components(int first, int second, int third, int others) {
  std::string text = "[";
  for (int i = 0; i < 16; ++i) {
    const int svn = i == 0 ? first : i == 1 ? second : i == 2 ? third : others;
    text += (i == 0 ? "{\"svn\":" : ",{\"svn\":") + std::to_string(svn) +
            (i == 3 ? ",\"category\":\"BIOS\",\"type\":\"Early Microcode Update\"}" : "}");
  }
  return text + "]";
}

std::string level(bool tdx, int sgx, int pce, const std::string& tdx_components,
                  const std::string& rest) {
  return "{\"tcb\":{\"sgxtcbcomponents\":" + components(sgx, sgx, sgx, sgx) +
         ",\"pcesvn\":" + std::to_string(pce) +
         (tdx ? ",\"tdxtcbcomponents\":" + tdx_components : "") + "}," + rest + "}";
}

std::string default_tcb_info(bool tdx) {
  const std::string zeros96(96, '0');
  const std::string module = "\"mrsigner\":\"" + zeros96 +
                             "\",\"attributes\":\"0000000000000000\","
                             "\"attributesMask\":\"FFFFFFFFFFFFFFFF\"";
  std::string text = std::string("{\"id\":\"") + (tdx ? "TDX" : "SGX") +
                     "\",\"version\":3,\"issueDate\":\"2025-06-01T00:00:00Z\","
                     "\"nextUpdate\":\"2025-07-01T00:00:00Z\",\"fmspc\":\"90C06F000000\","
                     "\"pceId\":\"0000\",\"tcbType\":0,\"tcbEvaluationDataNumber\":18,";
  if (tdx) {
    text += "\"tdxModule\":{" + module + "},\"tdxModuleIdentities\":[{\"id\":\"TDX_01\"," + module +
            ",\"tcbLevels\":[{\"tcb\":{\"isvsvn\":6},\"tcbDate\":\"2024-11-13T00:00:00Z\","
            "\"tcbStatus\":\"UpToDate\"},{\"tcb\":{\"isvsvn\":4},\"tcbDate\":"
            "\"2024-03-13T00:00:00Z\",\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":"
            "[\"INTEL-SA-01036\"]},{\"tcb\":{\"isvsvn\":2},\"tcbDate\":\"2023-08-09T00:00:00Z\","
            "\"tcbStatus\":\"Revoked\"}]}],";
  }
  text += "\"tcbLevels\":[" +
          level(tdx, 5, 13, components(6, 0, 2, 0),
                "\"tcbDate\":\"2024-11-13T00:00:00Z\",\"tcbStatus\":\"UpToDate\"") +
          "," +
          level(tdx, 3, 11, components(4, 0, 2, 0),
                "\"tcbDate\":\"2023-02-15T00:00:00Z\",\"tcbStatus\":\"OutOfDate\","
                "\"advisoryIDs\":[\"INTEL-SA-00837\",\"INTEL-SA-00960\"]") +
          "," +
          level(tdx, 1, 5, components(2, 0, 1, 0),
                "\"tcbDate\":\"2018-01-04T00:00:00Z\",\"tcbStatus\":\"Revoked\"") +
          "]}";
  return text;
}

std::string default_identity(bool tdx) {
  const std::string signer(tdx ? kTdQeSigner : kQeSigner);
  return std::string("{\"id\":\"") + (tdx ? "TD_QE" : "QE") +
         "\",\"version\":2,\"issueDate\":\"2025-06-01T00:00:00Z\","
         "\"nextUpdate\":\"2025-07-01T00:00:00Z\",\"tcbEvaluationDataNumber\":18,"
         "\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
         "\"attributes\":\"11000000000000000000000000000000\","
         "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"" +
         signer + "\",\"isvprodid\":" + (tdx ? "2" : "1") +
         ",\"tcbLevels\":[{\"tcb\":{\"isvsvn\":8},\"tcbDate\":\"2024-11-13T00:00:00Z\","
         "\"tcbStatus\":\"UpToDate\"},{\"tcb\":{\"isvsvn\":6},\"tcbDate\":"
         "\"2023-08-09T00:00:00Z\",\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":"
         "[\"INTEL-SA-00477\"]},{\"tcb\":{\"isvsvn\":5},\"tcbDate\":\"2020-11-11T00:00:00Z\","
         "\"tcbStatus\":\"Revoked\"}]}";
}

ByteVector default_sgx_report() {
  ByteVector report(384);
  report[0] = 0x0b;
  report[48] = 0x05;  // INIT, MODE64BIT
  report[56] = 0xe7;
  std::fill_n(report.begin() + 64, 32, std::uint8_t{0xe1});
  std::fill_n(report.begin() + 128, 32, std::uint8_t{0x51});
  report[256] = 7;
  report[258] = 3;
  std::fill_n(report.begin() + 320, 64, std::uint8_t{0xda});
  return report;
}

ByteVector default_td_report(std::size_t size) {
  ByteVector report(size);
  overwrite(report, 0, ByteVector{6, 1, 2});
  std::fill_n(report.begin() + 16, 48, std::uint8_t{0x5e});
  report[123] = 0x10;  // SEPT_VE_DISABLE
  overwrite(report, 128, ByteVector{0xe7, 0x02, 0x06});
  std::fill_n(report.begin() + 136, 48, std::uint8_t{0x7d});
  std::fill_n(report.begin() + 328, 192, std::uint8_t{0x12});
  std::fill_n(report.begin() + 520, 64, std::uint8_t{0xda});
  if (size > 584) overwrite(report, 584, ByteVector{6, 1, 2});
  return report;
}

ByteVector default_qe_report(bool tdx) {
  ByteVector report(384);
  report[48] = 0x15;  // INIT, MODE64BIT, PROVISIONKEY
  report[56] = 0xe7;
  overwrite(report, 128, from_hex(tdx ? kTdQeSigner : kQeSigner).value());
  report[256] = tdx ? 2 : 1;
  report[258] = 8;
  return report;
}

ByteVector oid(std::initializer_list<std::uint8_t> tail) {
  ByteVector value{0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
  value.insert(value.end(), tail);
  return der_element(DerTag::kObjectIdentifier, {value});
}

ByteVector field(std::initializer_list<std::uint8_t> tail, Bytes value) {
  return der_element(DerTag::kSequence, {oid(tail), value});
}

ByteVector octets(Bytes value) {
  return der_element(DerTag::kOctetString, {value});
}

}  // namespace

std::string edited(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos || text.find(from, at + 1) != std::string::npos) {
    die("the text to edit is not there once");
  }
  return text.replace(at, from.size(), to);
}

const MintDcapKeys& mint_dcap_keys() {
  static const auto make = [] { return MintKey::generate(MintKeyType::kP256); };
  static const MintDcapKeys keys{make(), make(), make(), make(), make()};
  return keys;
}

ByteVector encode_pck_extension(const PckExtension& extension) {
  ByteVector tcb;
  for (std::uint8_t i = 0; i < 16; ++i) {
    put(tcb,
        field({2, static_cast<std::uint8_t>(i + 1)}, der_unsigned(extension.component_svns[i])));
  }
  put(tcb, field({2, 17}, der_unsigned(extension.pce_svn)));
  put(tcb, field({2, 18}, octets(ByteVector(16, 1))));
  ByteVector all = field({1}, octets(extension.ppid));
  put(all, field({2}, der_element(DerTag::kSequence, {tcb})));
  put(all, field({3}, octets(extension.pce_id)));
  put(all, field({4}, octets(extension.fmspc)));
  put(all, field({5}, der_element(DerTag::kEnumerated, {ByteVector{1}})));
  if (extension.platform_instance_id) put(all, field({6}, octets(*extension.platform_instance_id)));
  if (extension.smt_enabled) {
    const ByteVector yes = der_element(DerTag::kBoolean, {ByteVector{0xff}});
    const ByteVector smt =
        der_element(DerTag::kBoolean,
                    {ByteVector{static_cast<std::uint8_t>(*extension.smt_enabled ? 0xff : 0)}});
    ByteVector configuration = field({7, 1}, yes);
    put(configuration, field({7, 2}, yes));
    put(configuration, field({7, 3}, smt));
    put(all, field({7}, der_element(DerTag::kSequence, {configuration})));
  }
  return der_element(DerTag::kSequence, {all});
}

MintDcap::MintDcap(Kind kind) : vendor(kIntelQe) {
  const bool is_tdx = kind >= Kind::kTdx4;
  version = kind == Kind::kSgx3 ? 3 : kind == Kind::kSgx4 || kind == Kind::kTdx4 ? 4 : 5;
  tee_type = is_tdx ? 0x81 : 0;
  body_type = kind == Kind::kTdx5Extended ? 4 : kind == Kind::kTdx5 ? 3 : is_tdx ? 2 : 1;
  root.subject = "Intel SGX Root CA";
  root.authority = true;
  root.path_length = 1;
  platform_ca.subject = "Intel SGX PCK Platform CA";
  platform_ca.authority = true;
  platform_ca.path_length = 0;
  platform_ca.serial = 2;
  pck.subject = "Intel SGX PCK Certificate";
  pck.serial = 3;
  signing.subject = "Intel SGX TCB Signing";
  signing.serial = 4;
  extension.ppid.fill(0x99);
  extension.component_svns.fill(5);
  extension.pce_svn = 13;
  extension.fmspc = {0x90, 0xc0, 0x6f};
  extension.platform_instance_id.emplace().fill(0x77);
  extension.smt_enabled = true;
  tcb_info = default_tcb_info(is_tdx);
  identity = default_identity(is_tdx);
  const std::size_t td_size = body_type == 4 ? 885 : body_type == 3 ? 648 : 584;
  body = is_tdx ? default_td_report(td_size) : default_sgx_report();
  qe_report = default_qe_report(is_tdx);
}

ByteVector MintDcap::root_der() const {
  if (root_der_.empty())
    root_der_ = mint(root, mint_dcap_keys().root, nullptr, mint_dcap_keys().root);
  return root_der_;
}
ByteVector MintDcap::platform_ca_der() const {
  return mint(platform_ca, mint_dcap_keys().platform_ca, &root, mint_dcap_keys().root);
}
ByteVector MintDcap::signing_der() const {
  return mint(signing, mint_dcap_keys().signing, &root, mint_dcap_keys().root);
}
ByteVector MintDcap::pck_der() const {
  MintCertificate what = pck;
  what.extensions.push_back(
      {PckExtension::kOid, false, extension_value.value_or(encode_pck_extension(extension))});
  return mint(what, mint_dcap_keys().pck, &platform_ca, mint_dcap_keys().platform_ca);
}

ByteVector MintDcap::pck_chain() const {
  ByteVector pem = pem_of(pck_der());
  if (chain_with_authority) put(pem, pem_of(platform_ca_der()));
  if (chain_with_authority) put(pem, pem_of(root_der()));
  return pem;
}

ByteVector MintDcap::quote() const {
  const MintDcapKeys& keys = mint_dcap_keys();
  ByteVector out;
  put_u16(out, version);
  put_u16(out, key_type);
  put_u32(out, tee_type);
  put_u32(out, 0);
  put(out, vendor);
  put(out, ByteVector(20));
  if (version == 5) {
    put_u16(out, body_type);
    put_u32(out, static_cast<std::uint32_t>(body.size()));
  }
  put(out, body);

  ByteVector report = qe_report;
  ByteVector named = keys.attestation.point();
  put(named, qe_authentication);
  overwrite(report, 320, qe_binding.value_or(crypto::hash(HashAlgorithm::kSha256, named)));
  ByteVector qe = report;
  put(qe, keys.pck.sign(HashAlgorithm::kSha256, report));
  put_u16(qe, static_cast<std::uint32_t>(qe_authentication.size()));
  put(qe, qe_authentication);
  const ByteVector data = certification_data.value_or(pck_chain());
  put_u16(qe, certification_type);
  put_u32(qe, static_cast<std::uint32_t>(data.size()));
  put(qe, data);

  ByteVector signature = keys.attestation.sign(HashAlgorithm::kSha256, out);
  put(signature, keys.attestation.point());
  if (version > 3) {
    put_u16(signature, outer_certification_type);
    put_u32(signature, static_cast<std::uint32_t>(qe.size()));
  }
  put(signature, qe);
  put_u32(out, static_cast<std::uint32_t>(signature.size()));
  put(out, signature);
  put(out, padding);
  return out;
}

ByteVector MintDcap::sign_document(const std::string& name, const std::string& inner) {
  const ByteVector signature =
      mint_dcap_keys().signing.sign(HashAlgorithm::kSha256, as_bytes(inner));
  return to_vector(
      as_bytes("{\"" + name + "\":" + inner + ",\"signature\":\"" + to_hex(signature) + "\"}"));
}

attest::Endorsements MintDcap::endorsements() const {
  attest::Endorsements out;
  out.certificates = {signing_der(), root_der()};
  out.revocation_lists = {mint_list(root_list, root, mint_dcap_keys().root),
                          mint_list(platform_list, platform_ca, mint_dcap_keys().platform_ca)};
  out.tcb_infos = {sign_document("tcbInfo", tcb_info)};
  out.enclave_identities = {sign_document("enclaveIdentity", identity)};
  return out;
}

attest::Roots MintDcap::roots() const {
  attest::Roots roots;
  roots.intel = {mint_dcap_keys().root.digest()};
  return roots;
}

}  // namespace sealpack::testing
