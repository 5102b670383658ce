// SPDX-License-Identifier: Apache-2.0
// Between a device that is enrolled and its vendor; messages.cc has what comes afterwards.
#include "keymgmt/provision/message_fields.h"

namespace sealpack::provision {
namespace {

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

}  // namespace

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
  MessageReader in = TRY(begin_message(bytes, "enrolment request"));
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
  if (out.endorsement.kind != tpm::profile_of(out.kind).object ||
      !tpm::why_not_endorsement_key(out.endorsement).empty() ||
      !tpm::is_attestation_key(out.attestation)) {
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
  MessageReader in = TRY(begin_message(bytes, "enrolment answer"));
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
  MessageReader in = TRY(begin_message(bytes, "enrolment proof"));
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
  MessageReader in = TRY(begin_message(bytes, "enrolment record"));
  EnrolRecord out;
  out.device = TRY(read_name(in, 2, "device"));
  out.attestation = TRY(read_public(in, 3, "attestation key"));
  out.recipient = TRY(in.digest(4, "recipient"));
  out.scope = TRY(read_scope(in, 5));
  out.proof = TRY(in.digest(6, "proof"));
  TRY(in.finish());
  return out;
}

}  // namespace sealpack::provision
