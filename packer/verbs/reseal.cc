// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>
#include <ostream>

#include "attest/policy/policy_file.h"
#include "formats/cli/json_output.h"
#include "keymgmt/keystore/key_ref.h"
#include "packer/core/build.h"
#include "packer/core/head_update.h"
#include "packer/core/rekey.h"
#include "packer/verbs/reseal_options.h"
#include "packer/verbs/unlock.h"
#include "packer/verbs/verbs.h"

namespace sealpack::packer {
namespace {

std::uint64_t now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(since).count());
}

// Keys that the command line names, opened.
struct Keys {
  Signers signers;
  std::vector<Recipient> add;
  std::vector<Recipient> drop;
  std::optional<Recipient> escrow;
};

Result<Keys> load_keys(const ResealOptions& options) {
  using keystore::Role;
  const auto passphrases = passphrases_of(options.keys);
  Keys keys;
  for (const std::string& signer : options.signers) {
    keys.signers.push_back(TRY(keystore::open_signer(
        signer, {Role::kAuthority, Role::kPublisher, Role::kReviewer}, *passphrases)));
  }
  for (const std::string& name : options.add_to) {
    keys.add.push_back(TRY(named_recipient(name, *passphrases)));
  }
  for (const std::string& name : options.drop_to) {
    keys.drop.push_back(TRY(named_recipient(name, *passphrases)));
    if (std::holds_alternative<PassphraseKey>(keys.drop.back().key)) {
      return Error(ErrorCode::kUsage,
                   "a passphrase cannot be dropped by itself: slots do not show it")
          .with_hint("--rekey leaves it out");
    }
  }
  if (!options.escrow.empty()) {
    keys.escrow = TRY(named_recipient(options.escrow, *passphrases));
    if (!keys.escrow->is_escrow) {
      return Error(ErrorCode::kUsage, "--escrow takes a key of role escrow");
    }
  }
  return keys;
}

Result<bundle::Release> changed_release(const ResealOptions& options, const Keys& keys,
                                        const BundleToChange& bundle) {
  if (keys.signers.empty()) return bundle.release;
  ReleaseChange change = TRY(load_change(options));
  // What may leave a model that is divided was judged with its layers when it was built.
  if (bundle.content.plan.scheme == "layers" && change.answer &&
      *change.answer != bundle.release.answer) {
    return Error(ErrorCode::kRefused,
                 "the model is divided by layers, and the policy changes what "
                 "answers leave: that could make a secure layer recoverable")
        .with_hint("build the division again with the new policy");
  }
  if (keys.escrow) {
    change.escrow = bundle::Escrow{recipient_id(*keys.escrow), options.escrow_reason.empty()
                                                                   ? std::string(kEscrowReason)
                                                                   : options.escrow_reason};
  }
  return next_release(bundle.release, change, now());
}

// Who was dropped keeps what he has: said each time, because it is so often hoped otherwise.
Status drop_slots(const std::vector<Recipient>& drop, std::vector<bundle::Slot>& slots,
                  cli::Terminal& terminal) {
  for (const Recipient& recipient : drop) {
    const Digest id = recipient_id(recipient);
    const auto gone =
        std::erase_if(slots, [&](const bundle::Slot& slot) { return slots::hints_at(slot, id); });
    if (gone == 0) {
      return Error(ErrorCode::kUsage, "no slot of the bundle is for " + recipient.label)
          .with_hint("it may hold a grant in a file of its own, which only --rekey takes away");
    }
  }
  if (!drop.empty()) {
    terminal.warning(
        "dropping a recipient stops future copies only: whoever holds an older copy, "
        "a grant or the content key still opens this content; --rekey changes the key");
  }
  return done();
}

Status add_slot(const Recipient& recipient, const slots::Binding& binding,
                const crypto::ContentKey& key, std::vector<bundle::Slot>& slots,
                cli::Terminal& terminal) {
  // A hint is nobody's word: what seems to be the recipient's slot may open nothing.
  if (has_slot_for(slots, recipient)) {
    terminal.note(recipient.label + " has a slot already; it is made anew");
    std::erase_if(slots, [&](const bundle::Slot& slot) {
      return slots::hints_at(slot, recipient_id(recipient));
    });
  }
  slots.push_back(TRY(wrap_slot(recipient, binding, key).within(recipient.label)));
  return done();
}

