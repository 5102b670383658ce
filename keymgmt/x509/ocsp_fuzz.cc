// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "keymgmt/x509/chain.h"

// A response is asked about one certificate by one issuer, both fixed: those that this issuer and a
// responder of its own signed are among the seeds (by-issuer-…, by-responder-…).
namespace {

namespace x509 = sealpack::x509;

constexpr std::uint64_t kNow = 1800000000;

// "Maker", P-256, and the certificate 1234 ("Device") that it issued; their keys are gone.
constexpr std::string_view kIssuer =
    "308201873082012da003020102021435c8989948d46ee09ecd870e15d9dd51a5f8e76a300a06082a8648ce3d040302"
    "3010310e300c06035504030c054d616b65723020170d3236313132303231343334365a180f32313236313032373231"
    "343334365a3010310e300c06035504030c054d616b65723059301306072a8648ce3d020106082a8648ce3d03010703"
    "42000471e0c16c42c0a9276f35fd16416309c32d4c6d639c9aeb8486b44550c3c02dc5c50b41d7bd79dd92555892ca"
    "535ceadf491138a6d5d1b89fefdd901da3724691a3633061301d0603551d0e04160414222be6b0ac99f709a3c9dfb9"
    "bdfd0d563f2b139c301f0603551d23041830168014222be6b0ac99f709a3c9dfb9bdfd0d563f2b139c300f0603551d"
    "130101ff040530030101ff300e0603551d0f0101ff040403020186300a06082a8648ce3d0403020348003045022100"
    "9a5b51b2c4b827340a7371d000e128927fa3c91a13e66ef6cdc4fa517908245d02201937b11bf6529aed34f58a4743"
    "53af7007bfa81902c94227541ddb8e77865138";
constexpr std::string_view kDevice =
    "3082010b3081b202021234300a06082a8648ce3d0403023010310e300c06035504030c054d616b65723020170d3236"
    "313132303231343334365a180f32313236313032373231343334365a3011310f300d06035504030c06446576696365"
    "3059301306072a8648ce3d020106082a8648ce3d03010703420004d369ba464881f264298b8bc0430890607e5dcc7a"
    "19153d1cad9271ba6d41c22b693e00f58a7e47176cfd22514c6059bd631387a9e5e0f4dde5810953f83b06ca300a06"
    "082a8648ce3d040302034800304502203328cb69d219f6cf273e215693971d81f54065f025470dea99c9470c3367a9"
    "ef022100d3f243091d61a70e8aa606aff07c06aab0ed6200e0688cd56f13866e04835850";

x509::Certificate certificate(std::string_view hex) {
  return x509::Certificate::parse_der(sealpack::from_hex(hex).value()).value();
}

bool says_revoked(const x509::OcspAnswer& answer) {
  return answer.status == x509::OcspStatus::kRevoked || answer.status == x509::OcspStatus::kOnHold;
}
bool says_good(const x509::OcspAnswer& answer) {
  return answer.status == x509::OcspStatus::kGood && answer.is_current(kNow);
}

bool is_accepted(const x509::Certificate& device, const x509::Certificate& issuer,
                 const x509::OcspResponse& response) {
  const std::vector<sealpack::Digest> roots{issuer.key_digest()};
  const std::vector<x509::OcspResponse> responses{response};
  x509::ChainRules rules;
  rules.now = kNow;
  rules.roots = roots;
  rules.ocsp_responses = responses;
  std::vector<sealpack::Reason> reasons;
  return x509::verify_chain(device, std::vector{issuer}, rules, reasons).has_value();
}

}  // namespace

// The chain is accepted if somebody appointed says good, and nobody appointed says otherwise.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const x509::Certificate kBy = certificate(kIssuer);
  static const x509::Certificate kSubject = certificate(kDevice);
  const auto response = x509::OcspResponse::parse_der({data, size});
  if (!response.ok()) return 0;
  if (response->serials().empty() || response->serials().size() > x509::kMaxOcspAnswers) {
    __builtin_trap();
  }
  if (response->boundaries().empty()) __builtin_trap();
  const std::vector<x509::OcspAnswer> answers = response->answers_about(kSubject, kBy);
  if (answers.size() > response->serials().size()) __builtin_trap();
  const auto responder = response->verify_responder(kBy, {});
  if (responder.ok() && responder->periods.empty()) __builtin_trap();
  const bool appointed = responder.ok() && responder->is_valid(kNow);
  const bool good = appointed && std::any_of(answers.begin(), answers.end(), says_good) &&
                    std::none_of(answers.begin(), answers.end(), says_revoked);
  if (is_accepted(kSubject, kBy, *response) != good) __builtin_trap();
  return 0;
}
