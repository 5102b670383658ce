// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/store/record_bytes.h"

#include <algorithm>

#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"
#include "keymgmt/crypto/sha256.h"
#include "runtime-loader/core/launch.h"
#include "runtime-loader/core/names.h"

namespace sealpack::broker::internal {
namespace {

constexpr std::uint64_t kMaxClaimSize = 1U << 20U;

}  // namespace

ByteVector serialize_digests(std::span<const Digest> digests) {
  ByteVector out;
  for (const Digest& digest : digests) {
    out.insert(out.end(), digest.bytes.begin(), digest.bytes.end());
  }
  return out;
}

Result<std::vector<Digest>> parse_digests(Bytes bytes) {
  if (bytes.size() % Digest::kSize != 0) {
    return Error(ErrorCode::kMalformed, "the store has digests that are cut short");
  }
  std::vector<Digest> out(bytes.size() / Digest::kSize);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Bytes one = bytes.subspan(i * Digest::kSize, Digest::kSize);
    std::copy(one.begin(), one.end(), out[i].bytes.begin());
  }
  return out;
}

ByteVector serialize_list(std::span<const ByteVector> list) {
  bundle::MessageWriter out;
  for (const ByteVector& element : list) out.element(1, element);
  return out.take();
}

Result<std::vector<ByteVector>> parse_list(Bytes bytes) {
  bundle::MessageReader in(bytes, "list in the store");
  std::vector<ByteVector> out;
  while (TRY(in.at(1))) out.push_back(to_vector(TRY(in.element(1, "element"))));
  TRY(in.finish());
  return out;
}

Result<bool> has_claim(Bytes claims, Bytes value) {
  bundle::MessageReader in(claims, "claims in the store");
  TRY(in.text(1, "TEE type", kMaxClaimSize));
  bool found = false;
  while (TRY(in.at(2))) {
    bundle::MessageReader claim(TRY(in.element(2, "claim")), "claim in the store");
    TRY(claim.text(1, "name", kMaxClaimSize));
    const Bytes known = TRY(claim.bytes(2, "value", kMaxClaimSize));
    TRY(claim.finish());
    found = found || std::equal(known.begin(), known.end(), value.begin(), value.end());
  }
  TRY(in.finish());
  return found;
}

Result<ByteVector> serialize_vendor(const Vendor& vendor) {
  TRY(loader::check_label(vendor.name, "vendor"));
  loader::LaunchConfig config;
  config.owners.push_back({vendor.name, vendor.trust, std::nullopt, false});
  ByteVector bytes = loader::serialize_launch(config);
  TRY(loader::parse_launch(bytes).within("vendor " + vendor.name));
  return bytes;
}

Result<Vendor> parse_vendor(const std::string& name, Bytes bytes) {
  loader::LaunchConfig config =
      TRY(loader::parse_launch(bytes).within("vendor " + printable(name)));
  if (config.owners.size() != 1 || config.owners.front().name != name) {
    return Error(ErrorCode::kMalformed,
                 "the store has the trust of another vendor than " + printable(name));
  }
  return Vendor{name, std::move(config.owners.front().trust)};
}

}  // namespace sealpack::broker::internal

namespace sealpack::broker {

const char* to_string(RevokedKind kind) {
  switch (kind) {
    case RevokedKind::kDevice:
      return "device";
    case RevokedKind::kContent:
      return "content";
    case RevokedKind::kRelease:
      return "release";
    case RevokedKind::kMeasurement:
      return "measurement";
    case RevokedKind::kSigner:
      return "signer";
  }
  die("unknown kind of revocation");
}

const char* to_string(KeyUse use) {
  switch (use) {
    case KeyUse::kRecipient:
      return "recipient";
    case KeyUse::kGrants:
      return "grants";
    case KeyUse::kLog:
      return "log";
  }
  die("unknown use of a key");
}

Result<Digest> trust_digest(const Vendor& vendor) {
  return crypto::sha256(TRY(internal::serialize_vendor(vendor)));
}

Digest BrokerKey::digest() const {
  return crypto::sha256(spki);
}

}  // namespace sealpack::broker
