// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/cose/claim_set.h"

#include <set>

namespace sealpack::attest {
namespace {

constexpr std::size_t kInstanceIdSize = 33;
constexpr std::uint8_t kRandomUeid = 0x01;
constexpr std::uint64_t kMaxComponents = 64;

// Keys of a software component.
constexpr std::int64_t kMeasurementType = 1;
constexpr std::int64_t kMeasurementValue = 2;
constexpr std::int64_t kVersion = 4;
constexpr std::int64_t kSignerId = 5;
constexpr std::int64_t kMeasurementDescription = 6;

Result<Bytes> read_hash(const CborMap& map, std::int64_t key, std::string_view name) {
  const auto value = map.find(key);
  if (!value) {
    return Error(ErrorCode::kMalformed, "a component without " + std::string(name));
  }
  const Bytes bytes = TRY(CborReader(*value, "component").bytes(name));
  if (!is_hash_size(bytes.size())) {
    return Error(ErrorCode::kMalformed, "a component's " + std::string(name) + " of " +
                                            std::to_string(bytes.size()) +
                                            " bytes, expected 32, 48 or 64");
  }
  return bytes;
}

Status check_text(const CborMap& map, std::int64_t key, std::string_view name) {
  const auto value = map.find(key);
  if (value) TRY(CborReader(*value, "component").text(name));
  return done();
}

Result<SoftwareComponent> read_component(CborReader& in) {
  const CborMap map = TRY(CborMap::read(in, "component"));
  TRY(check_text(map, kMeasurementType, "measurement type"));
  TRY(check_text(map, kVersion, "version"));
  TRY(check_text(map, kMeasurementDescription, "measurement description"));
  SoftwareComponent component;
  component.measurement = TRY(read_hash(map, kMeasurementValue, "measurement value"));
  component.signer_id = TRY(read_hash(map, kSignerId, "signer id"));
  return component;
}

}  // namespace

std::optional<std::string_view> lifecycle_name(std::uint64_t value) {
  struct State {
    std::uint64_t high;
    std::string_view name;
  };
  static constexpr State kStates[] = {
      {0x00, "unknown"},        {0x10, "assembly-and-test"}, {0x20, "provisioning"},
      {0x30, "secured"},        {0x40, "non-rot-debug"},     {0x50, "recoverable-rot-debug"},
      {0x60, "decommissioned"},
  };
  for (const State& state : kStates) {
    if (value >> 8U == state.high) return state.name;
  }
  return std::nullopt;
}

void add_components(const std::vector<SoftwareComponent>& components, std::string_view measurement,
                    std::string_view signer_id, Claims& claims) {
  std::set<ByteVector> measurements;
  std::set<ByteVector> signers;
  for (const SoftwareComponent& component : components) {
    measurements.insert(to_vector(component.measurement));
    signers.insert(to_vector(component.signer_id));
  }
  for (const ByteVector& value : measurements) claims.add_bytes(measurement, value);
  for (const ByteVector& value : signers) claims.add_bytes(signer_id, value);
}

bool is_hash_size(std::size_t size) {
  return size == 32 || size == 48 || size == 64;
}

void ClaimSet::refuse(std::string_view name, const std::string& why) {
  reasons_.push_back({family_ + "." + std::string(name), why});
}

std::optional<CborReader> ClaimSet::item(std::int64_t key, std::string_view name, Need need) {
  const auto value = map_.find(key);
  if (value) return CborReader(*value, name);
  if (need == Need::kMandatory) {
    refuse(name, "the claim " + std::to_string(key) + " is missing");
  }
  return std::nullopt;
}

Bytes ClaimSet::unjudged_bytes(std::int64_t key) const {
  const auto value = map_.find(key);
  if (!value) return {};
  const auto bytes = CborReader(*value, "claim").bytes("");
  return bytes.ok() ? *bytes : Bytes();
}

std::optional<Bytes> ClaimSet::bytes(std::int64_t key, std::string_view name, Need need,
                                     std::size_t least, std::size_t most) {
  auto in = item(key, name, need);
  if (!in) return std::nullopt;
  const auto value = in->bytes("");
  if (!value.ok()) {
    refuse(name, value.error().message());
    return std::nullopt;
  }
  if (value->size() < least || value->size() > most) {
    refuse(name, std::to_string(value->size()) + " bytes, expected " + std::to_string(least) +
                     (most == least      ? ""
                      : most == SIZE_MAX ? " at least"
                                         : " to " + std::to_string(most)));
    return std::nullopt;
  }
  return value.value();
}

std::optional<Bytes> ClaimSet::hash(std::int64_t key, std::string_view name) {
  const auto value = bytes(key, name, Need::kMandatory);
  if (!value || is_hash_size(value->size())) return value;
  refuse(name, std::to_string(value->size()) + " bytes, expected 32, 48 or 64");
  return std::nullopt;
}

std::optional<std::string_view> ClaimSet::text(std::int64_t key, std::string_view name, Need need) {
  auto in = item(key, name, need);
  if (!in) return std::nullopt;
  const auto value = in->text("");
  if (!value.ok() || value->empty()) {
    refuse(name, value.ok() ? "the text is empty" : value.error().message());
    return std::nullopt;
  }
  return value.value();
}

std::optional<std::int64_t> ClaimSet::number(std::int64_t key, std::string_view name, Need need) {
  auto in = item(key, name, need);
  if (!in) return std::nullopt;
  const auto value = in->number("");
  if (value.ok()) return value.value();
  refuse(name, value.error().message());
  return std::nullopt;
}

std::optional<Bytes> ClaimSet::instance_id(std::int64_t key, std::string_view name) {
  const auto value = bytes(key, name, Need::kMandatory, kInstanceIdSize, kInstanceIdSize);
  if (!value || value->front() == kRandomUeid) return value;
  refuse(name, "its first byte is " + to_hex(value->first(1)) + ", expected 01 (RAND)");
  return std::nullopt;
}

std::optional<std::string_view> ClaimSet::lifecycle(std::int64_t key, std::string_view name) {
  const auto value = number(key, name, Need::kMandatory);
  if (!value) return std::nullopt;
  const auto state = *value < 0 ? std::nullopt : lifecycle_name(static_cast<std::uint64_t>(*value));
  if (!state) refuse(name, std::to_string(*value) + " is no lifecycle state");
  return state;
}

Result<std::vector<SoftwareComponent>> ClaimSet::read_components(CborReader& in) const {
  const std::uint64_t count = TRY(in.array(""));
  if (count == 0 || count > kMaxComponents) {
    return in.malformed("", std::to_string(count) + " components, expected 1 to 64");
  }
  std::vector<SoftwareComponent> components;
  for (std::uint64_t i = 0; i < count; ++i) components.push_back(TRY(read_component(in)));
  return components;
}

std::vector<SoftwareComponent> ClaimSet::software_components(std::int64_t key,
                                                             std::string_view name) {
  auto in = item(key, name, Need::kMandatory);
  if (!in) return {};
  auto components = read_components(*in);
  if (components.ok()) return std::move(components).value();
  refuse(name, components.error().message());
  return {};
}

std::vector<Bytes> ClaimSet::hashes(std::int64_t key, std::string_view name, std::size_t count) {
  auto in = item(key, name, Need::kMandatory);
  if (!in) return {};
  const auto read = [&]() -> Result<std::vector<Bytes>> {
    const std::uint64_t found = TRY(in->array(""));
    if (found != count) {
      return in->malformed("",
                           std::to_string(found) + " values, expected " + std::to_string(count));
    }
    std::vector<Bytes> values;
    for (std::size_t i = 0; i < count; ++i) {
      values.push_back(TRY(in->bytes("")));
      if (!is_hash_size(values.back().size())) {
        return in->malformed(
            "", std::to_string(values.back().size()) + " bytes, expected 32, 48 or 64");
      }
    }
    return values;
  };
  auto values = read();
  if (values.ok()) return std::move(values).value();
  refuse(name, values.error().message());
  return {};
}

}  // namespace sealpack::attest
