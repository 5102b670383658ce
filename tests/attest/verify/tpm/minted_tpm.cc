// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/verify/tpm/minted_tpm.h"

#include <cstdlib>
#include <fstream>

namespace sealpack::testing {
namespace {

using crypto::HashAlgorithm;

void append(ByteVector& out, Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_little(ByteVector& out, std::uint64_t value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) {
    out.push_back(static_cast<std::uint8_t>((value >> (8U * i)) & 0xffU));
  }
}

bool is_rsa(const MintKey& key) {
  return key.type() == MintKeyType::kRsa2048 || key.type() == MintKeyType::kRsa4096;
}

}  // namespace

TpmWriter& TpmWriter::raw(Bytes bytes) {
  append(out_, bytes);
  return *this;
}

TpmWriter& TpmWriter::integer(std::uint64_t value, unsigned size) {
  for (unsigned i = size; i-- > 0;) {
    out_.push_back(static_cast<std::uint8_t>((value >> (8U * i)) & 0xffU));
  }
  return *this;
}

ByteVector write_quote(const QuoteFields& fields) {
  TpmWriter out;
  out.u32(fields.magic).u16(fields.type).sized(fields.qualified_signer).sized(fields.extra_data);
  out.u64(fields.clock).u32(fields.reset_count).u32(fields.restart_count).u8(fields.safe);
  out.u64(fields.firmware_version).u32(fields.selections.size());
  for (const auto& selection : fields.selections) {
    out.u16(selection.bank).u8(selection.bitmap.size()).raw(selection.bitmap);
  }
  return out.sized(fields.pcr_digest).take();
}

MintedTpm MintedTpm::with_leading_zero(MintKeyType type, std::size_t coordinate) {
  for (;;) {
    MintedTpm out(type);
    const ByteVector point = out.key().point();
    if (point[coordinate * point.size() / 2] == 0) return out;
  }
}

MintedTpm::MintedTpm(MintKeyType type, bool pss) : key_(MintKey::generate(type)), pss_(pss) {}

ByteVector MintedTpm::area() const {
  TpmWriter out;
  out.u16(is_rsa(key_) ? 0x0001 : 0x0023).u16(0x000b).u32(attributes).sized({});
  out.u16(0x0010);  // no symmetric algorithm
  const std::uint16_t scheme = is_rsa(key_) ? (pss_ ? 0x0016 : 0x0014) : 0x0018;
  out.u16(scheme).u16(attest::tpm_id(hash));
  if (is_rsa(key_)) {
    const ByteVector modulus = key_.modulus();
    return out.u16(modulus.size() * 8).u32(0).sized(modulus).take();
  }
  const ByteVector point = key_.point();
  const std::size_t size = point.size() / 2;
  out.u16(size == 32 ? 0x0003 : 0x0004).u16(0x0010);
  for (Bytes coordinate : {Bytes(point).first(size), Bytes(point).subspan(size)}) {
    while (omits_leading_zeros && coordinate[0] == 0) coordinate = coordinate.subspan(1);
    out.sized(coordinate);
  }
  return out.take();
}

ByteVector MintedTpm::name() const {
  return TpmWriter().u16(0x000b).raw(crypto::hash(HashAlgorithm::kSha256, area())).take();
}

ByteVector MintedTpm::sign(Bytes message) const {
  if (is_rsa(key_)) {
    const ByteVector signature = pss_ ? key_.sign_pss(hash, message) : key_.sign(hash, message);
    return TpmWriter()
        .u16(pss_ ? 0x0016 : 0x0014)
        .u16(attest::tpm_id(hash))
        .sized(signature)
        .take();
  }
  const ByteVector r_s = key_.sign(hash, message);
  const std::size_t size = r_s.size() / 2;
  return TpmWriter()
      .u16(0x0018)
      .u16(attest::tpm_id(hash))
      .sized(Bytes(r_s).first(size))
      .sized(Bytes(r_s).subspan(size))
      .take();
}

QuoteFields MintedTpm::fields_for(const std::vector<attest::PcrValue>& values) const {
  QuoteFields fields;
  for (const attest::PcrSelection& selection : attest::selections_of(values)) {
    ByteVector bitmap;
    append_little(bitmap, selection.pcrs, 3);
    fields.selections.push_back({selection.bank, bitmap});
  }
  fields.pcr_digest = crypto::hash(hash, attest::joined_digests(values));
  return fields;
}

attest::Evidence MintedTpm::evidence(const QuoteFields& fields,
                                     const std::vector<attest::PcrValue>& values, Bytes log) const {
  const ByteVector quote = write_quote(fields);
  attest::Evidence evidence{"tpm",
                            {{"tpm-quote", quote},
                             {"tpm-signature", sign(quote)},
                             {"tpm-pcrs", attest::serialize_pcr_values(values)},
                             {"ak-public", area()}}};
  if (!log.empty()) evidence.items.push_back({"event-log", to_vector(log)});
  return evidence;
}

MintedLog::MintedLog(std::vector<HashAlgorithm> banks, attest::EventLogKind kind)
    : banks_(std::move(banks)), registers_(banks_.size()) {
  ByteVector spec;
  append(spec, as_bytes(std::string_view("Spec ID Event03\0", 16)));
  append(spec, ByteVector{0, 0, 0, 0, 0, 2, 0, 2});
  append_little(spec, banks_.size(), 4);
  for (const HashAlgorithm bank : banks_) {
    append_little(spec, attest::tpm_id(bank), 2);
    append_little(spec, crypto::hash_size(bank), 2);
  }
  spec.push_back(0);
  append_little(bytes_, kind == attest::EventLogKind::kCcel ? 1 : 0, 4);
  append_little(bytes_, 3, 4);
  append(bytes_, ByteVector(20));
  append_little(bytes_, spec.size(), 4);
  append(bytes_, spec);
}

MintedLog& MintedLog::add(std::uint32_t index, std::uint32_t type, Bytes data, Bytes measured) {
  append_little(bytes_, index, 4);
  append_little(bytes_, type, 4);
  append_little(bytes_, banks_.size(), 4);
  for (std::size_t i = 0; i < banks_.size(); ++i) {
    const ByteVector digest = crypto::hash(banks_[i], measured);
    append_little(bytes_, attest::tpm_id(banks_[i]), 2);
    append(bytes_, digest);
    if (type == attest::kEvNoAction) continue;
    ByteVector& value = registers_[i].try_emplace(index, digest.size()).first->second;
    append(value, digest);
    value = crypto::hash(banks_[i], value);
  }
  append_little(bytes_, data.size(), 4);
  append(bytes_, data);
  return *this;
}

MintedLog& MintedLog::separator(std::uint32_t index) {
  constexpr std::uint8_t kZero[4] = {};
  return add(index, attest::kEvSeparator, kZero);
}

MintedLog& MintedLog::boot(bool secure_boot) {
  add(0, 8, "firmware version 1");
  add(7, attest::kEvEfiVariableDriverConfig, secure_boot_variable(secure_boot ? 1 : 0));
  for (std::uint32_t i = 0; i < 8; ++i) separator(i);
  add(4, attest::kEvEfiBootServicesApplication, as_bytes("where it lay"), as_bytes("the kernel"));
  add(9, 6, as_bytes("Linux initrd"), as_bytes("the initrd"));
  return *this;
}

std::vector<attest::PcrValue> MintedLog::values(HashAlgorithm bank,
                                                const std::vector<std::uint8_t>& pcrs) const {
  std::vector<attest::PcrValue> out;
  for (std::size_t i = 0; i < banks_.size(); ++i) {
    if (banks_[i] != bank) continue;
    for (const std::uint8_t pcr : pcrs) {
      const auto found = registers_[i].find(pcr);
      out.push_back(
          {bank, pcr,
           found == registers_[i].end() ? ByteVector(crypto::hash_size(bank)) : found->second});
    }
  }
  return out;
}

ByteVector secure_boot_variable(std::uint8_t value) {
  ByteVector out{0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
                 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
  append_little(out, 10, 8);
  append_little(out, 1, 8);
  for (const char letter : std::string_view("SecureBoot")) {
    out.push_back(static_cast<std::uint8_t>(letter));
    out.push_back(0);
  }
  out.push_back(value);
  return out;
}

ByteVector& item(attest::Evidence& evidence, std::string_view kind) {
  for (attest::EvidenceItem& one : evidence.items) {
    if (one.kind == kind) return one.bytes;
  }
  std::abort();
}

std::optional<ByteVector> load_vector(const std::string& name) {
  std::ifstream file(std::string(SEALPACK_VECTORS) + "/attest/" + name, std::ios::binary);
  if (!file) return std::nullopt;
  const std::string content((std::istreambuf_iterator<char>(file)), {});
  return to_vector(as_bytes(content));
}

}  // namespace sealpack::testing
