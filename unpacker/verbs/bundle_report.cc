// SPDX-License-Identifier: Apache-2.0
#include "unpacker/verbs/bundle_report.h"

#include <algorithm>
#include <limits>

#include "attest/policy/policy_file.h"
#include "unpacker/verbs/content_key.h"
#include "unpacker/verbs/plan_report.h"

namespace sealpack::unpacker {
namespace {

using cli::Json;

constexpr std::size_t kMostDtypes = 64;
constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

Json slots_json(const std::vector<bundle::Slot>& slots) {
  std::map<std::pair<std::string, std::string>, std::uint64_t> counts;
  for (const bundle::Slot& slot : slots) {
    ++counts[{to_string(slot.slot_class), bundle::to_string(slot.kind)}];
  }
  Json list = Json::array();
  for (const auto& [kind, count] : counts) {
    list.push_back({{"class", kind.first}, {"kind", kind.second}, {"count", count}});
  }
  return list;
}

Json files_json(const bundle::Content& content) {
  Json list = Json::array();
  for (const bundle::PublicFile& file : content.public_files) {
    list.push_back({{"path", file.path}, {"place", "public"}, {"bytes", file.size}});
  }
  for (const bundle::SealedFile& file : content.sealed_files) {
    const bool residue = file.kind == bundle::SealedKind::kResidue;
    list.push_back({{"path", file.path},
                    {"place", "sealed"},
                    {"bytes", file.size()},
                    {"segments", file.segments.size()},
                    {"residue", residue}});
  }
  return list;
}

Json tensor_json(const bundle::Content& content, const bundle::CardTensor& tensor) {
  const bool sealed = tensor.file >= content.public_files.size();
  return {{"name", tensor.name},
          {"dtype", tensor.dtype},
          {"shape", tensor.shape},
          {"place", sealed ? "sealed" : "public"},
          {"file", path_of(content, tensor.file)}};
}

Json release_json(const InspectedBundle& inspected) {
  const bundle::Release& release = inspected.release;
  Json json = {{"product", release.product},
               {"version", release.version},
               {"counter", release.counter},
               {"not_before", release.not_before},
               {"not_after", release.not_after},
               {"min_loader", release.min_loader},
               {"content_digest", cli::json_digest(release.content_digest)},
               {"requires_attestation", release.policy.requires_attestation()},
               {"policy", policy::explain(release.policy)},
               {"answer", policy::explain(release.answer)},
               {"licence", release.licence}};
  json["escrow"] = nullptr;
  if (release.escrow) {
    json["escrow"] = {{"key", cli::json_digest(release.escrow->key)},
                      {"because", release.escrow->because},
                      {"slot", has_escrow_slot(inspected)}};
  }
  json["signers"] = Json::array();
  for (const bundle::Signature& signature : inspected.head.head.release.signatures) {
    json["signers"].push_back(cli::json_digest(signature.key));
  }
  return json;
}

Json content_json(const bundle::Content& content) {
  Json json = {{"uuid", to_hex(content.uuid)},
               {"authority", cli::json_digest(content.authority)},
               {"scheme", content.plan.scheme}};
  json["plan"] = plan_json(content.plan);
  json["parent"] = content.parent ? Json(cli::json_digest(*content.parent)) : nullptr;
  json["redaction"] = to_string(content.card.redaction);
  json["facts"] = Json::object();
  for (const bundle::Fact& fact : content.card.facts) json["facts"][fact.key] = fact.value;
  const BundleSums sums = sums_of(content);
  json["public_bytes"] = sums.public_bytes;
  json["sealed_bytes"] = sums.sealed_bytes;
  json["public_tensors"] = sums.public_tensors;
  json["sealed_tensors"] = sums.sealed_tensors;
  json["public_parameters"] = sums.public_parameters;
  json["sealed_parameters"] = content.card.sealed_parameters;
  json["dtypes"] = Json::object();
  for (const auto& [dtype, count] : sums.dtypes) {
    json["dtypes"][dtype] = {{"tensors", count.tensors}, {"elements", count.elements}};
  }
  json["files"] = files_json(content);
  json["originals"] = Json::array();
  for (const bundle::OriginalFile& file : content.originals) {
    json["originals"].push_back({{"path", file.path}, {"bytes", file.size}});
  }
  json["excluded"] = Json::array();
  for (const bundle::ExcludedFile& file : content.excluded) {
    json["excluded"].push_back({{"path", file.path}, {"because", file.because}});
  }
  return json;
}

}  // namespace

Result<InspectedBundle> load_inspected(const std::string& path, const TrustOptions& trust) {
  UnverifiedBundle bundle = TRY(open_unverified(path));
  InspectedBundle inspected;
  inspected.path = path;
  inspected.head = bundle.head();
  inspected.verified = trust.given();
  if (trust.given()) {
    const LoadedTrust loaded = TRY(load_trust_options(trust));
    const VerifiedBundle verified =
        TRY(std::move(bundle).verify(loaded.trust, loaded.clock).within(printable(path)));
    inspected.release = verified.release();
    inspected.content = verified.content();
    inspected.file_size = verified.source().size();
    return inspected;
  }
  ClaimedBundle claimed = TRY(bundle.claimed_without_proof().within(printable(path)));
  inspected.file_size = bundle.file_size();
  inspected.release = std::move(claimed.release);
  inspected.content = std::move(claimed.content);
  return inspected;
}

std::uint64_t element_count(const std::vector<std::uint64_t>& shape) {
  std::uint64_t count = 1;
  for (const std::uint64_t size : shape) count = checked_multiply(count, size).value_or(kMost);
  return count;
}

BundleSums sums_of(const bundle::Content& content) {
  BundleSums sums;
  for (const bundle::PublicFile& file : content.public_files) sums.public_bytes += file.size;
  for (const bundle::SealedFile& file : content.sealed_files) sums.sealed_bytes += file.size();
  for (const bundle::CardTensor& tensor : content.card.tensors) {
    const std::uint64_t elements = element_count(tensor.shape);
    // Models have a few; a manifest may claim one for each tensor.
    const bool listed = sums.dtypes.size() < kMostDtypes || sums.dtypes.contains(tensor.dtype);
    DtypeCount& dtype = sums.dtypes[listed ? tensor.dtype : "other"];
    ++dtype.tensors;
    dtype.elements = checked_add(dtype.elements, elements).value_or(kMost);
    const bool sealed = tensor.file >= content.public_files.size();
    ++(sealed ? sums.sealed_tensors : sums.public_tensors);
    if (!sealed)
      sums.public_parameters = checked_add(sums.public_parameters, elements).value_or(kMost);
  }
  return sums;
}

bool has_escrow_slot(const InspectedBundle& inspected) {
  const auto& slots = inspected.head.head.slots;
  return inspected.release.escrow && std::any_of(slots.begin(), slots.end(), [&](const auto& slot) {
           return slot.slot_class == bundle::SlotClass::kDirect &&
                  slots::hints_at(slot, inspected.release.escrow->key);
         });
}

std::string opens_without_attestation(const InspectedBundle& inspected) {
  const auto& slots = inspected.head.head.slots;
  const auto direct = std::count_if(slots.begin(), slots.end(), [](const bundle::Slot& slot) {
    return slot.slot_class == bundle::SlotClass::kDirect;
  });
  if (!inspected.release.policy.requires_attestation()) {
    if (direct == 0) return "not by its own slots (all are attested); a grant could change that";
    return "yes, anywhere, with the key of any of " + std::to_string(direct) + " direct slot(s)";
  }
  if (has_escrow_slot(inspected)) {
    return "only with the escrow key: " + printable(inspected.release.escrow->because);
  }
  if (inspected.release.escrow) {
    return "no; an escrow key is named (" + printable(inspected.release.escrow->because) +
           ") but has no slot here";
  }
  return "no";
}

const char* to_string(bundle::Redaction redaction) {
  switch (redaction) {
    case bundle::Redaction::kNone:
      return "none";
    case bundle::Redaction::kNames:
      return "names";
    case bundle::Redaction::kAll:
      return "all";
  }
  return "none";
}

const std::string& path_of(const bundle::Content& content, std::uint32_t file) {
  const std::size_t public_count = content.public_files.size();
  return file < public_count ? content.public_files[file].path
                             : content.sealed_files[file - public_count].path;
}

void print_bundle_json(const InspectedBundle& inspected, bool tensors, cli::Terminal& terminal) {
  const Json json = {{"bundle", inspected.path},
                     {"verified", inspected.verified},
                     {"bytes", inspected.file_size},
                     {"update_interrupted", inspected.head.updating()},
                     {"release", release_json(inspected)},
                     {"content", content_json(inspected.content)},
                     {"recipients", slots_json(inspected.head.head.slots)},
                     {"opens_without_attestation", opens_without_attestation(inspected)}};
  if (!tensors) {
    cli::print_json(terminal, json);
    return;
  }
  const std::vector<bundle::CardTensor>& list = inspected.content.card.tensors;
  cli::print_json(terminal, json, "tensors", list.size(),
                  [&](std::size_t i) { return tensor_json(inspected.content, list[i]); });
}

}  // namespace sealpack::unpacker
