// SPDX-License-Identifier: Apache-2.0
// What the vendor says about a bundle.
#include "runtime-loader/capi/handles.h"

namespace sealpack::capi {
namespace {

void copy(const Digest& digest, std::uint8_t (&out)[32]) {
  std::copy(digest.bytes.begin(), digest.bytes.end(), std::begin(out));
}

sealpack_bundle_info describe(const BundleState& state) {
  const bundle::Release& release = state.release();
  const bundle::Content& content = state.content();
  sealpack_bundle_info info{};
  info.product = release.product.c_str();
  info.version = release.version.c_str();
  info.licence = release.licence.c_str();
  info.scheme = content.plan.scheme.c_str();
  info.counter = release.counter;
  info.not_before = release.not_before;
  info.not_after = release.not_after;
  std::copy(content.uuid.begin(), content.uuid.end(), std::begin(info.uuid));
  copy(release.content_digest, info.content_digest);
  copy(state.release_digest(), info.release_digest);
  copy(content.authority, info.authority);
  info.answer_form = static_cast<std::int32_t>(release.answer.form);
  info.answer_decimals = release.answer.decimals;
  info.query_budget = release.answer.query_budget;
  info.requires_attestation = release.policy.requires_attestation() ? 1 : 0;
  info.unlocked = state.unlocked() ? 1 : 0;
  info.bundle_size = state.size();
  info.sealed_parameters = content.card.sealed_parameters;
  info.card_tensor_count = content.card.tensors.size();
  info.fact_count = content.card.facts.size();
  info.file_count = content.originals.size();
  return info;
}

Error no_index(const char* what, std::size_t index, std::size_t count) {
  return usage(std::string(what) + " " + std::to_string(index) + " of " + std::to_string(count) +
               " is asked for");
}

}  // namespace
}  // namespace sealpack::capi

using namespace sealpack;

int sealpack_bundle_get_info(sealpack_bundle* bundle, sealpack_bundle_info* info,
                             sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    return capi::give(capi::describe(*TRY(capi::state_of(bundle))), info, "info");
  });
}

int sealpack_bundle_card_tensor(sealpack_bundle* bundle, size_t index, sealpack_card_tensor* tensor,
                                sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    const bundle::Content& content = TRY(capi::state_of(bundle))->content();
    const auto& rows = content.card.tensors;
    if (index >= rows.size()) return capi::no_index("card tensor", index, rows.size());
    const bundle::CardTensor& row = rows[index];
    sealpack_card_tensor out{};
    out.name = row.name.c_str();
    out.dtype = row.dtype.c_str();
    out.shape = row.shape.data();
    out.rank = static_cast<std::uint32_t>(row.shape.size());
    out.sealed = row.file >= content.public_files.size() ? 1 : 0;
    return capi::give(out, tensor, "tensor");
  });
}

int sealpack_bundle_fact(sealpack_bundle* bundle, size_t index, const char** key,
                         const char** value, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    const auto& facts = TRY(capi::state_of(bundle))->content().card.facts;
    TRY(capi::require(key, "key"));
    TRY(capi::require(value, "value"));
    if (index >= facts.size()) return capi::no_index("fact", index, facts.size());
    *key = facts[index].key.c_str();
    *value = facts[index].value.c_str();
    return done();
  });
}

int sealpack_file_describe(sealpack_bundle* bundle, size_t index, sealpack_file* file,
                           sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    const capi::BundleState* state = TRY(capi::state_of(bundle));
    const bundle::OriginalFile* original = TRY(state->original(index));
    sealpack_file out{};
    out.path = original->path.c_str();
    out.size = original->size;
    out.sealed_size = state->sealed_size(index);
    return capi::give(out, file, "file");
  });
}

int sealpack_file_find(sealpack_bundle* bundle, const char* path, size_t* index,
                       sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    const auto& originals = TRY(capi::state_of(bundle))->content().originals;
    const std::string wanted = TRY(capi::text_of(path, "path"));
    TRY(capi::require(index, "index"));
    const auto found =
        std::lower_bound(originals.begin(), originals.end(), wanted,
                         [](const auto& file, const auto& name) { return file.path < name; });
    if (found == originals.end() || found->path != wanted) {
      return capi::usage("the model has no file " + printable(wanted));
    }
    *index = static_cast<std::size_t>(found - originals.begin());
    return done();
  });
}
