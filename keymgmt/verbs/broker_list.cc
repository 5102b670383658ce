// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>

#include "formats/base/utc_text.h"
#include "formats/cli/json_output.h"
#include "keymgmt/broker/log.h"
#include "keymgmt/broker/rules.h"
#include "keymgmt/verbs/broker_folder.h"

namespace sealpack::broker {
namespace {

using cli::Json;

std::string hex(const Digest& digest) {
  return to_hex(digest.bytes);
}
std::string brief(const std::string& text) {
  return text.substr(0, 16);
}
std::string time_or(std::uint64_t time, const char* none) {
  return time == 0 ? none : utc_text(time);
}

// A list for people and for programs, made once.
struct Listing {
  std::string title;
  std::vector<std::string> heading;
  std::vector<std::vector<std::string>> rows;
  Json json = Json::array();

  void print(std::ostream& out) const {
    if (rows.empty()) return;
    cli::Table table(heading);
    for (const auto& row : rows) table.add(row);
    out << '\n' << title << '\n';
    table.print(out, "  ");
  }
};

// Why nobody gets a release, whatever environment asks; empty: it is given out.
std::vector<std::string> refusals_of(const Rules& rules, const RegisteredRelease& release) {
  std::vector<std::string> codes;
  const ChallengeRequest subject{release.authority, release.content, release.release, ""};
  for (const Reason& reason : rules.find(subject, unix_time()).reasons) {
    if (reason.code != "broker.tee") codes.push_back(reason.code);
  }
  return codes;
}

// "yes", or "superseded, below-floor".
std::string given_out(const std::vector<std::string>& refusals) {
  constexpr std::string_view kFamily = "broker.";
  std::string text;
  for (const std::string& code : refusals) {
    text +=
        (text.empty() ? "" : ", ") + code.substr(code.starts_with(kFamily) ? kFamily.size() : 0);
  }
  return text.empty() ? "yes" : text;
}

Result<Listing> list_releases(const std::shared_ptr<const State>& state) {
  Listing list{"releases", {"product", "counter", "release", "content", "vendor", "given out"}, {}};
  const auto rules = TRY(Rules::create(state, ServiceOptions{}));
  for (const RegisteredRelease& one : state->releases) {
    const std::vector<std::string> refusals = refusals_of(*rules, one);
    list.rows.push_back({printable(one.product), std::to_string(one.counter),
                         brief(hex(one.release)), brief(hex(one.content)), one.vendor,
                         given_out(refusals)});
    list.json.push_back({{"product", one.product},
                         {"counter", one.counter},
                         {"release", cli::json_digest(one.release)},
                         {"content", cli::json_digest(one.content)},
                         {"authority", cli::json_digest(one.authority)},
                         {"vendor", one.vendor},
                         {"added", one.added},
                         {"refused", refusals}});
  }
  return list;
}

Listing list_floors(const State& state) {
  Listing list{"floors", {"product", "lowest counter"}, {}};
  for (const ProductFloor& one : state.floors) {
    list.rows.push_back({printable(one.product), std::to_string(one.floor.counter)});
    list.json.push_back({{"product", one.product},
                         {"authority", cli::json_digest(one.authority)},
                         {"counter", one.floor.counter}});
  }
  return list;
}

Listing list_revocations(const State& state) {
  Listing list{"revoked", {"kind", "value", "because", "since"}, {}};
  for (const Revocation& one : state.revocations) {
    list.rows.push_back(
        {to_string(one.kind), to_hex(one.value), printable(one.because), utc_text(one.since)});
    list.json.push_back({{"kind", to_string(one.kind)},
                         {"value", to_hex(one.value)},
                         {"because", one.because},
                         {"since", one.since}});
  }
  return list;
}

Listing list_licences(const State& state) {
  Listing list{"licences", {"product", "instances", "lease", "from", "until", "devices"}, {}};
  for (const Licence& one : state.licences) {
    Json devices = Json::array();
    for (const ByteVector& device : one.devices) devices.push_back(to_hex(device));
    list.rows.push_back({printable(one.product),
                         one.max_instances == 0 ? "any" : std::to_string(one.max_instances),
                         one.lease_seconds == 0 ? "-" : std::to_string(one.lease_seconds) + " s",
                         time_or(one.not_before, "always"), time_or(one.not_after, "never ends"),
                         one.devices.empty() ? "any" : std::to_string(one.devices.size())});
    list.json.push_back({{"product", one.product},
                         {"authority", cli::json_digest(one.authority)},
                         {"max_instances", one.max_instances},
                         {"lease_seconds", one.lease_seconds},
                         {"not_before", one.not_before},
                         {"not_after", one.not_after},
                         {"devices", std::move(devices)}});
  }
  return list;
}

Listing list_leases(const std::vector<Lease>& leases) {
  Listing list{"leases that run", {"instance", "product", "device", "until", "renewed"}, {}};
  for (const Lease& one : leases) {
    list.rows.push_back({to_hex(one.instance), printable(one.product),
                         one.device.empty() ? "-" : brief(to_hex(one.device)), utc_text(one.until),
                         std::to_string(one.renewals)});
    list.json.push_back({{"instance", to_hex(one.instance)},
                         {"product", one.product},
                         {"release", cli::json_digest(one.release)},
                         {"device", to_hex(one.device)},
                         {"since", one.since},
                         {"until", one.until},
                         {"renewals", one.renewals}});
  }
  return list;
}

Listing list_keys(const State& state) {
  Listing list{"keys", {"use", "digest", "since", "until"}, {}};
  for (const BrokerKey& one : state.keys) {
    list.rows.push_back({to_string(one.use), brief(hex(one.digest())),
                         time_or(one.not_before, "init"), time_or(one.not_after, "in use")});
    list.json.push_back({{"use", to_string(one.use)},
                         {"digest", cli::json_digest(one.digest())},
                         {"not_before", one.not_before},
                         {"not_after", one.not_after}});
  }
  return list;
}

Listing list_tpms(const State& state) {
  Listing list{"TPMs", {"attestation key", "endorsement key", "name"}, {}};
  for (const TpmDevice& one : state.tpm_devices) {
    list.rows.push_back(
        {brief(hex(one.attestation_key)), brief(to_hex(one.ek_name)), printable(one.name)});
    list.json.push_back({{"attestation_key", cli::json_digest(one.attestation_key)},
                         {"ek_name", to_hex(one.ek_name)},
                         {"name", one.name}});
  }
  return list;
}

Listing list_policies(const State& state) {
  Listing list{"policies of the broker's own", {"product", "bytes"}, {}};
  for (const ProductPolicy& one : state.policies) {
    list.rows.push_back({printable(one.product), std::to_string(one.text.size())});
    list.json.push_back({{"product", one.product},
                         {"authority", cli::json_digest(one.authority)},
                         {"text", one.text}});
  }
  return list;
}

Status list(const std::string& path, cli::Terminal& terminal) {
  const BrokerFolder folder = TRY(BrokerFolder::open(path));
  const auto state = TRY(folder.state());
  const LogHead head = TRY(folder.store->log_head());
  const std::pair<const char*, Listing> lists[] = {
      {"releases", TRY(list_releases(state))},
      {"floors", list_floors(*state)},
      {"revocations", list_revocations(*state)},
      {"licences", list_licences(*state)},
      {"leases", list_leases(TRY(folder.store->leases(unix_time())))},
      {"policies", list_policies(*state)},
      {"tpms", list_tpms(*state)},
      {"keys", list_keys(*state)}};
  if (terminal.json()) {
    Json out = {{"epoch", state->epoch},
                {"reconciled", state->reconciled},
                {"log", {{"origin", log_origin(*state)}, {"size", head.size}}}};
    for (const auto& [name, listing] : lists) out[name] = listing.json;
    cli::print_json(terminal, out);
    return done();
  }
  std::ostream& out = terminal.out();
  out << "log    " << log_origin(*state) << ", " << head.size << " entries\nepoch  " << state->epoch
      << (state->reconciled ? "" : ", NOT RECONCILED: nothing is released") << '\n';
  for (const auto& [name, listing] : lists) listing.print(out);
  return done();
}

}  // namespace

void add_broker_list(CLI::App& group, cli::Job& job) {
  auto folder = std::make_shared<std::string>();
  CLI::App* verb = group.add_subcommand("list", "What the broker knows and gives out");
  add_folder_option(*verb, *folder);
  verb->footer(broker_help("sealpack broker list --dir D --json",
                           "DIR/broker.toml, DIR/store.db or the database that broker.toml names",
                           {}));
  verb->callback([folder, &job] {
    job = [folder](cli::Terminal& terminal) { return list(*folder, terminal); };
  });
}

}  // namespace sealpack::broker
