// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "attest/verify/binding.h"
#include "attest/verify/cose/enrolled_keys.h"
#include "attest/verify/cose/token_verifier.h"

namespace sealpack::attest {
namespace {

using Need = ClaimSet::Need;

// Where a profile keeps its claims, and what else differs.
struct Profile {
  bool legacy;
  std::int64_t profile;
  std::int64_t nonce;
  std::int64_t client_id;
  std::int64_t lifecycle;
  std::int64_t implementation_id;
  std::int64_t boot_seed;
  std::int64_t certification_reference;
  std::int64_t software_components;
  std::int64_t instance_id;
  std::int64_t verification_service;
};
// RFC 9783 and "http://arm.com/psa/2.0.0", its drafts from -08 on.
constexpr Profile kCurrent{false, 265, 10, 2394, 2395, 2396, 2397, 2398, 2399, 256, 2400};
// PSA_IOT_PROFILE_1 (PSA Attestation API 1.0), drafts up to -07.
constexpr Profile kLegacy{true,   -75000, -75008, -75001, -75002, -75003,
                          -75004, -75005, -75006, -75009, -75010};
constexpr std::int64_t kNoSoftwareMeasurements = -75007;

constexpr std::string_view kCurrentNames[] = {"http://arm.com/psa/2.0.0",
                                              "tag:psacertified.org,2023:psa#tfm"};
constexpr std::string_view kLegacyName = "PSA_IOT_PROFILE_1";

// EAN-13, with or without the five digits of an add-on.
bool is_certification_reference(std::string_view text, bool legacy) {
  const auto digits = [](std::string_view part) {
    return std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (text.size() == 13) return legacy && digits(text);
  return text.size() == 19 && digits(text.substr(0, 13)) && text[13] == '-' &&
         digits(text.substr(14));
}

class PsaVerifier final : public TokenVerifier {
 public:
  explicit PsaVerifier(const VerifyInput& input) : TokenVerifier(input, "psa") {}

 private:
  void judge(Bytes bytes) override {
    const auto token = parse_cose_sign1(bytes, "psa token", CoseTag::kRequired, reasons_);
    if (!token) return;
    auto set = claims_in(*token, "psa", "psa.malformed");
    const auto key = signed_by_enrolled_key(*token, set ? stated_id(*set) : Bytes(),
                                            input_.endorsements.public_keys, input_.roots.psa,
                                            "psa", input_.cache, reasons_);
    if (key) claims_.add_bytes("attestation_key", key->bytes);
    if (!set) return;
    const Profile* profile = profile_of(*set);
    if (profile != nullptr) read(*set, *profile);
  }

  static Bytes stated_id(const ClaimSet& set) {
    return set.unjudged_bytes(set.has(kCurrent.instance_id) ? kCurrent.instance_id
                                                            : kLegacy.instance_id);
  }

  const Profile* profile_of(ClaimSet& set) {
    const bool current = set.has(kCurrent.profile);
    // The old profile may leave its name out; its keys tell it apart.
    const bool legacy = set.has(kLegacy.profile) || set.has(kLegacy.nonce);
    if (current == legacy) {
      set.refuse("profile", current ? "claims of two profiles" : "the token names no profile");
      return nullptr;
    }
    const Profile& profile = current ? kCurrent : kLegacy;
    const auto name =
        set.text(profile.profile, "profile", current ? Need::kMandatory : Need::kOptional);
    if (!name && set.has(profile.profile)) return nullptr;
    const bool known =
        !name || (current ? std::find(std::begin(kCurrentNames), std::end(kCurrentNames), *name) !=
                                std::end(kCurrentNames)
                          : *name == kLegacyName);
    if (!known) {
      set.refuse("profile", "the profile " + printable(*name) + " is not known");
      return nullptr;
    }
    claims_.add_text("profile", name.value_or(kLegacyName));
    return &profile;
  }

  void read(ClaimSet& set, const Profile& profile) {
    if (const auto nonce = set.hash(profile.nonce, "nonce")) {
      claims_.report_data = to_vector(*nonce);
      check_binding(input_.report_data, *nonce, "psa.nonce", "nonce", reasons_);
    }
    if (const auto id =
            set.bytes(profile.implementation_id, "implementation-id", Need::kMandatory, 32, 32)) {
      claims_.add_bytes("implementation_id", *id);
    }
    if (const auto id = set.instance_id(profile.instance_id, "instance-id")) {
      claims_.add_bytes("instance_id", *id);
    }
    if (const auto state = set.lifecycle(profile.lifecycle, "lifecycle")) {
      claims_.add_text("security_lifecycle", *state);
    }
    set.bytes(profile.boot_seed, "boot-seed", profile.legacy ? Need::kMandatory : Need::kOptional,
              profile.legacy ? 32 : 8, 32);
    set.text(profile.verification_service, "verification-service", Need::kOptional);
    read_client(set, profile);
    read_certification(set, profile);
    read_software(set, profile);
  }

  void read_client(ClaimSet& set, const Profile& profile) {
    const auto client = set.number(profile.client_id, "client-id", Need::kMandatory);
    if (!client) return;
    if (*client < std::numeric_limits<std::int32_t>::min() ||
        *client > std::numeric_limits<std::int32_t>::max()) {
      set.refuse("client-id", std::to_string(*client) + " does not fit 32 bits");
      return;
    }
    // Negative for callers outside the secure processing environment.
    claims_.add_text("client_id", std::to_string(*client));
  }

  void read_certification(ClaimSet& set, const Profile& profile) {
    const auto reference =
        set.text(profile.certification_reference, "certification-reference", Need::kOptional);
    if (!reference) return;
    if (!is_certification_reference(*reference, profile.legacy)) {
      set.refuse("certification-reference",
                 printable(*reference) + " is no EAN-13 with five digits more");
      return;
    }
    claims_.add_text("certification_reference", *reference);
  }

  void read_software(ClaimSet& set, const Profile& profile) {
    if (profile.legacy && set.has(kNoSoftwareMeasurements)) {
      if (set.has(profile.software_components)) {
        set.refuse("software-components", "there are components and the claim that there are none");
      }
      const auto none =
          set.number(kNoSoftwareMeasurements, "software-components", Need::kMandatory);
      if (none && *none != 1)
        set.refuse("software-components", "the claim that there are none is not 1");
      return;
    }
    add_components(set.software_components(profile.software_components, "software-components"),
                   "measurement", "signer_id", claims_);
  }
};

}  // namespace

Verdict verify_psa(const VerifyInput& input) {
  return PsaVerifier(input).run("token");
}

}  // namespace sealpack::attest
