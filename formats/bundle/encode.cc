// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/encode.h"

#include <string>

#include "formats/bundle/sealpack.pb.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::bundle {
namespace {

template <typename Container>
std::string text_of(const Container& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
std::string text_of(const Digest& digest) {
  return text_of(digest.bytes);
}

ByteVector encode(const google::protobuf::MessageLite& message) {
  ByteVector out(message.ByteSizeLong());
  if (!message.SerializeToArray(out.data(), static_cast<int>(out.size()))) {
    die("protobuf did not serialise a message");
  }
  return out;
}

void fill(v1::SealedFile& out, const SealedFile& file) {
  out.set_path(file.path);
  out.set_kind(static_cast<std::uint32_t>(file.kind));
  for (const Segment& segment : file.segments) {
    v1::Segment& to = *out.add_segments();
    to.set_kind(static_cast<std::uint32_t>(segment.kind));
    to.set_size(segment.size);
    to.set_salt(text_of(segment.salt));
    to.set_commitment(text_of(segment.commitment));
    to.set_root(text_of(segment.root));
  }
}

void fill(v1::OriginalFile& out, const OriginalFile& file) {
  out.set_path(file.path);
  out.set_size(file.size);
  for (const Extent& extent : file.extents) {
    v1::Extent& to = *out.add_extents();
    to.set_file(extent.file);
    to.set_offset(extent.offset);
    to.set_size(extent.size);
  }
}

void fill(v1::Card& out, const Card& card) {
  out.set_redaction(static_cast<std::uint32_t>(card.redaction));
  for (const CardTensor& tensor : card.tensors) {
    v1::CardTensor& to = *out.add_tensors();
    to.set_name(tensor.name);
    to.set_dtype(tensor.dtype);
    for (const std::uint64_t size : tensor.shape) to.add_shape(size);
    to.set_file(tensor.file);
  }
  for (const Fact& fact : card.facts) {
    v1::Fact& to = *out.add_facts();
    to.set_key(fact.key);
    to.set_value(fact.value);
  }
  out.set_sealed_parameters(card.sealed_parameters);
}

void fill(v1::Policy& out, const MeasurementPolicy& policy) {
  out.set_anyone_because(policy.anyone_because);
  for (const Environment& environment : policy.environments) {
    v1::Environment& to = *out.add_environments();
    to.set_tee(environment.tee);
    for (const ClaimRule& rule : environment.rules) {
      v1::ClaimRule& to_rule = *to.add_rules();
      to_rule.set_claim(rule.claim);
      for (const ByteVector& value : rule.accepted) to_rule.add_accepted(text_of(value));
      to_rule.set_minimum(rule.minimum);
      to_rule.set_ignore_because(rule.ignore_because);
      to_rule.set_maximum(rule.maximum);
      to_rule.set_require_bits(text_of(rule.require_bits));
      to_rule.set_allow_bits(text_of(rule.allow_bits));
      for (const ByteVector& value : rule.required) to_rule.add_required(text_of(value));
    }
  }
}

void fill(v1::Slot& out, const Slot& slot) {
  out.set_kind(static_cast<std::uint32_t>(slot.kind));
  out.set_slot_class(static_cast<std::uint32_t>(slot.slot_class));
  out.set_salt(text_of(slot.salt));
  out.set_hint(text_of(slot.hint));
  out.set_enc(text_of(slot.enc));
  out.set_wrapped(text_of(slot.wrapped));
  out.set_argon2_passes(slot.argon2_passes);
  out.set_argon2_memory_kib(slot.argon2_memory_kib);
}

}  // namespace

ByteVector serialize_content(const Content& content) {
  v1::Content out;
  out.set_format(kFormat);
  out.set_suite(kSuite);
  out.set_uuid(text_of(content.uuid));
  out.set_authority(text_of(content.authority));
  out.set_product(content.product);
  out.set_head_size(content.head_size);
  if (content.parent) out.set_parent(text_of(*content.parent));
  for (const PublicFile& file : content.public_files) {
    v1::PublicFile& to = *out.add_public_files();
    to.set_path(file.path);
    to.set_size(file.size);
    to.set_root(text_of(file.root));
  }
  for (const SealedFile& file : content.sealed_files) fill(*out.add_sealed_files(), file);
  for (const OriginalFile& file : content.originals) fill(*out.add_originals(), file);
  for (const ExcludedFile& file : content.excluded) {
    v1::ExcludedFile& to = *out.add_excluded();
    to.set_path(file.path);
    to.set_because(file.because);
  }
  fill(*out.mutable_card(), content.card);
  out.mutable_plan()->set_scheme(content.plan.scheme);
  out.mutable_plan()->set_version(content.plan.version);
  out.mutable_plan()->set_parameters(text_of(content.plan.parameters));
  return encode(out);
}

ByteVector serialize_release(const Release& release) {
  v1::Release out;
  out.set_content_digest(text_of(release.content_digest));
  out.set_content_size(release.content_size);
  out.set_key_commitment(text_of(release.key_commitment));
  out.set_product(release.product);
  out.set_version(release.version);
  out.set_counter(release.counter);
  out.set_not_before(release.not_before);
  out.set_not_after(release.not_after);
  out.set_min_loader(release.min_loader);
  fill(*out.mutable_policy(), release.policy);
  out.mutable_answer()->set_form(static_cast<std::uint32_t>(release.answer.form));
  out.mutable_answer()->set_decimals(release.answer.decimals);
  out.mutable_answer()->set_query_budget(release.answer.query_budget);
  out.set_licence(release.licence);
  if (release.escrow) {
    out.mutable_escrow()->set_key(text_of(release.escrow->key));
    out.mutable_escrow()->set_because(release.escrow->because);
  }
  return encode(out);
}

ByteVector serialize_head(const Head& head) {
  v1::Head out;
  out.mutable_release()->set_payload_type(head.release.payload_type);
  out.mutable_release()->set_payload(text_of(head.release.payload));
  for (const Signature& signature : head.release.signatures) {
    v1::Signature& to = *out.mutable_release()->add_signatures();
    to.set_key(text_of(signature.key));
    to.set_signature(text_of(signature.bytes));
  }
  for (const Slot& slot : head.slots) fill(*out.add_slots(), slot);
  return encode(out);
}

ByteVector serialize_grant(const Grant& grant) {
  v1::Grant out;
  out.set_uuid(text_of(grant.uuid));
  out.set_content_digest(text_of(grant.content_digest));
  fill(*out.mutable_slot(), grant.slot);
  const ByteVector message = encode(out);

  constexpr std::string_view kMagic("sealpack grant\0\0\x01\0\0\0", 20);
  ByteVector file = to_vector(as_bytes(kMagic));
  const Digest checksum = crypto::sha256(message);
  file.insert(file.end(), checksum.bytes.begin(), checksum.bytes.end());
  file.insert(file.end(), message.begin(), message.end());
  return file;
}

}  // namespace sealpack::bundle
