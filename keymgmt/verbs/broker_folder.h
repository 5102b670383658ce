// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/help.h"
#include "formats/cli/json_output.h"
#include "formats/cli/verb.h"
#include "keymgmt/broker/service.h"
#include "keymgmt/verbs/broker_keys.h"

// What the verbs of `sealpack broker` share.
namespace sealpack::broker {

std::uint64_t unix_time();

void add_folder_option(CLI::App& verb, std::string& folder);

// Footer of a verb's help. `specific`: what codes mean for it besides what they mean for every verb
// that opens a broker's folder.
std::string broker_help(const char* example, const char* files,
                        std::initializer_list<cli::ExitCode> specific);

// The folder of a broker with its store.
struct BrokerFolder {
  BrokerConfig config;
  std::shared_ptr<Store> store;

  static Result<BrokerFolder> open(const std::string& folder);

  Result<std::shared_ptr<const State>> state() const { return store->state(); }
  // Applies it and says so, with the number of its log entry; in JSON with `more`, an object.
  Status apply(const Change& change, const std::string& what, cli::Terminal& terminal,
               const cli::Json& more = cli::Json::object()) const;

  // `report`: of devices that did not answer.
  Result<ServiceKeys> keys(const KeyReport& report = {}) const;
  Result<std::shared_ptr<const crypto::Signer>> log_signer(const KeyReport& report = {}) const;
  // `lab`: simulated evidence may be believed.
  Result<ServiceOptions> service_options(bool lab) const;
  Result<attest::Endorsements> endorsements() const;
};

// What --admin says: ADDRESS:PORT, or "none", which gives "". kUsage for anything else.
Result<std::string> admin_address(const std::string& option);

// A product, as releases and operators name it.
struct ProductName {
  Digest authority;
  std::string product;
  bool released = false;  // a release of it is here
};
// By its name alone where what is said here is of one authority. `authority`, a .pub or its digest,
// says whose where it is several's, and where nothing was said about the product yet.
Result<ProductName> find_product(const State& state, const std::string& product,
                                 const std::string& authority);
// That what was said waits for the product's first release: its name may be misspelt.
void note_unreleased(const ProductName& name, cli::Terminal& terminal);

// A time as all verbs take it, but not 0: to the store that is "never".
Result<std::uint64_t> parse_moment(const std::string& text, const char* option);

// "sha256:HEX" or HEX.
Result<ByteVector> parse_value(const std::string& text, const std::string& what);
Result<Digest> parse_digest(const std::string& text, const std::string& what);
// That of a public key: the same, or FILE.pub.
Result<Digest> parse_key_digest(const std::string& text, const std::string& what);

// The verbs, each in the file of its name.
void add_broker_init(CLI::App& group, cli::Job& job);
void add_broker_serve(CLI::App& group, cli::Job& job);
void add_broker_add(CLI::App& group, cli::Job& job);
void add_broker_list(CLI::App& group, cli::Job& job);
void add_broker_revoke(CLI::App& group, cli::Job& job);
void add_broker_licence(CLI::App& group, cli::Job& job);
void add_broker_policy(CLI::App& group, cli::Job& job);
void add_broker_enrol(CLI::App& group, cli::Job& job);
void add_broker_rotate(CLI::App& group, cli::Job& job);
void add_broker_end_key(CLI::App& group, cli::Job& job);
void add_broker_log(CLI::App& group, cli::Job& job);
void add_broker_checkpoint(CLI::App& group, cli::Job& job);
void add_broker_backup(CLI::App& group, cli::Job& job);
void add_broker_restore(CLI::App& group, cli::Job& job);
void add_broker_reconcile(CLI::App& group, cli::Job& job);
void add_broker_answer(CLI::App& group, cli::Job& job);

}  // namespace sealpack::broker
