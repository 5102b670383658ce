// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/verb.h"
#include "keymgmt/broker/service.h"
#include "keymgmt/keystore/key_ref.h"
#include "keymgmt/verbs/broker_config.h"

// What the verbs of `sealpack broker` share.
namespace sealpack::broker {

std::uint64_t unix_time();

void add_folder_option(CLI::App& verb, std::string& folder);

// The folder of a broker with its store.
struct BrokerFolder {
  BrokerConfig config;
  std::shared_ptr<Store> store;

  static Result<BrokerFolder> open(const std::string& folder);

  Result<std::shared_ptr<const State>> state() const { return store->state(); }
  // Applies it and says so, with the number of its log entry.
  Status apply(const Change& change, const std::string& what, cli::Terminal& terminal) const;

  Result<ServiceKeys> keys() const;
  Result<std::shared_ptr<const crypto::Signer>> log_signer() const;
  // `lab`: simulated evidence may be believed.
  Result<ServiceOptions> service_options(bool lab) const;
  Result<attest::Endorsements> endorsements() const;
};

// A product, as releases and operators name it.
struct ProductName {
  Digest authority;
  std::string product;
};
// By its name alone where one authority has it; `authority`, in hex, says which where several do.
Result<ProductName> find_product(const State& state, const std::string& product,
                                 const std::string& authority);

// "sha256:HEX" or HEX.
Result<ByteVector> parse_value(const std::string& text, const std::string& what);
Result<Digest> parse_digest(const std::string& text, const std::string& what);

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
void add_broker_log(CLI::App& group, cli::Job& job);
void add_broker_checkpoint(CLI::App& group, cli::Job& job);
void add_broker_backup(CLI::App& group, cli::Job& job);
void add_broker_restore(CLI::App& group, cli::Job& job);
void add_broker_reconcile(CLI::App& group, cli::Job& job);
void add_broker_answer(CLI::App& group, cli::Job& job);

}  // namespace sealpack::broker
