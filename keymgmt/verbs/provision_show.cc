// SPDX-License-Identifier: Apache-2.0
// What a file of provisioning says, for people: nothing of it is proven here.
#include <algorithm>
#include <ostream>

#include "formats/cli/help.h"
#include "formats/cli/json_output.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/keystore/armored_file.h"
#include "keymgmt/verbs/provision.h"

namespace sealpack::provision {
namespace {

struct ShowOptions {
  std::string file;
};

Result<cli::Json> describe_policy(const BootPolicy& policy) {
  cli::Json environments = cli::Json::array();
  for (const BootPolicy::Environment& environment : policy.environments) {
    cli::Json pcrs = cli::Json::object();
    std::size_t at = 0;
    for (unsigned index = 0; index < tpm::kPcrCount; ++index) {
      if ((environment.pcrs >> index & 1U) == 0) continue;
      pcrs[std::to_string(index)] = to_hex(environment.values[at++].bytes);
    }
    environments.push_back(pcrs);
  }
  return cli::Json{{"product", policy.scope.product},
                   {"authority", cli::json_digest(policy.scope.authority)},
                   {"number", policy.number},
                   {"cap_pcr", policy.cap_pcr},
                   {"environments", environments}};
}

Result<cli::Json> describe_request(const EnrolRequest& request) {
  return cli::Json{{"device", to_hex(tpm::name_of(request.endorsement))},
                   {"certificate", !request.endorsement_certificate.empty()},
                   {"tpm", request.manufacturer},
                   {"firmware", request.firmware},
                   {"policy_counter", request.counters.policy_value},
                   {"floor_counter", request.counters.floor_value}};
}

Result<cli::Json> describe_floors(const FloorTable& table) {
  cli::Json rows = cli::Json::array();
  for (const FloorTable::Entry& entry : table.entries) {
    rows.push_back({{"product", entry.scope.product},
                    {"authority", cli::json_digest(entry.scope.authority)},
                    {"counter", entry.floor.counter}});
  }
  return cli::Json{{"device", to_hex(table.device)}, {"valid_at", table.value}, {"floors", rows}};
}

Result<cli::Json> describe_answer(const EnrolAnswer& given) {
  return cli::Json{{"device", to_hex(given.device)},
                   {"product", given.scope.product},
                   {"recipient", cli::json_digest(crypto::sha256(given.recipient))},
                   {"minimum_policy", given.minimum}};
}

Result<cli::Json> describe_proof(const EnrolProof& proof) {
  return cli::Json{{"device", to_hex(proof.device)},
                   {"attestation_key", to_hex(proof.attestation)}};
}

// Without the proof that it waits for.
Result<cli::Json> describe_record(const EnrolRecord& record) {
  return cli::Json{{"device", to_hex(record.device)},
                   {"attestation_key", to_hex(tpm::name_of(record.attestation))},
                   {"product", record.scope.product},
                   {"authority", cli::json_digest(record.scope.authority)},
                   {"recipient", cli::json_digest(record.recipient)}};
}

// Unproven: what a file says, for people.
Result<cli::Json> describe(const keystore::ArmoredFile& file) {
  if (file.label == kRequestLabel) return describe_request(TRY(parse_request(file.content)));
  if (file.label == kRecordLabel) return describe_record(TRY(parse_record(file.content)));
  if (file.label == kProofLabel) return describe_proof(TRY(parse_proof(file.content)));
  const SignedStatement statement = TRY(parse_signed(file.content));
  cli::Json json;
  if (file.label == kBootPolicyLabel) {
    json = TRY(describe_policy(TRY(parse_boot_policy(statement.payload))));
  } else if (file.label == kFloorsLabel) {
    json = TRY(describe_floors(TRY(parse_floors(statement.payload))));
  } else {
    json = TRY(describe_answer(TRY(parse_answer(statement.payload))));
  }
  json["signed_by"] = cli::json_digest(crypto::sha256(statement.key));
  return json;
}

Status show(const ShowOptions& options, cli::Terminal& terminal) {
  const auto file = TRY(keystore::load_armored(options.file));
  const std::string_view known[] = {kRequestLabel, kAnswerLabel, kBootPolicyLabel,
                                    kFloorsLabel,  kRecordLabel, kProofLabel};
  if (std::find(std::begin(known), std::end(known), file.label) == std::end(known)) {
    return Error(ErrorCode::kUsage, printable(options.file) + " is a " + printable(file.label));
  }
  const cli::Json json = TRY(describe(file).within(printable(options.file)));
  if (terminal.json()) {
    cli::print_json(terminal, json);
  } else {
    terminal.out() << printable(file.label) << "\n" << json.dump(2, ' ', true) << '\n';
  }
  terminal.note("this is what the file says; nothing of it was verified");
  return done();
}

}  // namespace

void add_show_verb(CLI::App& provision, cli::Job& job) {
  constexpr cli::ExitCode kCodes[] = {
      {ErrorCode::kUsage, "wrong command line, or another kind of file"},
      {ErrorCode::kIo, "the file cannot be read"},
      {ErrorCode::kMalformed, "it breaks the rules of its format"},
      {ErrorCode::kUnsupported, "it is of a newer version"},
      {ErrorCode::kLimit, "it is larger than it may be"}};
  auto options = std::make_shared<ShowOptions>();
  CLI::App* verb =
      add_verb(provision, job, options, "show", "What a file says",
               cli::help_footer("sealpack provision show device.request --json", "", kCodes), show);
  verb->add_option("FILE", options->file, "Request, answer, boot policy, floors, record or proof")
      ->required();
}

}  // namespace sealpack::provision
