// SPDX-License-Identifier: Apache-2.0
// The `sealpack` tool: a list of the folders' verbs.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

#include "attest/verbs/verbs.h"
#include "formats/cli/verb.h"
#include "keymgmt/crypto/startup.h"
#include "keymgmt/verbs/verbs.h"
#include "packer/verbs/verbs.h"
#include "runtime-loader/verbs/verbs.h"
#include "unpacker/verbs/verbs.h"

namespace {

// Keys pass through this process: no core dump, no tracing by others of the same user.
void harden() {
  const rlimit none = {0, 0};
  (void)::setrlimit(RLIMIT_CORE, &none);
  (void)::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  // A file size limit or a closed pipe is an error like others, not a death in the middle of work.
  (void)std::signal(SIGXFSZ, SIG_IGN);
  (void)std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace

int main(int argc, char** argv) {
  harden();
  // tpm2-tss writes on its own, passwords and session keys too where somebody asks for it; what
  // went wrong is in our messages.
  (void)::setenv("TSS2_LOG", "all+NONE", 1);
  // libcurl writes the keys of TLS connections where this says.
  (void)::unsetenv("SSLKEYLOGFILE");
  sealpack::crypto::start_without_configuration();
  sealpack::cli::Terminal terminal(std::cout, std::cerr, ::isatty(STDERR_FILENO) == 1);
  constexpr sealpack::cli::AddVerb kVerbs[] = {
      sealpack::keystore::add_keygen,  sealpack::provision::add_provision,
      sealpack::packer::add_build,     sealpack::plan::add_plan,
      sealpack::unpacker::add_inspect, sealpack::unpacker::add_verify,
      sealpack::unpacker::add_extract, sealpack::unpacker::add_unseal,
      sealpack::unpacker::add_diff,    sealpack::packer::add_grant,
      sealpack::packer::add_reseal,    sealpack::loader::add_run,
      sealpack::attest::add_attest,    sealpack::attest::add_policy,
      sealpack::broker::add_broker,
  };
  return sealpack::cli::run(argc, argv, "Seal ML models for trusted execution environments", kVerbs,
                            terminal);
}
