// SPDX-License-Identifier: Apache-2.0
#include "packer/verbs/reseal_options.h"

#include <filesystem>

#include "attest/policy/policy_file.h"

namespace sealpack::packer {
namespace {

Result<std::uint64_t> parse_counter(const std::string& text) {
  if (text.size() > 19 || text.find_first_not_of("0123456789") != std::string::npos) {
    return Error(ErrorCode::kUsage, "--counter " + printable(text) + " is not a number");
  }
  return std::stoull(text);
}

// "never" and "always" take a limit away.
Result<std::uint64_t> parse_limit(const std::string& option, const std::string& text,
                                  const char* none) {
  if (text == none) return std::uint64_t{0};
  return cli::parse_time(text).within(option);
}

Status check_rekey(const ResealOptions& options) {
  if (options.in_place) {
    return Error(ErrorCode::kUsage, "--rekey writes a new bundle: --out instead of --in-place");
  }
  if (options.keys.keys.empty() || options.signers.empty() || options.add_to.empty()) {
    return Error(ErrorCode::kUsage, "--rekey needs --key, --signer and --add-to")
        .with_hint("a bundle does not hold the public keys of its recipients: name all of them");
  }
  if (!options.drop_to.empty()) {
    return Error(ErrorCode::kUsage, "--rekey keeps no recipient, so there is none to --drop-to");
  }
  return done();
}

Status check_release_options(const ResealOptions& options) {
  if (options.changes_release() && options.signers.empty()) {
    return Error(ErrorCode::kUsage, "changing the release needs --signer");
  }
  if (options.escrow.empty() && !options.escrow_reason.empty()) {
    return Error(ErrorCode::kUsage, "--escrow-reason without --escrow");
  }
  return done();
}

}  // namespace

bool ResealOptions::changes_release() const {
  return !policy.empty() || !not_before.empty() || !not_after.empty() || !version.empty() ||
         !counter.empty() || !licence.empty() || !escrow.empty();
}

void add_reseal_options(CLI::App& verb, ResealOptions& options) {
  unpacker::add_bundle_argument(verb, options.bundle);
  CLI::Option* out = verb.add_option("-o,--out", options.out, "Write the result to another file");
  out->type_name("C.seal");
  verb.add_flag("--in-place", options.in_place, "Replace the head of the bundle itself")
      ->excludes(out);
  verb.add_flag("--force", options.force, "Replace an existing C.seal")->needs(out);
  verb.add_option("--signer", options.signers,
                  "Key that signs the new release: a .key file, pkcs11:URI or exec:PROGRAM")
      ->type_name("KEYREF")
      ->allow_extra_args(false)
      ->take_all();
  unpacker::add_trust_options(verb, options.trust, unpacker::TrustNeed::kOptional);
  verb.add_option("--policy", options.policy, "New policy (TOML)")->type_name("P.toml");
  verb.add_option("--not-before", options.not_before, "Valid from, or 'always'")->type_name("TIME");
  verb.add_option("--not-after", options.not_after, "Valid until, or 'never'")->type_name("TIME");
  verb.add_option("--version", options.version, "Version for people");
  verb.add_option("--counter", options.counter,
                  "Release counter (default: UTC seconds, at least one more)")
      ->type_name("N");
  verb.add_option("--licence", options.licence, "Text file to put into the release")
      ->type_name("FILE");
  verb.add_option("--escrow", options.escrow, "Your own key to recover the model; gets a slot")
      ->type_name("E.pub");
  verb.add_option("--escrow-reason", options.escrow_reason, "Why it exists; part of the release")
      ->type_name("TEXT");
  unpacker::add_key_options(verb, options.keys, false);
  verb.add_option("--add-to", options.add_to,
                  "One more recipient: a .pub file, a symmetric .key, passphrase:FILE; needs --key")
      ->type_name("R.pub")
      ->allow_extra_args(false)
      ->take_all();
  verb.add_option("--drop-to", options.drop_to,
                  "One recipient less, in future copies only: who has an older copy or the content "
                  "key keeps what it opens (--rekey changes the key)")
      ->type_name("R.pub")
      ->allow_extra_args(false)
      ->take_all();
  verb.add_flag("--rekey", options.rekey,
                "Encrypt everything again under a new key, for the --add-to recipients alone");
  unpacker::add_threads_option(verb, options.threads);
}

Status check_combination(const ResealOptions& options) {
  if (options.in_place == !options.out.empty()) {
    return Error(ErrorCode::kUsage, "one of --in-place and --out is needed");
  }
  std::error_code ignored;
  if (!options.out.empty() && std::filesystem::equivalent(options.bundle, options.out, ignored)) {
    return Error(ErrorCode::kUsage, "--out names the bundle itself").with_hint("use --in-place");
  }
  TRY(check_release_options(options));
  if (options.rekey) return check_rekey(options);
  if ((!options.add_to.empty() || !options.escrow.empty()) && options.keys.keys.empty()) {
    return Error(ErrorCode::kUsage,
                 "--add-to and --escrow need --key: a slot holds the content key");
  }
  if (options.in_place) return done();
  if (!options.changes_slots() && options.signers.empty()) {
    return Error(ErrorCode::kUsage, "nothing to change")
        .with_hint("a new release needs --signer, other recipients --add-to or --drop-to");
  }
  return done();
}

Result<ReleaseChange> load_change(const ResealOptions& options) {
  ReleaseChange change;
  if (!options.policy.empty()) {
    policy::PolicyFile file = TRY(policy::load_policy(options.policy));
    change.policy = std::move(file.policy);
    change.answer = file.answer;
  }
  if (!options.not_before.empty()) {
    change.not_before = TRY(parse_limit("--not-before", options.not_before, "always"));
  }
  if (!options.not_after.empty()) {
    change.not_after = TRY(parse_limit("--not-after", options.not_after, "never"));
  }
  if (!options.version.empty()) change.version = options.version;
  if (!options.counter.empty()) change.counter = TRY(parse_counter(options.counter));
  if (!options.licence.empty()) {
    const ByteVector text = TRY(load_file(options.licence, bundle::kMaxLicenceSize));
    change.licence = as_text(text);
  }
  return change;
}

}  // namespace sealpack::packer
