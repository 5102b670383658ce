// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/provision/messages.h"

#include <algorithm>
#include <bit>

#include "formats/bundle/labels.h"
#include "keymgmt/crypto/dsse.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/provision/message_fields.h"

namespace sealpack::provision {
namespace {

constexpr std::size_t kSignatureSize = 64;
constexpr std::string_view kReferenceLabel = "sealpack/v1/tpm-policy";

Result<Digest> digest_of(Bytes bytes) {
  if (bytes.size() != Digest::kSize) return Error(ErrorCode::kMalformed, "a digest has 32 bytes");
  Digest digest;
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

Result<FloorTable::Entry> parse_entry(Bytes bytes) {
  MessageReader in(bytes, "floor");
  FloorTable::Entry entry;
  entry.scope = TRY(read_scope(in, 1));
  entry.floor.counter = TRY(in.u64(2, "counter"));
  if (TRY(in.at(3))) entry.floor.release = TRY(in.digest(3, "release"));
  TRY(in.finish());
  return entry;
}

auto order_of(const FloorTable::Entry& entry) {
  return std::tie(entry.scope.authority, entry.scope.product);
}

Result<BootPolicy::Environment> parse_environment(Bytes bytes, std::uint32_t cap_pcr) {
  MessageReader in(bytes, "boot environment");
  BootPolicy::Environment out;
  out.pcrs = TRY(in.u32(1, "PCRs"));
  const Bytes values = TRY(in.bytes(2, "values", tpm::kPcrCount * Digest::kSize));
  out.approval = to_vector(TRY(in.array<kSignatureSize>(3, "approval")));
  TRY(in.finish());
  if (out.pcrs >> tpm::kPcrCount != 0 || (out.pcrs >> cap_pcr & 1U) == 0) {
    return in.malformed("the cap PCR is not among the PCRs, or one is not of 0 to 23");
  }
  if (values.size() != static_cast<std::size_t>(std::popcount(out.pcrs)) * Digest::kSize) {
    return in.malformed("not a value for each PCR");
  }
  for (std::size_t at = 0; at < values.size(); at += Digest::kSize) {
    out.values.push_back(TRY(digest_of(values.subspan(at, Digest::kSize))));
  }
  const auto cap = static_cast<std::size_t>(std::popcount(out.pcrs & ((1U << cap_pcr) - 1)));
  if (out.values[cap] != Digest{}) return in.malformed("the cap PCR is to be zero");
  return out;
}

}  // namespace

ByteVector policy_reference(const Scope& scope, std::uint32_t cap_pcr) {
  const std::uint8_t cap[] = {static_cast<std::uint8_t>(cap_pcr)};
  const Digest digest = crypto::sha256(bundle::LengthPrefixed()
                                           .add(kReferenceLabel)
                                           .add(Bytes(scope.authority.bytes))
                                           .add(scope.product)
                                           .add(Bytes(cap))
                                           .bytes());
  return to_vector(digest.bytes);
}

// ---- signed statements

ByteVector serialize_signed(const SignedStatement& statement) {
  return MessageWriter()
      .u64(1, kVersion)
      .bytes(2, statement.payload)
      .bytes(3, statement.key)
      .bytes(4, statement.signature)
      .take();
}

Result<SignedStatement> parse_signed(Bytes bytes) {
  MessageReader in = TRY(begin_message(bytes, "signed statement"));
  SignedStatement out;
  out.payload = to_vector(TRY(in.bytes(2, "payload", kMaxMessageSize)));
  out.key = TRY(read_part(in, 3, "key"));
  out.signature = to_vector(TRY(in.array<kSignatureSize>(4, "signature")));
  TRY(in.finish());
  return out;
}

Result<SignedStatement> sign_statement(std::string_view type, ByteVector payload,
                                       const crypto::Signer& signer) {
  SignedStatement out;
  out.signature = TRY(signer.sign(crypto::dsse_pae(type, payload)));
  out.key = to_vector(signer.public_key().spki());
  out.payload = std::move(payload);
  return out;
}

Result<Bytes> verify_statement(std::string_view type, const SignedStatement& statement,
                               const crypto::VerifyingKey& key) {
  const Bytes signer = statement.key;
  if (!std::equal(signer.begin(), signer.end(), key.spki().begin(), key.spki().end())) {
    return Error(ErrorCode::kNotAuthentic, "signed by key " + to_hex(crypto::sha256(signer).bytes) +
                                               ", not by the grantor " +
                                               to_hex(key.digest().bytes));
  }
  TRY(key.verify(crypto::dsse_pae(type, statement.payload), statement.signature));
  return Bytes(statement.payload);
}

// ---- floors

ByteVector serialize_floors(const FloorTable& table) {
  MessageWriter out;
  out.u64(1, kVersion).bytes(2, table.device).u64(3, table.index).u64(4, table.value);
  out.bytes(5, table.attestation).u64(6, table.epoch);
  for (const FloorTable::Entry& entry : table.entries) {
    MessageWriter row;
    put(row, 1, entry.scope).u64(2, entry.floor.counter);
    if (entry.floor.release) row.digest(3, *entry.floor.release);
    out.element(7, row.take());
  }
  return out.take();
}

Result<FloorTable> parse_floors(Bytes bytes) {
  MessageReader in = TRY(begin_message(bytes, "floors"));
  FloorTable table;
  table.device = TRY(read_name(in, 2, "device"));
  table.index = TRY(in.u32(3, "index"));
  table.value = TRY(in.u64(4, "value"));
  table.attestation = TRY(read_name(in, 5, "attestation key"));
  table.epoch = TRY(in.u64(6, "epoch"));
  while (TRY(in.at(7))) {
    if (table.entries.size() == kMaxFloors) {
      return Error(ErrorCode::kLimit, "more than " + std::to_string(kMaxFloors) + " floors");
    }
    FloorTable::Entry entry = TRY(parse_entry(TRY(in.element(7, "floor"))));
    if (!table.entries.empty() && order_of(table.entries.back()) >= order_of(entry)) {
      return in.malformed("floors out of order or twice");
    }
    table.entries.push_back(std::move(entry));
  }
  TRY(in.finish());
  return table;
}

// ---- boot policies

ByteVector serialize(const BootPolicy& message) {
  MessageWriter out;
  out.u64(1, kVersion);
  put(out, 2, message.scope)
      .u64(3, message.number)
      .u64(4, message.policy_index)
      .u64(5, message.cap_pcr);
  for (const BootPolicy::Environment& environment : message.environments) {
    ByteVector values;
    for (const Digest& value : environment.values) {
      values.insert(values.end(), value.bytes.begin(), value.bytes.end());
    }
    out.element(6, MessageWriter()
                       .u64(1, environment.pcrs)
                       .bytes(2, values)
                       .bytes(3, environment.approval)
                       .take());
  }
  return out.take();
}

Result<BootPolicy> parse_boot_policy(Bytes bytes) {
  MessageReader in = TRY(begin_message(bytes, "boot policy"));
  BootPolicy out;
  out.scope = TRY(read_scope(in, 2));
  out.number = TRY(in.u32(3, "number"));
  out.policy_index = TRY(in.u32(4, "policy index"));
  out.cap_pcr = TRY(in.u32(5, "cap PCR"));
  if (out.number == 0 || out.number > kMaxPolicyNumber) {
    return in.malformed("numbers of boot policies are 1 to " + std::to_string(kMaxPolicyNumber));
  }
  if (!tpm::may_cap(out.cap_pcr) || !is_owner_index(out.policy_index)) {
    return in.malformed("the cap PCR is one of 1 to 15, the index one of the owner's");
  }
  while (TRY(in.at(6))) {
    if (out.environments.size() == kMaxEnvironments) {
      return Error(ErrorCode::kLimit,
                   "more than " + std::to_string(kMaxEnvironments) + " boot environments");
    }
    out.environments.push_back(
        TRY(parse_environment(TRY(in.element(6, "environment")), out.cap_pcr)));
  }
  TRY(in.finish());
  if (out.environments.empty()) return in.malformed("no environment");
  return out;
}

}  // namespace sealpack::provision