Result<std::vector<bundle::Slot>> changed_slots(const ResealOptions& options, const Keys& keys,
                                                const BundleToChange& bundle,
                                                cli::Terminal& terminal) {
  std::vector<bundle::Slot> slots = bundle.head.head.slots;
  TRY(drop_slots(keys.drop, slots, terminal));
  if (keys.add.empty() && !keys.escrow) return slots;
  const crypto::ContentKey key = TRY(unlock(bundle, options.keys));
  for (const Recipient& recipient : keys.add) {
    TRY(add_slot(recipient, bundle.binding(), key, slots, terminal));
  }
  if (keys.escrow) TRY(add_slot(*keys.escrow, bundle.binding(), key, slots, terminal));
  return slots;
}

// An older release of the same content is as genuine as the newest one. Signing again what somebody
// put back would undo every policy and drop since, so the reader of this sees what is replaced.
void warn_about(const bundle::Release& old, const bundle::Release& next, const Keys& keys,
                const BundleToChange& bundle, cli::Terminal& terminal) {
  if (keys.signers.empty()) return;
  if (!bundle.floor_judged) {
    terminal.warning("replacing the release with counter " + std::to_string(old.counter) +
                     ", which may be an old one put back: is it your latest? --trust with a "
                     "counter_floor tells");
  }
  if (old.policy.requires_attestation() && !next.policy.requires_attestation()) {
    terminal.warning("the old release demanded attestation, the new one admits anyone");
  }
}

Result<bundle::Head> changed_head(const ResealOptions& options, const Keys& keys,
                                  const BundleToChange& bundle, cli::Terminal& terminal) {
  if (bundle.proof == Proof::kNone) {
    terminal.warning("the release and its policy are not verified; --trust does that first");
  }
  const bundle::Release release = TRY(changed_release(options, keys, bundle));
  warn_about(bundle.release, release, keys, bundle, terminal);
  bundle::Head head = bundle.head.head;
  head.slots = TRY(changed_slots(options, keys, bundle, terminal));
  TRY(check_slots(release, head.slots));
  if (keys.signers.empty()) return head;
  if (keys.signers.size() < head.release.signatures.size()) {
    terminal.warning("the old release had " + std::to_string(head.release.signatures.size()) +
                     " signatures, the new one has " + std::to_string(keys.signers.size()));
  }
  head.release = TRY(sign_release(release, keys.signers));
  return head;
}

void report(const std::string& path, const bundle::Head& head, const bundle::Content* content,
            bool rekeyed, cli::Terminal& terminal) {
  const auto release = bundle::parse_release(head.release.payload);
  if (!release.ok()) die("a release that was just written does not parse");
  if (terminal.json()) {
    cli::Json json = {{"bundle", path},
                      {"product", release->product},
                      {"version", release->version},
                      {"counter", release->counter},
                      {"release_digest", cli::json_digest(crypto::sha256(head.release.payload))},
                      {"content_digest", cli::json_digest(release->content_digest)},
                      {"recipients", head.slots.size()},
                      {"rekeyed", rekeyed}};
    if (content != nullptr) json["uuid"] = to_hex(content->uuid);
    cli::print_json(terminal, json);
    return;
  }
  terminal.report() << "bundle      " << printable(path) << "\nproduct     "
                    << printable(release->product) << " version " << printable(release->version)
                    << ", counter " << release->counter << "\nrelease     "
                    << cli::json_digest(crypto::sha256(head.release.payload)) << "\ncontent     "
                    << cli::json_digest(release->content_digest) << (rekeyed ? " (new)" : "")
                    << "\nrecipients  " << unpacker::describe_slots(head.slots) << '\n';
  for (const std::string& line : policy::explain(release->policy)) {
    terminal.report() << "opens       " << line << '\n';
  }
}

Status reseal_in_place(const ResealOptions& options, const Keys& keys, cli::Terminal& terminal) {
  const bool interrupted =
      TRY(bundle::load_head(*TRY(FileSource::open(options.bundle)))).updating();
  HeadUpdate update = TRY(HeadUpdate::open(options.bundle));
  if (interrupted) terminal.note("an update that was interrupted has been finished");
  if (!options.changes_slots() && keys.signers.empty()) {
    if (!interrupted) {
      return Error(ErrorCode::kUsage, "nothing to change")
          .with_hint("a new release needs --signer, other recipients --add-to or --drop-to");
    }
    report(options.bundle, update.head().head, nullptr, false, terminal);
    return done();
  }
  // `update` outlives what reads through this; the file it has locked is the one that is judged.
  const std::shared_ptr<const BlockSource> source(std::shared_ptr<void>(), &update.file());
  const BundleToChange bundle = TRY(load_for_change(source, options.trust, keys.signers));
  const bundle::Head head = TRY(changed_head(options, keys, bundle, terminal));
  TRY(
      update.replace(head).with_hint("the head has a fixed size; write grants (sealpack grant), or "
                                     "a bundle with a larger one (--rekey)"));
  report(options.bundle, head, &bundle.content, false, terminal);
  return done();
}

