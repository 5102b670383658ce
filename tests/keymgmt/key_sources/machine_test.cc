// SPDX-License-Identifier: Apache-2.0
#include <sealpack/key_sources.h>

#include "attest/evidence/evidence.h"
#include "tests/keymgmt/tpm/software_tpm.h"
#include "tests/keymgmt/tpm/tpm_command.h"
#include "tests/runtime-loader/capi/capi_testing.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::testing {
namespace {

struct CloseMachine {
  void operator()(sealpack_machine* machine) const { sealpack_machine_close(machine); }
};
using OwnedMachine = std::unique_ptr<sealpack_machine, CloseMachine>;

int open(const sealpack_machine_options& options, OwnedMachine& machine,
         sealpack_error* error = nullptr) {
  sealpack_machine* opened = nullptr;
  const int code = sealpack_machine_open(&options, &opened, error);
  machine.reset(opened);
  return code;
}

sealpack_machine_options options_for(const char* tee) {
  sealpack_machine_options options = SEALPACK_INIT(sealpack_machine_options);
  options.tee = tee;
  return options;
}

Result<attest::Evidence> evidence_of(sealpack_machine* machine, Bytes report_data) {
  sealpack_environment environment = SEALPACK_INIT(sealpack_environment);
  EXPECT_CODE(SEALPACK_OK, sealpack_machine_describe(machine, &environment, nullptr, &error));
  ByteVector out(attest::kMaxEvidenceSize);
  const std::int64_t size = environment.evidence(environment.context, report_data.data(),
                                                 report_data.size(), out.data(), out.size());
  if (size < 0) return Error(static_cast<ErrorCode>(-size), "no evidence");
  out.resize(static_cast<std::size_t>(size));
  return attest::parse_evidence(out);
}

TEST(Machine, GivesTheEvidenceOfARecordedPlatform) {
  const TemporaryFolder folder;
  const std::string report(1184, 'r');
  folder.put("provider", "sev_guest\n");
  folder.put("generation", "1\n");
  folder.put("outblob", report);
  const std::string path = folder.path().string();
  sealpack_machine_options options = options_for("sev-snp");
  options.recorded = path.c_str();
  OwnedMachine machine;
  ASSERT_EQ(open(options, machine), SEALPACK_OK);
  const auto evidence = evidence_of(machine.get(), ByteVector(64, 7));
  ASSERT_THAT(evidence, Succeeds());
  EXPECT_EQ(evidence->tee, "sev-snp");
  ASSERT_NE(evidence->find("report"), nullptr);
  EXPECT_EQ(evidence->find("report")->size(), 1184U);
}

TEST(Machine, HasNoCountersAndNothingToCapWithoutADeviceKey) {
  OwnedMachine machine;
  ASSERT_EQ(open(options_for("tdx"), machine), SEALPACK_OK);
  sealpack_environment environment = SEALPACK_INIT(sealpack_environment);
  sealpack_counters counters = SEALPACK_INIT(sealpack_counters);
  EXPECT_CODE(SEALPACK_UNSUPPORTED,
              sealpack_machine_describe(machine.get(), &environment, &counters, &error));
  EXPECT_CODE(SEALPACK_UNSUPPORTED, sealpack_machine_cap(machine.get(), &error));
}

TEST(Machine, KnowsNoSimulatedOnesAndNoOptionsOfOthers) {
  OwnedMachine machine;
  EXPECT_EQ(open(options_for("simulated"), machine), SEALPACK_USAGE);
  EXPECT_EQ(open(options_for("weather"), machine), SEALPACK_USAGE);
  EXPECT_EQ(open(options_for("tpm"), machine), SEALPACK_USAGE) << "neither PCRs nor a key";
  sealpack_machine_options options = options_for("tdx");
  options.pcrs = 1;
  EXPECT_EQ(open(options, machine), SEALPACK_USAGE);
  options = options_for("tpm");
  options.pcrs = 1U << 24U;
  EXPECT_EQ(open(options, machine), SEALPACK_USAGE);
  options.pcrs = 1;
  options.recorded = "folder";
  EXPECT_EQ(open(options, machine), SEALPACK_USAGE);
  EXPECT_CODE(SEALPACK_USAGE, sealpack_machine_cap(nullptr, &error));
  sealpack_machine_close(nullptr);
}

TEST(Machine, SaysThatADeviceKeyIsNotThere) {
  sealpack_machine_options options = options_for("tpm");
  options.device_key = "/nowhere/device";
  OwnedMachine machine;
  EXPECT_EQ(open(options, machine), SEALPACK_IO);
}

TEST(Machine, QuotesThePcrsOfItsTpm) {
  if (!SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
  SoftwareTpm tpm;
  const std::string tcti = tpm.tcti();
  sealpack_machine_options options = options_for("tpm");
  options.tcti = tcti.c_str();
  options.pcrs = 1U << 4U | 1U << 9U;
  OwnedMachine machine;
  ASSERT_EQ(open(options, machine), SEALPACK_OK);
  const auto evidence = evidence_of(machine.get(), ByteVector(32, 7));
  ASSERT_THAT(evidence, Succeeds());
  for (const char* kind : {"tpm-quote", "tpm-signature", "tpm-pcrs", "ak-public"}) {
    EXPECT_NE(evidence->find(kind), nullptr) << kind;
  }
}

TEST(Machine, ReadsThePasswordOfItsTpmFromAFile) {
  if (!SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
  SoftwareTpm tpm;
  ASSERT_EQ(tpm_code(tpm.command(tpm_change_auth(kTpmEndorsement, "for keys"))), 0U);
  const std::string tcti = tpm.tcti();
  sealpack_machine_options options = options_for("tpm");
  options.tcti = tcti.c_str();
  options.pcrs = 1U << 4U;
  OwnedMachine machine;
  ASSERT_EQ(open(options, machine), SEALPACK_OK);
  EXPECT_FALSE(evidence_of(machine.get(), ByteVector(32, 7)).ok());
  const TemporaryFolder folder;
  const auto path = folder.put("password", "for keys\n");
  std::filesystem::permissions(path, std::filesystem::perms{0600});
  options.tpm_password_file = path.c_str();
  ASSERT_EQ(open(options, machine), SEALPACK_OK);
  EXPECT_THAT(evidence_of(machine.get(), ByteVector(32, 7)), Succeeds());
  options = options_for("tdx");
  options.tpm_password_file = path.c_str();
  EXPECT_EQ(open(options, machine), SEALPACK_USAGE);
}

}  // namespace
}  // namespace sealpack::testing
