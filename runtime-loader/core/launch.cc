// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/launch.h"

#include "formats/bundle/labels.h"
#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"
#include "keymgmt/crypto/sha256.h"
#include "runtime-loader/core/labels.h"
#include "runtime-loader/core/names.h"

namespace sealpack::loader {
namespace {

using bundle::MessageReader;
using bundle::MessageWriter;

constexpr std::uint32_t kLaunchFormat = 1;
constexpr std::size_t kMaxDigests = 4096;  // of one list
constexpr std::size_t kMaxRules = 64;
constexpr std::size_t kMaxKeys = 64;  // of one rule
constexpr std::size_t kMaxSpkiSize = 1024;
constexpr std::size_t kMaxOutputs = 1024;
constexpr std::uint32_t kMaxDecimals = 9;

ByteVector serialize_rule(const unpacker::SignerRule& rule) {
  MessageWriter out;
  out.text(1, rule.role);
  for (const crypto::VerifyingKey& key : rule.keys) out.element(2, key.spki());
  return out.u64(3, rule.threshold).take();
}

ByteVector serialize_revocations(const unpacker::Revocations& revocations) {
  MessageWriter out;
  out.u64(1, revocations.serial);
  for (const Digest& digest : revocations.keys) out.digest(2, digest);
  for (const Digest& digest : revocations.contents) out.digest(3, digest);
  for (const Digest& digest : revocations.releases) out.digest(4, digest);
  return out.take();
}

ByteVector serialize_owner(const Owner& owner) {
  MessageWriter out;
  out.text(1, owner.name);
  for (const Digest& authority : owner.trust.authorities) out.digest(2, authority);
  for (const unpacker::SignerRule& rule : owner.trust.signers) out.element(3, serialize_rule(rule));
  // An empty product is written, so that it is refused when read and never means "any product".
  if (owner.trust.product) out.element(4, as_bytes(*owner.trust.product));
  out.u64(5, owner.trust.counter_floor);
  if (owner.trust.floor_release) out.digest(6, *owner.trust.floor_release);
  if (owner.trust.content) out.digest(7, *owner.trust.content);
  out.bytes(8, serialize_revocations(owner.trust.revocations));
  if (owner.broker) out.bytes(9, owner.broker->spki());
  return out.u64(10, owner.counter_required ? 1 : 0).take();
}

ByteVector serialize_narrowing(const Narrowing& narrowing) {
  MessageWriter out;
  out.u64(1, narrowing.form ? static_cast<std::uint64_t>(*narrowing.form) : 0);
  out.u64(2, narrowing.decimals).u64(3, narrowing.query_budget);
  for (const std::string& output : narrowing.outputs) out.element(4, as_bytes(output));
  return out.take();
}

Result<std::vector<Digest>> parse_digests(MessageReader& in, std::uint32_t field,
                                          std::string_view name) {
  std::vector<Digest> digests;
  while (TRY(in.at(field))) {
    if (digests.size() == kMaxDigests) return in.malformed("too many of " + std::string(name));
    digests.push_back(TRY(in.digest(field, name)));
  }
  return digests;
}

Result<std::optional<Digest>> parse_optional_digest(MessageReader& in, std::uint32_t field,
                                                    std::string_view name) {
  if (!TRY(in.at(field))) return std::optional<Digest>();
  return std::optional<Digest>(TRY(in.digest(field, name)));
}

Result<unpacker::SignerRule> parse_rule(Bytes message) {
  MessageReader in(message, "signer rule");
  unpacker::SignerRule rule;
  rule.role = TRY(in.text(1, "role", kMaxLabelSize));
  while (TRY(in.at(2))) {
    if (rule.keys.size() == kMaxKeys) return in.malformed("too many keys");
    const Bytes spki = TRY(in.element(2, "key"));
    rule.keys.push_back(TRY(crypto::VerifyingKey::from_spki(spki)));
  }
  rule.threshold = TRY(in.u32(3, "threshold"));
  TRY(in.finish());
  TRY(check_label(rule.role, "role of a signer rule"));
  return rule;
}

Result<unpacker::Revocations> parse_revocations(Bytes message) {
  unpacker::Revocations revocations;
  if (message.empty()) return revocations;
  MessageReader in(message, "revocations");
  revocations.serial = TRY(in.u64(1, "serial"));
  revocations.keys = TRY(parse_digests(in, 2, "revoked keys"));
  revocations.contents = TRY(parse_digests(in, 3, "revoked contents"));
  revocations.releases = TRY(parse_digests(in, 4, "revoked releases"));
  TRY(in.finish());
  return revocations;
}

Result<unpacker::Trust> parse_trust(MessageReader& in) {
  unpacker::Trust trust;
  trust.authorities = TRY(parse_digests(in, 2, "authorities"));
  while (TRY(in.at(3))) {
    if (trust.signers.size() == kMaxRules) return in.malformed("too many signer rules");
    trust.signers.push_back(TRY(parse_rule(TRY(in.element(3, "signer rule")))));
  }
  if (TRY(in.at(4))) trust.product = TRY(in.text(4, "product", bundle::kMaxTextSize));
  trust.counter_floor = TRY(in.u64(5, "counter floor"));
  trust.floor_release = TRY(parse_optional_digest(in, 6, "floor release"));
  trust.content = TRY(parse_optional_digest(in, 7, "content pin"));
  trust.revocations = TRY(parse_revocations(TRY(in.bytes(8, "revocations", kMaxLaunchSize))));
  return trust;
}

Result<Owner> parse_owner(Bytes message) {
  MessageReader in(message, "owner");
  Owner owner;
  owner.name = TRY(in.text(1, "owner name", kMaxLabelSize));
  owner.trust = TRY(parse_trust(in));
  if (TRY(in.at(9))) {
    const Bytes spki = TRY(in.bytes(9, "broker key", kMaxSpkiSize));
    owner.broker = TRY(crypto::VerifyingKey::from_spki(spki));
  }
  const std::uint32_t required = TRY(in.u32(10, "counter required"));
  TRY(in.finish());
  if (required > 1) return in.malformed("counter required is neither yes nor no");
  owner.counter_required = required == 1;
  TRY(check_label(owner.name, "owner name"));
  return owner;
}

Result<Narrowing> parse_narrowing(Bytes message) {
  Narrowing narrowing;
  if (message.empty()) return narrowing;
  MessageReader in(message, "answer narrowing");
  const std::uint32_t form = TRY(in.u32(1, "answer form"));
  narrowing.decimals = TRY(in.u32(2, "decimals"));
  narrowing.query_budget = TRY(in.u64(3, "query budget"));
  while (TRY(in.at(4))) {
    if (narrowing.outputs.size() == kMaxOutputs) return in.malformed("too many outputs");
    const std::string output(as_text(TRY(in.element(4, "output"))));
    if (output.empty() || output.size() > kMaxNameSize) return in.malformed("output name size");
    if (!narrowing.outputs.empty() && !(narrowing.outputs.back() < output)) {
      return in.malformed("outputs are not ascending");
    }
    narrowing.outputs.push_back(output);
  }
  TRY(in.finish());
  if (form > 3) return in.malformed("unknown answer form");
  if (form != 0) narrowing.form = static_cast<bundle::AnswerForm>(form);
  if (narrowing.decimals > kMaxDecimals) return in.malformed("more than 9 decimals");
  if (narrowing.decimals != 0 && narrowing.form != bundle::AnswerForm::kRounded) {
    return in.malformed("decimals without rounding");
  }
  return narrowing;
}

}  // namespace

ByteVector serialize_launch(const LaunchConfig& config) {
  MessageWriter out;
  out.u64(1, kLaunchFormat);
  for (const Owner& owner : config.owners) out.element(2, serialize_owner(owner));
  out.bytes(3, serialize_narrowing(config.answer)).u64(4, config.memory_limit);
  if (config.answer_key) out.bytes(5, config.answer_key->spki());
  return out.take();
}

Result<LaunchConfig> parse_launch(Bytes bytes) {
  if (bytes.size() > kMaxLaunchSize) {
    return Error(ErrorCode::kLimit, "launch configuration of " + std::to_string(bytes.size()) +
                                        " bytes, at most " + std::to_string(kMaxLaunchSize) +
                                        " are allowed");
  }
  MessageReader in(bytes, "launch configuration");
  const std::uint32_t format = TRY(in.u32(1, "format"));
  if (format == 0) return in.malformed("no format");
  if (format != kLaunchFormat) {
    return Error(ErrorCode::kUnsupported,
                 "launch configuration of format " + std::to_string(format) +
                     ", this loader reads format " + std::to_string(kLaunchFormat));
  }
  LaunchConfig config;
  while (TRY(in.at(2))) {
    if (config.owners.size() == kMaxOwners) return in.malformed("too many owners");
    Owner owner = TRY(parse_owner(TRY(in.element(2, "owner"))));
    if (!config.owners.empty() && !(config.owners.back().name < owner.name)) {
      return in.malformed("owners are not ascending by name");
    }
    config.owners.push_back(std::move(owner));
  }
  config.answer = TRY(parse_narrowing(TRY(in.bytes(3, "answer narrowing", kMaxLaunchSize))));
  config.memory_limit = TRY(in.u64(4, "memory limit"));
  if (TRY(in.at(5))) {
    const Bytes spki = TRY(in.bytes(5, "answer key", kMaxSpkiSize));
    config.answer_key = TRY(crypto::EncryptionKey::from_spki(spki));
  }
  TRY(in.finish());
  if (config.owners.empty()) return in.malformed("no owner, so no bundle can be trusted");
  return config;
}

Digest launch_digest(Bytes serialized) {
  return crypto::sha256(bundle::LengthPrefixed().add(kLaunchLabel).add(serialized).bytes());
}

Digest simulated_measurement(const Digest& program, const Digest& launch, const Digest& policy) {
  return crypto::sha256(bundle::LengthPrefixed()
                            .add(kSimulatedMeasurementLabel)
                            .add(Bytes(program.bytes))
                            .add(Bytes(launch.bytes))
                            .add(Bytes(policy.bytes))
                            .bytes());
}

}  // namespace sealpack::loader