Status reseal_copy(const ResealOptions& options, const Keys& keys, cli::Terminal& terminal) {
  const std::shared_ptr<const FileSource> source = TRY(FileSource::open(options.bundle));
  const BundleToChange bundle = TRY(load_for_change(source, options.trust, keys.signers));
  const bundle::Head head = TRY(changed_head(options, keys, bundle, terminal));
  OutputFile out = TRY(OutputFile::create(
      options.out, options.force ? Overwrite::kReplace : Overwrite::kRefuse, 0644));
  TRY(write_copy(*source, head, bundle.content.head_size, out));
  TRY(out.commit());
  report(options.out, head, &bundle.content, false, terminal);
  return done();
}

// The recipients of a bundle under a new key: those named, and nobody else.
Result<BuildRequest> rekey_request(const ResealOptions& options, Keys keys,
                                   const BundleToChange& bundle) {
  BuildRequest request;
  request.release = TRY(changed_release(options, keys, bundle));
  request.output = options.out;
  request.overwrite = options.force ? Overwrite::kReplace : Overwrite::kRefuse;
  request.authority = bundle.content.authority;
  request.parent = bundle.content.parent;
  request.plan = bundle.content.plan;
  request.signers = std::move(keys.signers);
  request.recipients = std::move(keys.add);
  if (keys.escrow) request.recipients.push_back(std::move(*keys.escrow));
  const auto& escrow = request.release.escrow;
  const bool has_escrow =
      !escrow ||
      std::any_of(request.recipients.begin(), request.recipients.end(),
                  [&](const Recipient& one) { return recipient_id(one) == escrow->key; });
  if (!has_escrow) {
    return Error(ErrorCode::kUsage, "the release names an escrow key that would get no slot")
        .with_hint("give its .pub to --add-to, or another with --escrow and --escrow-reason");
  }
  request.data.threads = unpacker::thread_count(options.threads);
  return request;
}

Status rekey(const ResealOptions& options, Keys keys, cli::Terminal& terminal) {
  BundleToChange bundle =
      TRY(load_for_change(TRY(FileSource::open(options.bundle)), options.trust, keys.signers));
  BuildRequest request = TRY(rekey_request(options, std::move(keys), bundle));
  const unpacker::OpenBundle open =
      TRY(unpacker::open_with_keys(std::move(*bundle.verified), options.keys));
  const Assembly assembly = assembly_of(open);
  std::uint64_t bytes = 0;
  for (const models::InputFile& input : assembly.inputs) bytes += input.source->size();
  cli::Progress progress(terminal, "rekey", bytes);
  request.data.progress = [&](std::uint64_t amount) { progress.add(amount); };
  TRY(build_bundle(assembly, request));
  progress.finish();

  const auto written = TRY(unpacker::open_unverified(options.out));
  const auto claimed = TRY(written.claimed_without_proof());
  report(options.out, written.head().head, &claimed.content, true, terminal);
  terminal.note("copies of the old bundle still open with the old keys; withdraw them");
  return done();
}

Status reseal(const ResealOptions& options, cli::Terminal& terminal) {
  TRY(check_combination(options));
  Keys keys = TRY(load_keys(options));
  Status status = options.rekey      ? rekey(options, std::move(keys), terminal)
                  : options.in_place ? reseal_in_place(options, keys, terminal)
                                     : reseal_copy(options, keys, terminal);
  return std::move(status).within(printable(options.bundle));
}

}  // namespace

void add_reseal(CLI::App& app, cli::Job& job) {
  auto options = std::make_shared<ResealOptions>();
  CLI::App* verb = app.add_subcommand(
      "reseal", "Give a bundle a new release or other recipients, in milliseconds; or a new key");
  add_reseal_options(*verb, *options);
  verb->footer(cli::exit_codes(
      {{ErrorCode::kUsage,
        "wrong command line, nothing to change, or a counter that does not grow"},
       {ErrorCode::kIo, "a file cannot be read or written, or the output exists"},
       {ErrorCode::kMalformed, "the bundle breaks the rules of its format"},
       {ErrorCode::kNotAuthentic, "the current release is neither trusted nor by a given signer"},
       {ErrorCode::kRefused, "policy and recipients contradict"},
       {ErrorCode::kKeyUnavailable, "no key given opens the bundle"},
       {ErrorCode::kTryAgain, "another process is changing the bundle"},
       {ErrorCode::kLimit, "the new head does not fit"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return reseal(*options, terminal); };
  });
}

}  // namespace sealpack::packer
