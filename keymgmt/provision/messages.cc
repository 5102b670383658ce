// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/provision/messages.h"

#include <algorithm>
#include <bit>

#include "formats/bundle/labels.h"
#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"
#include "keymgmt/crypto/dsse.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::provision {
namespace {

using bundle::MessageReader;
using bundle::MessageWriter;

constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kMaxPart = 4096;
constexpr std::size_t kSignatureSize = 64;
constexpr std::string_view kReferenceLabel = "sealpack/v1/tpm-policy";

Status check_size(Bytes bytes, std::string_view what) {
  if (bytes.size() <= kMaxMessageSize) return done();
  return Error(ErrorCode::kLimit, std::string(what) + " of " + format_size(bytes.size()) +
                                      ", at most " + format_size(kMaxMessageSize));
}

Status read_version(MessageReader& in, std::string_view what) {
  const std::uint32_t version = TRY(in.u32(1, "version"));
  if (version == kVersion) return done();
  return Error(ErrorCode::kUnsupported, std::string(what) + " of version " +
                                            std::to_string(version) + ", this version knows " +
                                            std::to_string(kVersion));
}

Result<tpm::Name> read_name(MessageReader& in, std::uint32_t field, std::string_view what) {
  const Bytes bytes = TRY(in.bytes(field, what, kMaxPart));
  if (!tpm::is_name(bytes)) return in.malformed(std::string(what) + " is no name");
  return to_vector(bytes);
}

Result<tpm::PublicArea> read_public(MessageReader& in, std::uint32_t field, std::string_view what) {
  return tpm::parse_public(TRY(in.bytes(field, what, kMaxPart))).within(std::string(what));
}

Result<ByteVector> read_part(MessageReader& in, std::uint32_t field, std::string_view what) {
  const Bytes bytes = TRY(in.bytes(field, what, kMaxPart));
  if (bytes.empty()) return in.malformed("no " + std::string(what));
  return to_vector(bytes);
}

MessageWriter& put(MessageWriter& out, std::uint32_t field, const Scope& scope) {
  return out.element(field,
                     MessageWriter().digest(1, scope.authority).text(2, scope.product).take());
}

Result<Scope> parse_scope(Bytes bytes) {
  MessageReader in(bytes, "scope");
  Scope scope;
  scope.authority = TRY(in.digest(1, "authority"));
  scope.product = TRY(in.text(2, "product", kMaxProductSize));
  TRY(in.finish());
  return scope;
}

Result<Scope> read_scope(MessageReader& in, std::uint32_t field) {
  return parse_scope(TRY(in.bytes(field, "scope", kMaxPart)));
}

ByteVector serialize_counters(const Counters& counters) {
  return MessageWriter()
      .u64(1, counters.policy_index)
      .u64(2, counters.floor_index)
      .u64(3, counters.policy_value)
      .u64(4, counters.floor_value)
      .take();
}

ByteVector serialize_proof(const tpm::CounterProof& proof) {
  return MessageWriter().bytes(1, proof.attest).bytes(2, proof.signature).take();
}

Result<tpm::CounterProof> read_proof(MessageReader& outer, std::uint32_t field,
                                     std::string_view what) {
  MessageReader in(TRY(outer.bytes(field, what, kMaxPart)), what);
  tpm::CounterProof out;
  out.attest = TRY(read_part(in, 1, "attestation"));
  out.signature = TRY(read_part(in, 2, "signature"));
  TRY(in.finish());
  return out;
}

bool is_owner_index(std::uint32_t index) {
  return index >= 0x01800000 && index <= 0x01bfffff;
}

Result<Counters> read_counters(MessageReader& outer, std::uint32_t field) {
  MessageReader in(TRY(outer.bytes(field, "counters", kMaxPart)), "counters");
  Counters counters;
  counters.policy_index = TRY(in.u32(1, "policy index"));
  counters.floor_index = TRY(in.u32(2, "floor index"));
  counters.policy_value = TRY(in.u64(3, "policy value"));
  counters.floor_value = TRY(in.u64(4, "floor value"));
  TRY(in.finish());
  if (!is_owner_index(counters.policy_index) || !is_owner_index(counters.floor_index) ||
      counters.policy_index == counters.floor_index) {
    return in.malformed("two NV indices of the owner's range are needed");
  }
  return counters;
}

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
  TRY(check_size(bytes, "signed statement"));
  MessageReader in(bytes, "signed statement");
  TRY(read_version(in, "signed statement"));
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
  TRY(check_size(bytes, "floors"));
  MessageReader in(bytes, "floors");
  TRY(read_version(in, "floors"));
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

// ---- enrolment

ByteVector serialize(const EnrolRequest& message) {
  MessageWriter out;
  out.u64(1, kVersion)
      .u64(2, static_cast<std::uint64_t>(message.kind))
      .bytes(3, tpm::serialize_public(message.endorsement))
      .bytes(4, message.endorsement_certificate)
      .bytes(5, tpm::serialize_public(message.attestation))
      .bytes(6, serialize_counters(message.counters))
      .text(7, message.manufacturer)
      .u64(8, message.firmware);
  for (const ByteVector& certificate : message.chain) out.element(9, certificate);
  return out.bytes(10, serialize_proof(message.policy_proof))
      .bytes(11, serialize_proof(message.floor_proof))
      .take();
}

Result<EnrolRequest> parse_request(Bytes bytes) {
  TRY(check_size(bytes, "enrolment request"));
  MessageReader in(bytes, "enrolment request");
  TRY(read_version(in, "enrolment request"));
  EnrolRequest out;
  const auto kind = tpm::endorsement_kind(TRY(in.u32(2, "kind of endorsement key")));
  if (!kind) return in.malformed("unknown kind of endorsement key");
  out.kind = *kind;
  out.endorsement = TRY(read_public(in, 3, "endorsement key"));
  out.endorsement_certificate = to_vector(TRY(in.bytes(4, "certificate", kMaxPart)));
  out.attestation = TRY(read_public(in, 5, "attestation key"));
  out.counters = TRY(read_counters(in, 6));
  out.manufacturer = TRY(in.text(7, "manufacturer", 16));
  out.firmware = TRY(in.u64(8, "firmware"));
  while (TRY(in.at(9))) {
    if (out.chain.size() == tpm::kMaxChainCount) {
      return Error(ErrorCode::kLimit, "more than " + std::to_string(tpm::kMaxChainCount) +
                                          " certificates of a TPM's maker");
    }
    out.chain.push_back(to_vector(TRY(in.element(9, "certificate of the maker"))));
  }
  out.policy_proof = TRY(read_proof(in, 10, "proof of the policy counter"));
  out.floor_proof = TRY(read_proof(in, 11, "proof of the floor counter"));
  TRY(in.finish());
  // Not the keys of any object that somebody happens to have in a TPM.
  tpm::PublicArea signing = tpm::attestation_p256();
  signing.unique = out.attestation.unique;
  if (out.endorsement.kind != tpm::profile_of(out.kind).object ||
      !tpm::why_not_endorsement_key(out.endorsement).empty() || out.attestation != signing) {
    return in.malformed("keys with other attributes than an endorsement key and a key for quotes");
  }
  return out;
}

ByteVector serialize(const EnrolAnswer& message) {
  MessageWriter out;
  out.u64(1, kVersion)
      .bytes(2, message.device)
      .bytes(3, message.attestation)
      .bytes(4, message.credential.blob)
      .bytes(5, message.credential.secret)
      .bytes(6, tpm::serialize_public(message.key.object))
      .bytes(7, message.key.blob)
      .bytes(8, message.key.secret)
      .bytes(9, message.recipient);
  put(out, 10, message.scope);
  return out.bytes(11, serialize_counters(message.counters))
      .bytes(12, serialize_signed(message.floors))
      .u64(13, message.minimum)
      .u64(14, message.cap_pcr)
      .take();
}

Result<EnrolAnswer> parse_answer(Bytes bytes) {
  TRY(check_size(bytes, "enrolment answer"));
  MessageReader in(bytes, "enrolment answer");
  TRY(read_version(in, "enrolment answer"));
  EnrolAnswer out;
  out.device = TRY(read_name(in, 2, "device"));
  out.attestation = TRY(read_name(in, 3, "attestation key"));
  out.credential.blob = TRY(read_part(in, 4, "credential"));
  out.credential.secret = TRY(read_part(in, 5, "secret of the credential"));
  out.key.object = TRY(read_public(in, 6, "key"));
  out.key.blob = TRY(read_part(in, 7, "wrapped key"));
  out.key.secret = TRY(read_part(in, 8, "secret of the key"));
  out.recipient = TRY(read_part(in, 9, "recipient"));
  out.scope = TRY(read_scope(in, 10));
  out.counters = TRY(read_counters(in, 11));
  out.floors = TRY(parse_signed(TRY(in.bytes(12, "floors", kMaxMessageSize))));
  out.minimum = TRY(in.u32(13, "minimum"));
  out.cap_pcr = TRY(in.u32(14, "cap PCR"));
  TRY(in.finish());
  if (!tpm::may_cap(out.cap_pcr)) return in.malformed("the cap PCR is one of 1 to 15");
  if (out.minimum > kMaxPolicyNumber) return in.malformed("no boot policy has so high a number");
  return out;
}

ByteVector serialize(const EnrolProof& message) {
  return MessageWriter()
      .u64(1, kVersion)
      .bytes(2, message.device)
      .bytes(3, message.attestation)
      .digest(4, message.proof)
      .take();
}

Result<EnrolProof> parse_proof(Bytes bytes) {
  TRY(check_size(bytes, "enrolment proof"));
  MessageReader in(bytes, "enrolment proof");
  TRY(read_version(in, "enrolment proof"));
  EnrolProof out;
  out.device = TRY(read_name(in, 2, "device"));
  out.attestation = TRY(read_name(in, 3, "attestation key"));
  out.proof = TRY(in.digest(4, "proof"));
  TRY(in.finish());
  return out;
}

ByteVector serialize(const EnrolRecord& message) {
  MessageWriter out;
  out.u64(1, kVersion)
      .bytes(2, message.device)
      .bytes(3, tpm::serialize_public(message.attestation))
      .digest(4, message.recipient);
  return put(out, 5, message.scope).digest(6, message.proof).take();
}

Result<EnrolRecord> parse_record(Bytes bytes) {
  TRY(check_size(bytes, "enrolment record"));
  MessageReader in(bytes, "enrolment record");
  TRY(read_version(in, "enrolment record"));
  EnrolRecord out;
  out.device = TRY(read_name(in, 2, "device"));
  out.attestation = TRY(read_public(in, 3, "attestation key"));
  out.recipient = TRY(in.digest(4, "recipient"));
  out.scope = TRY(read_scope(in, 5));
  out.proof = TRY(in.digest(6, "proof"));
  TRY(in.finish());
  return out;
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
  TRY(check_size(bytes, "boot policy"));
  MessageReader in(bytes, "boot policy");
  TRY(read_version(in, "boot policy"));
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
