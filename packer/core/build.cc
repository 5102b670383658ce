// SPDX-License-Identifier: Apache-2.0
#include "packer/core/build.h"

#include "formats/bundle/encode.h"
#include "keymgmt/crypto/random.h"
#include "keymgmt/crypto/sha256.h"
#include "packer/core/assembly_checks.h"

namespace sealpack::packer {
namespace {

// With room for later, when recipients are added in place, if the largest head has it.
Result<std::uint32_t> choose_head_size(std::uint64_t bound) {
  const Result<std::uint32_t> roomy = bundle::head_size_for(bound + bound / 4 + 4096);
  return roomy.ok() ? roomy : bundle::head_size_for(bound);
}

Result<bundle::Head> make_head(const BuildRequest& request, const WrittenData& written,
                               const crypto::ContentKey& key) {
  bundle::Release release = request.release;
  release.content_digest = written.content_digest;
  release.content_size = written.content_bytes.size();
  release.key_commitment = slots::key_commitment(key);
  bundle::Head head;
  head.release = TRY(sign_release(release, request.signers));
  const slots::Binding binding = {written.content.uuid, written.content_digest,
                                  written.content.authority};
  for (const Recipient& recipient : request.recipients) {
    head.slots.push_back(TRY(wrap_slot(recipient, binding, key).within(recipient.label)));
  }
  return head;
}

}  // namespace

Result<BuildReport> build_bundle(const Assembly& assembly, const BuildRequest& request) {
  TRY(check_release(request.release, request.signers));
  TRY(check_recipients(request.release, request.recipients));
  OutputFile out = TRY(OutputFile::create(request.output, request.overwrite, 0644));

  const auto key = crypto::ContentKey::random();
  bundle::Content identity;
  identity.uuid = crypto::random_array<16>();
  identity.authority = request.authority;
  identity.product = request.release.product;
  identity.plan = request.plan;
  identity.parent = request.parent;
  identity.head_size = TRY(choose_head_size(
      head_size_bound(request.release, request.signers.size(), request.recipients)));

  const WrittenData written =
      TRY(write_data(assembly, std::move(identity), key, out, request.data));
  TRY(check_inputs_unchanged(assembly));
  const bundle::Head head = TRY(make_head(request, written, key));
  TRY(write_new_head(head, written.content.head_size, out));
  TRY(out.commit());

  BuildReport report;
  report.uuid = written.content.uuid;
  report.content_digest = written.content_digest;
  report.release_digest = crypto::sha256(head.release.payload);
  report.file_size = written.layout.file_size;
  report.head_size = written.content.head_size;
  return report;
}

}  // namespace sealpack::packer
