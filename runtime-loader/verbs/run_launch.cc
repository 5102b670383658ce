// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/run_launch.h"

#include <algorithm>

#include "runtime-loader/host/divided_model.h"
#include "runtime-loader/tee/threads.h"
#include "runtime-loader/verbs/run_arrays.h"
#include "runtime-loader/verbs/run_keys.h"

namespace sealpack::loader {
namespace {

// One a core where nobody says how many, and fewer under a cap that so many stacks would fill.
unsigned tee_threads(const RunOptions& options) {
  const unsigned threads = std::min(unpacker::thread_count(options.threads), tee::kMaxThreads);
  return options.threads != 0 ? threads : tee::threads_under(options.tee_memory, threads);
}

}  // namespace

Result<HostBundle> open_bundle(const std::string& path, const unpacker::LoadedTrust& trust) {
  std::shared_ptr<FileSource> file = TRY(FileSource::open(path));
  auto unverified = TRY(unpacker::UnverifiedBundle::open(file).within(printable(path)));
  auto verified =
      TRY(std::move(unverified).verify(trust.trust, trust.clock).within(printable(path)));
  return HostBundle{std::move(file), std::move(verified)};
}

Result<LaunchConfig> launch_config(const RunOptions& options, const unpacker::LoadedTrust& trust,
                                   const unpacker::VerifiedBundle* bundle) {
  std::vector<std::string> wanted;
  for (const std::string& text : options.outputs) {
    const std::string name = parse_named_path(text).name;
    if (!name.empty()) wanted.push_back(name);
  }
  if (bundle != nullptr) {
    wanted = TRY(host::DividedModel::leaving_outputs(bundle->content(), wanted));
  }
  LaunchConfig config;
  auto broker = TRY(pinned_broker(options.broker));
  config.owners.push_back({kOwner, trust.trust, std::move(broker), false});
  config.answer = narrowing_of(options, std::move(wanted));
  return config;
}

Result<std::unique_ptr<tee::ProcessBackend>> launch_process(const RunOptions& options,
                                                            const std::vector<int>& bundles) {
  const std::optional<crypto::PrivateKey> evidence_key = TRY(load_evidence_key(options));
  tee::ProcessOptions process;
  process.cap = options.tee_memory;
  process.threads = tee_threads(options);
  process.bundles = bundles;
  process.user = options.tee_user;
  process.evidence_key = evidence_key ? &*evidence_key : nullptr;
  return tee::ProcessBackend::launch(process);
}

}  // namespace sealpack::loader
