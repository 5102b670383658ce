// SPDX-License-Identifier: Apache-2.0
#include "packer/core/build.h"

#include <chrono>
#include <ostream>

#include "attest/policy/policy_file.h"
#include "formats/files/parallel.h"
#include "keymgmt/keystore/key_ref.h"
#include "packer/verbs/build_division.h"
#include "packer/verbs/build_options.h"
#include "packer/verbs/build_report.h"
#include "packer/verbs/recipient_list.h"
#include "packer/verbs/verbs.h"
#include "unpacker/core/bundle.h"

namespace sealpack::packer {
namespace {

namespace fs = std::filesystem;
using keystore::Role;

std::uint64_t now() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

Result<std::uint64_t> parse_counter(const std::string& text) {
  if (text.empty()) return now();
  if (text.size() > 19 || text.find_first_not_of("0123456789") != std::string::npos ||
      std::stoull(text) == 0) {
    return Error(ErrorCode::kUsage, "--counter " + printable(text) + " is not a number from 1");
  }
  return std::stoull(text);
}

Result<Selection> selection_of(const BuildOptions& options) {
  Selection selection;
  selection.open = options.open;
  selection.seal = options.seal;
  selection.exclude = options.exclude;
  selection.opaque = options.opaque;
  selection.keep_metadata = options.keep_metadata;
  if (options.redact == "names")
    selection.redaction = bundle::Redaction::kNames;
  else if (options.redact == "all")
    selection.redaction = bundle::Redaction::kAll;
  else if (!options.redact.empty() && options.redact != "none") {
    return Error(ErrorCode::kUsage, "--redact takes none, names or all");
  }
  return selection;
}

// A bundle that is being replaced is not part of its own successor. Any other file of the model, or
// the model itself, must not be replaced by its bundle.
Status leave_out_output(const BuildOptions& options, InputTree& tree) {
  if (options.out.empty()) return done();
  std::error_code ignored;
  const bool is_folder = fs::is_directory(options.model, ignored);
  const fs::path out = fs::weakly_canonical(options.out, ignored);
  for (auto file = tree.files.begin(); file != tree.files.end(); ++file) {
    const fs::path path =
        is_folder ? fs::path(options.model) / file->path : fs::path(options.model);
    if (fs::weakly_canonical(path, ignored) != out) continue;
    if (!is_folder || !bundle::load_head(*file->source).ok()) {
      return Error(ErrorCode::kUsage, "--out " + printable(options.out) + " is the model itself")
          .with_hint("write the bundle under another name");
    }
    tree.skipped.push_back({file->path, "the bundle being written"});
    tree.files.erase(file);
    return done();
  }
  return done();
}

struct LoadedModel {
  Assembly assembly;
  std::unique_ptr<layers::LayersDivision> division;  // nullptr: scheme `whole`
};

// Opens the model without the output.
Result<LoadedModel> load_model(const BuildOptions& options) {
  if (options.model.empty()) {
    return Error(ErrorCode::kUsage, "no model given")
        .with_hint("sealpack build MODEL, or [model] path in sealpack.toml");
  }
  InputOptions input_options;
  if (!options.out.empty()) {
    input_options.scratch_folder = fs::path(options.out).parent_path();
    if (input_options.scratch_folder.empty()) input_options.scratch_folder = ".";
  }
  InputTree tree = TRY(open_inputs(options.model, input_options));
  TRY(leave_out_output(options, tree));
  LoadedModel loaded;
  loaded.division = TRY(load_division(options, tree.files));
  Selection selection = TRY(selection_of(options));
  selection.division = loaded.division.get();
  loaded.assembly = TRY(assemble(std::move(tree), selection));
  return loaded;
}

Status load_signers(const BuildOptions& options, keystore::PassphraseSource& passphrases,
                    BuildRequest& request) {
  if (options.signers.empty()) {
    return Error(ErrorCode::kUsage, "no --signer given")
        .with_hint("make one with: sealpack keygen authority --out vendor");
  }
  if (options.authority.empty() && options.signers.size() > 1) {
    return Error(ErrorCode::kUsage, "several signers and no --authority: whose product is it?");
  }
  std::vector<Role> allowed = {Role::kAuthority};
  if (!options.authority.empty()) {
    allowed = {Role::kAuthority, Role::kPublisher, Role::kReviewer};
    const auto key = TRY(keystore::load_public_key(options.authority, Role::kAuthority));
    if (key.role != Role::kAuthority) {
      return Error(ErrorCode::kUsage, printable(options.authority) + " is a key of role " +
                                          keystore::to_string(key.role) + ", not an authority");
    }
    request.authority = key.digest;
  }
  for (const std::string& signer : options.signers) {
    request.signers.push_back(TRY(keystore::open_signer(signer, allowed, passphrases)
                                      .with_hint("a signer that is not the authority itself needs "
                                                 "--authority AUTHORITY.pub")));
  }
  if (options.authority.empty()) request.authority = request.signers[0]->public_key().digest();
  return done();
}

Status load_recipients(const BuildOptions& options, keystore::PassphraseSource& passphrases,
                       cli::Terminal& terminal, BuildRequest& request) {
  for (const std::string& path : options.to) {
    request.recipients.push_back(TRY(load_recipient(path, passphrases)));
  }
  for (const std::string& path : options.to_file) {
    for (Recipient& recipient : TRY(load_recipient_list(path, passphrases))) {
      request.recipients.push_back(std::move(recipient));
    }
  }
  for (const std::string& path : options.to_passphrase) {
    request.recipients.push_back(TRY(load_passphrase_recipient(path)));
  }
  if (options.escrow.empty()) {
    if (!options.escrow_reason.empty()) {
      return Error(ErrorCode::kUsage, "--escrow-reason without --escrow");
    }
    terminal.warning("no --escrow key: if every recipient's key is lost, so is this bundle");
  } else {
    Recipient escrow = TRY(load_recipient(options.escrow, passphrases));
    if (!escrow.is_escrow) {
      return Error(ErrorCode::kUsage, "--escrow takes a key of role escrow")
          .with_hint("make one with: sealpack keygen escrow --out escrow");
    }
    const std::string reason =
        options.escrow_reason.empty() ? std::string(kEscrowReason) : options.escrow_reason;
    request.release.escrow = bundle::Escrow{recipient_id(escrow), reason};
    request.recipients.push_back(std::move(escrow));
  }
  if (request.recipients.empty()) {
    return Error(ErrorCode::kUsage, "no recipient given: nobody could open the bundle")
        .with_hint("make one with: sealpack keygen recipient --out device, then --to device.pub");
  }
  return done();
}

Status load_policy_option(const BuildOptions& options, cli::Terminal& terminal,
                          bundle::Release& release) {
  if (options.policy.empty()) {
    release.policy.anyone_because = "no policy was given when the bundle was built";
    terminal.note("no --policy: any holder of a recipient key may open this bundle, anywhere");
    return done();
  }
  policy::PolicyFile file = TRY(policy::load_policy(options.policy));
  release.policy = std::move(file.policy);
  if (file.answer) release.answer = *file.answer;
  return done();
}

// A name for people who gave none: the model's, without its extension.
std::string default_product(const std::string& model) {
  fs::path path = fs::path(model).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  std::error_code ignored;
  if (path == "." || path == "..") path = fs::canonical(path, ignored);
  const std::string name = fs::is_directory(path, ignored) ? path.filename() : path.stem();
  return name.empty() ? "model" : name;
}

Status load_release(const BuildOptions& options, cli::Terminal& terminal,
                    bundle::Release& release) {
  release.product = options.product.empty() ? default_product(options.model) : options.product;
  release.version = options.version;
  release.counter = TRY(parse_counter(options.counter));
  if (!options.not_before.empty()) release.not_before = TRY(cli::parse_time(options.not_before));
  if (!options.not_after.empty()) release.not_after = TRY(cli::parse_time(options.not_after));
  if (release.not_after != 0 && release.not_after <= release.not_before) {
    return Error(ErrorCode::kUsage, "--not-after " + printable(options.not_after) +
                                        " is not after --not-before " +
                                        printable(options.not_before));
  }
  if (!options.licence.empty()) {
    const ByteVector text = TRY(load_file(options.licence, bundle::kMaxLicenceSize));
    release.licence = as_text(text);
  }
  return load_policy_option(options, terminal, release);
}

// The content digest of the bundle that this one builds on, as that bundle states it.
Result<Digest> parent_digest(const std::string& path) {
  auto parent = TRY(unpacker::UnverifiedBundle::open(TRY(FileSource::open(path))));
  return TRY(parent.claimed_without_proof()).release.content_digest;
}

std::unique_ptr<keystore::PassphraseSource> passphrase_source(const BuildOptions& options) {
  if (!options.passphrase_file.empty()) {
    return std::make_unique<keystore::FilePassphrase>(options.passphrase_file);
  }
  return std::make_unique<keystore::TerminalPassphrase>();
}

Status finish_options(BuildOptions& options, cli::Terminal& terminal) {
  if (!options.config.empty()) return read_config(options.config, options, ConfigSource::kNamed);
  std::error_code ignored;
  if (!fs::exists("sealpack.toml", ignored)) return done();
  terminal.note("settings from ./sealpack.toml");
  return read_config("sealpack.toml", options, ConfigSource::kFound);
}

Status dry_run(const Assembly& assembly, const BuildOptions& options, cli::Terminal& terminal) {
  if (options.json) {
    terminal.out() << report_json(assembly, nullptr, nullptr) << '\n';
    return done();
  }
  print_entries(assembly, terminal.out());
  terminal.out() << '\n';
  print_summary(assembly, terminal.out());
  return done();
}

std::uint64_t output_bytes(const Assembly& assembly) {
  std::uint64_t total = 0;
  for (const auto& file : assembly.public_files) total += models::total_size(file);
  for (const auto& file : assembly.sealed_files) total += models::total_size(file.file);
  return total;
}

Status build(BuildOptions options, cli::Terminal& terminal) {
  options.json = terminal.json();
  TRY(finish_options(options, terminal));
  TRY(check_division_options(options));
  const LoadedModel loaded = TRY(load_model(options));
  const Assembly& assembly = loaded.assembly;
  if (options.dry_run) return dry_run(assembly, options, terminal);
  if (assembly.sealed_files.empty()) {
    return Error(ErrorCode::kUsage, "nothing would be sealed: everything is public")
        .with_hint("check --public and --seal with --dry-run");
  }
  if (options.out.empty()) return Error(ErrorCode::kUsage, "no --out given");

  BuildRequest request;
  request.output = options.out;
  request.overwrite = options.force ? Overwrite::kReplace : Overwrite::kRefuse;
  std::error_code ignored;
  if (!options.force && fs::exists(fs::symlink_status(options.out, ignored))) {
    return Error(ErrorCode::kIo, printable(options.out) + " exists already")
        .with_hint("--force replaces it");
  }
  const auto passphrases = passphrase_source(options);
  TRY(load_release(options, terminal, request.release));
  request.plan = assembly.plan;
  if (request.plan.scheme == bundle::Plan().scheme) {
    note_what_cannot_run(assembly, terminal);
  } else {
    TRY(check_division(*loaded.division, request.release.answer, options, terminal));
  }
  TRY(load_recipients(options, *passphrases, terminal, request));
  TRY(load_signers(options, *passphrases, request));
  if (!options.parent.empty()) {
    request.parent = TRY(parent_digest(options.parent).within(printable(options.parent)));
  }
  request.data.threads = options.threads == 0 ? default_thread_count() : options.threads;
  cli::Progress progress(terminal, "sealing", output_bytes(assembly));
  request.data.progress = [&](std::uint64_t bytes) { progress.add(bytes); };
  const BuildReport report = TRY(build_bundle(assembly, request));
  progress.finish();

  if (options.json) {
    terminal.out() << report_json(assembly, &request, &report) << '\n';
    return done();
  }
  print_summary(assembly, terminal.report());
  terminal.report() << "\nbundle   " << printable(options.out) << ", "
                    << format_size(report.file_size) << "\nproduct  "
                    << printable(request.release.product) << ' '
                    << printable(request.release.version) << ", counter " << request.release.counter
                    << "\nscheme   " << assembly.plan.scheme
                    << "\ncontent  sha256:" << to_hex(report.content_digest.bytes) << "\nopens    ";
  for (const std::string& line : policy::explain(request.release.policy)) {
    terminal.report() << line << "\n         ";
  }
  terminal.report() << request.recipients.size() << " recipient(s)\n";
  return done();
}

void add_selection(CLI::App& verb, BuildOptions& options) {
  verb.add_option("--public", options.open, "Leave matching tensors or files readable")
      ->type_name("GLOB")
      ->allow_extra_args(false)
      ->take_all();
  verb.add_option("--seal", options.seal,
                  "Seal matching tensors or files; alone: leave other tensors public")
      ->type_name("GLOB")
      ->allow_extra_args(false)
      ->take_all();
  verb.add_option("--exclude", options.exclude, "Leave matching files out (recorded by name)")
      ->type_name("GLOB")
      ->allow_extra_args(false)
      ->take_all();
  verb.add_flag("--opaque", options.opaque, "Do not look into files; needed for pickles");
  verb.add_flag("--keep-metadata", options.keep_metadata,
                "Keep doc strings, producer and paths in a public ONNX graph");
  verb.add_option("--redact", options.redact,
                  "What the card hides of sealed tensors: none (default), names, all")
      ->type_name("WHAT");
}

void add_division(CLI::App& verb, BuildOptions& options) {
  verb.add_option("--plan", options.plan, "Seal the layers that 'sealpack plan' wrote down")
      ->type_name("P.plan");
  verb.add_option("--split", options.split,
                  "Take a model divided elsewhere: public.onnx, secure.onnx, split.toml")
      ->type_name("DIR");
  verb.add_flag("--accept-oracle", options.accept_oracle,
                "Allow a secure layer that queries can recover (docs/PLANNING.md)");
}

void add_recipients(CLI::App& verb, BuildOptions& options) {
  verb.add_option("--to", options.to, "Recipient: a .pub file, or the .key of a symmetric key")
      ->type_name("R.pub")
      ->allow_extra_args(false)
      ->take_all();
  verb.add_option("--to-file", options.to_file, "File with one recipient a line")
      ->type_name("LIST")
      ->allow_extra_args(false)
      ->take_all();
  verb.add_option("--to-passphrase", options.to_passphrase,
                  "Recipient who knows the passphrase in this file")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->take_all();
  verb.add_option("--escrow", options.escrow, "Your own key to recover the model")
      ->type_name("E.pub");
  verb.add_option("--escrow-reason", options.escrow_reason, "Why it exists; part of the release")
      ->type_name("TEXT");
}

void add_release(CLI::App& verb, BuildOptions& options) {
  verb.add_option("--signer", options.signers,
                  "Key that signs the release: a .key file, pkcs11:URI or exec:PROGRAM")
      ->type_name("KEYREF")
      ->allow_extra_args(false)
      ->take_all();
  verb.add_option("--authority", options.authority,
                  "Root key of the product (default: the only signer)")
      ->type_name("A.pub");
  verb.add_option("--policy", options.policy, "Environments that may open it (TOML)")
      ->type_name("P.toml");
  verb.add_option("--product", options.product, "Product name (default: the model's name)");
  verb.add_option("--version", options.version, "Version for people");
  verb.add_option("--counter", options.counter,
                  "Release counter, only ever grows (default: UTC seconds)")
      ->type_name("N");
  verb.add_option("--not-before", options.not_before, "Valid from")->type_name("TIME");
  verb.add_option("--not-after", options.not_after, "Valid until")->type_name("TIME");
  verb.add_option("--licence", options.licence, "Text file to put into the release")
      ->type_name("FILE");
  verb.add_option("--parent", options.parent, "Bundle that this one builds on (adapters)")
      ->type_name("B.seal");
  verb.add_option("--passphrase-file", options.passphrase_file, "Passphrase of the key files")
      ->type_name("FILE");
}

}  // namespace

void add_build(CLI::App& app, cli::Job& job) {
  auto options = std::make_shared<BuildOptions>();
  CLI::App* verb = app.add_subcommand(
      "build", "Seal a model: encrypt the secret part, sign everything, write one bundle");
  verb->add_option("model", options->model,
                   "Model: a file, a folder (Hugging Face layout) or a zip/tar archive");
  verb->add_option("-o,--out", options->out, "Bundle to write")->type_name("B.seal");
  add_recipients(*verb, *options);
  add_release(*verb, *options);
  add_selection(*verb, *options);
  add_division(*verb, *options);
  verb->add_option("--config", options->config, "Settings (default: ./sealpack.toml if there)")
      ->type_name("FILE");
  verb->add_option("--threads", options->threads, "Worker threads (default: one a core)");
  verb->add_flag("--force", options->force, "Replace an existing bundle");
  verb->add_flag("--dry-run", options->dry_run, "List what would be sealed; needs no key");
  verb->footer(
      cli::exit_codes({{ErrorCode::kUsage, "a glob without a match, no recipient, no signer"},
                       {ErrorCode::kIo, "reading or writing failed, or the output exists"},
                       {ErrorCode::kMalformed, "the model breaks the rules of its format"},
                       {ErrorCode::kUnsupported,
                        "a pickle, an unknown format version, or a secure "
                        "part that the loader cannot run"},
                       {ErrorCode::kRefused,
                        "policy and recipients contradict, or the secure part "
                        "would give its weights away"},
                       {ErrorCode::kKeyUnavailable, "a signing key does not open"},
                       {ErrorCode::kLimit, "exceeds a limit of the format"}}));
  verb->callback([options, &job] {
    job = [options](cli::Terminal& terminal) { return build(*options, terminal); };
  });
}

}  // namespace sealpack::packer
