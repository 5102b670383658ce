// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/verify/snp/snp_lab.h"

#include <algorithm>

#include "keymgmt/crypto/der.h"

namespace sealpack::testing {

using crypto::internal::der_element;
using crypto::internal::der_unsigned;
using crypto::internal::DerTag;

namespace {

constexpr std::size_t kScalarSize = 48;
constexpr std::size_t kFieldSize = 72;

ByteVector ia5(std::string_view text) {
  return der_element(DerTag::kIa5String, {as_bytes(text)});
}

void append_u32(ByteVector& out, std::uint64_t value) {
  for (unsigned i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(value >> 8U * i));
}

}  // namespace

const MintKey& lab_key(std::size_t which) {
  static const std::vector<MintKey> keys = [] {
    std::vector<MintKey> made;
    for (int i = 0; i < 6; ++i) made.push_back(MintKey::generate(MintKeyType::kP384));
    return made;
  }();
  return keys.at(which);
}

SnpLab::SnpLab(const std::string& product, Kind kind, std::uint32_t version)
    : ark_key(lab_key(0)),
      authority_key(lab_key(1)),
      leaf_key(lab_key(2)),
      signing_key(lab_key(2)) {
  const bool is_vlek = kind == Kind::kVlek;
  const bool is_turin = product == "Turin";
  ark = {.subject = "ARK-" + product, .organization = "Advanced Micro Devices", .authority = true};
  authority = {.subject = (is_vlek ? "SEV-VLEK-" : "SEV-") + product,
               .organization = "Advanced Micro Devices",
               .serial = 65537,
               .authority = true,
               .path_length = 0};
  leaf = {.subject = is_vlek ? "SEV-VLEK" : "SEV-VCEK", .serial = 0};
  leaf.without_basic_constraints = true;
  ByteVector chip(is_turin ? 8 : 64);
  for (std::size_t i = 0; i < chip.size(); ++i) chip[i] = static_cast<std::uint8_t>(0xC0 + i);
  const std::string oid = "1.3.6.1.4.1.3704.1.";
  leaf.extensions = {{oid + "1", false, der_unsigned(is_turin ? 1 : 0)},
                     {oid + "2", false, ia5(product == "Milan" ? "Milan-B0" : product)},
                     {oid + "3.1", false, der_unsigned(10)},
                     {oid + "3.2", false, der_unsigned(1)},
                     {oid + "3.3", false, der_unsigned(23)},
                     {oid + "3.8", false, der_unsigned(219)}};
  if (is_turin) leaf.extensions.push_back({oid + "3.9", false, der_unsigned(2)});
  if (is_vlek) {
    leaf.extensions.push_back({oid + "5", false, ia5("CN=cloud.example")});
  } else {
    leaf.extensions.push_back({oid + "4", false, chip});
  }

  set_u32(0x000, version);
  set_u32(0x004, 7);        // GUEST_SVN
  set_u64(0x008, 0x3001F);  // POLICY: SMT, ABI 0.31
  set_u32(0x034, 1);
  set_u64(0x040, 0x25);  // PLATFORM_INFO: SMT, ECC, aliases checked
  set_u32(0x048, is_vlek ? 1U << 2U : 0);
  set_bytes(0x050, ByteVector(64, 0xDA));
  set_bytes(0x090, ByteVector(48, 0x3E));
  set_bytes(0x0C0, ByteVector(32, 0x05));
  if (version >= 3) {
    set_bytes(0x188, product == "Milan" ? ByteVector{0x19, 0x01, 0x01}
                     : is_turin         ? ByteVector{0x1A, 0x02, 0x01}
                                        : ByteVector{0x19, 0x11, 0x01});
  }
  if (!is_vlek) set_bytes(0x1A0, chip);
  set_all_tcbs(is_turin ? ByteVector{2, 10, 1, 23, 0, 0, 0, 219}
                        : ByteVector{10, 1, 0, 0, 0, 0, 23, 219});
  set_bytes(0x1E8, ByteVector{29, 55, 1, 0, 29, 55, 1, 0});
  roots.amd = {ark_key.digest()};
}

void SnpLab::set_u32(std::size_t offset, std::uint32_t value) {
  for (unsigned i = 0; i < 4; ++i) set_u8(offset + i, static_cast<std::uint8_t>(value >> 8U * i));
}
void SnpLab::set_u64(std::size_t offset, std::uint64_t value) {
  for (unsigned i = 0; i < 8; ++i) set_u8(offset + i, static_cast<std::uint8_t>(value >> 8U * i));
}
void SnpLab::set_bytes(std::size_t offset, Bytes value) {
  for (std::size_t i = 0; i < value.size(); ++i) set_u8(offset + i, value[i]);
}
void SnpLab::set_all_tcbs(Bytes tcb) {
  for (const std::size_t offset : {0x038U, 0x180U, 0x1E0U, 0x1F0U}) set_bytes(offset, tcb);
}

MintExtension& SnpLab::extension(std::string_view oid) {
  for (MintExtension& extension : leaf.extensions) {
    if (extension.oid == "1.3.6.1.4.1.3704.1." + std::string(oid)) return extension;
  }
  die("the test's leaf has no such extension");
}

void SnpLab::remove_extension(std::string_view oid) {
  const std::string whole = extension(oid).oid;
  std::erase_if(leaf.extensions, [&](const MintExtension& e) { return e.oid == whole; });
}

ByteVector SnpLab::signed_report() const {
  const ByteVector pair = signing_key.sign(crypto::HashAlgorithm::kSha384, report);
  ByteVector out = report;
  out.resize(1184);
  for (std::size_t i = 0; i < 2 && pair.size() == 2 * kScalarSize; ++i) {
    const auto begin = pair.begin() + static_cast<std::ptrdiff_t>(i * kScalarSize);
    std::reverse_copy(begin, begin + kScalarSize,
                      out.begin() + static_cast<std::ptrdiff_t>(0x2A0 + i * kFieldSize));
  }
  return out;
}

ByteVector SnpLab::ark_der() const {
  MintCertificate what = ark;
  what.pss = pss;
  return mint(what, ark_key, nullptr, ark_key);
}
ByteVector SnpLab::authority_der() const {
  MintCertificate what = authority;
  what.pss = pss;
  return mint(what, authority_key, &ark, ark_key);
}
ByteVector SnpLab::leaf_der() const {
  MintCertificate what = leaf;
  what.pss = pss;
  return mint(what, leaf_key, &authority, authority_key);
}

Verdict SnpLab::run() {
  return run(signed_report());
}

Verdict SnpLab::run(Bytes signed_report) {
  Evidence evidence{"sev-snp", {{"report", to_vector(signed_report)}}};
  if (table) evidence.items.push_back({"certificates", *table});
  Endorsements endorsements = more;
  if (with_chain) {
    for (const ByteVector& der : {ark_der(), authority_der(), leaf_der()}) {
      endorsements.certificates.push_back(der);
    }
  }
  VerifyInput input{evidence, endorsements, roots, now, expected};
  input.cache = cache;
  return attest::verify(input);
}

ByteVector certificate_table(const std::vector<std::pair<std::string, ByteVector>>& entries) {
  ByteVector out;
  std::uint64_t offset = 24 * (entries.size() + 1);
  for (const auto& [guid, content] : entries) {
    const ByteVector bytes = from_hex(guid).value();
    out.insert(out.end(), bytes.begin(), bytes.end());
    append_u32(out, offset);
    append_u32(out, content.size());
    offset += content.size();
  }
  out.resize(out.size() + 24);
  for (const auto& entry : entries) {
    out.insert(out.end(), entry.second.begin(), entry.second.end());
  }
  return out;
}

}  // namespace sealpack::testing
