// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/nvidia/gpu_verifier.h"

#include <algorithm>
#include <set>

#include "attest/evidence/gpu_items.h"
#include "attest/verify/binding.h"
#include "attest/verify/chain_cache.h"
#include "attest/verify/items.h"
#include "attest/verify/nvidia/fwid.h"
#include "attest/verify/nvidia/spdm.h"
#include "keymgmt/crypto/device_signature.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/x509/revocation_list.h"

namespace sealpack::attest {
namespace {

// Fields of the opaque data ("NVIDIA Opaque Data Format").
constexpr std::uint16_t kDriverVersion = 3;
constexpr std::uint16_t kVbiosVersion = 6;
constexpr std::uint16_t kDecoder = 11;  // NVDEC0
constexpr std::uint16_t kChipSku = 15;
constexpr std::uint16_t kProject = 17;
constexpr std::uint16_t kProjectSku = 18;
constexpr std::uint16_t kFirmwareId = 20;
constexpr std::uint16_t kProtectedPcie = 21;
constexpr std::uint16_t kFeature = 36;
constexpr std::uint8_t kEnabled = 0xAA;
constexpr std::uint8_t kDisabled = 0x55;

constexpr std::size_t kUeidSize = 32;

// The name of the chip is in the certificate of its boot ROM, which NVIDIA signed, as in "GB100 A01
// GSP BROM". From Blackwell on a chip has a second one, of its FSP: what that signs says other
// things, and the same chip would count as two.
std::optional<std::string_view> architecture_of(std::string_view boot_rom) {
  if (!boot_rom.ends_with(" GSP BROM")) return std::nullopt;
  if (boot_rom.starts_with("GH")) return "hopper";
  if (boot_rom.starts_with("GB")) return "blackwell";
  return std::nullopt;
}

// The key of the uppermost boot ROM, the one that NVIDIA certified: its certificate has no path
// length, so that whoever has the key of one can certify more. `chain` has one.
Digest device_of(const std::vector<x509::Certificate>& chain) {
  const auto uppermost =
      std::find_if(chain.rbegin(), chain.rend(), [](const x509::Certificate& certificate) {
        return certificate.subject_common_name().ends_with(" BROM");
      });
  return uppermost->key_digest();
}

// Text that ends in any number of NULs; nullopt unless it is printable ASCII.
std::optional<std::string> text_of(Bytes bytes) {
  while (!bytes.empty() && bytes.back() == 0) bytes = bytes.first(bytes.size() - 1);
  const bool printable =
      std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t c) { return c > 0x20 && c < 0x7F; });
  if (bytes.empty() || !printable) return std::nullopt;
  return std::string(as_text(bytes));
}

// "96.00.5E.00.01" as tools show it: a 32-bit number, then the byte above it.
std::optional<std::string> vbios_text(Bytes bytes) {
  if (bytes.size() != 8) return std::nullopt;
  std::string text;
  for (const std::size_t i : {3U, 2U, 1U, 0U, 4U}) {
    text += (text.empty() ? "" : ".") + to_hex(bytes.subspan(i, 1));
  }
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

// PEM texts that were parsed before: each GPU sends the same with every report.
class PemMemory : public ChainCache::Memory {
 public:
  Result<std::vector<x509::Certificate>> parse(Bytes pem) {
    if (pem.size() > kMaxRemembered) return x509::Certificate::parse_pem(pem);
    const Digest digest = crypto::sha256(pem);
    if (auto known = chains_.find(digest)) return std::move(*known);
    auto chain = TRY(x509::Certificate::parse_pem(pem));
    chains_.put(digest, chain);
    return chain;
  }

 private:
  static constexpr std::size_t kCapacity = 1024;
  static constexpr std::size_t kMaxRemembered = 16384;  // anybody can send larger ones
  Recent<std::vector<x509::Certificate>> chains_{kCapacity};
};

Result<std::vector<x509::Certificate>> parse_pem(Bytes pem, ChainCache* cache) {
  return cache != nullptr ? cache->memory<PemMemory>().parse(pem)
                          : x509::Certificate::parse_pem(pem);
}

class GpuVerifier {
 public:
  GpuVerifier(GpuContext& context, std::size_t number)
      : context_(context), input_(context.input), number_(number) {}

  std::optional<ProvenGpu> run(std::vector<Reason>& reasons) && {
    const ByteVector* request = require("request");
    const ByteVector* report = require("report");
    const ByteVector* certificates = require("certificates");
    if (request != nullptr && report != nullptr && certificates != nullptr) {
      judge(*request, *report, *certificates);
    }
    const bool proven = reasons_.empty();
    std::move(reasons_.begin(), reasons_.end(), std::back_inserter(reasons));
    if (!proven) return std::nullopt;
    return std::move(out_);
  }

 private:
  const ByteVector* require(std::string_view part) {
    return require_item(input_.evidence, gpu_kind(number_, part), reasons_);
  }

  void refuse(const char* code, const std::string& text) { reasons_.push_back({code, text}); }
  void refuse_unread(const char* code, const Error& error) {
    const bool newer = error.code() == ErrorCode::kUnsupported;
    refuse(newer ? "nvidia.unsupported" : code, error.message());
  }

  void judge(Bytes request, Bytes report_bytes, Bytes pem) {
    const auto nonce = parse_spdm_request(request);
    const auto report = parse_spdm_report(report_bytes);
    if (!nonce.ok()) refuse_unread("nvidia.request", nonce.error());
    if (!report.ok()) refuse_unread("nvidia.report", report.error());
    if (nonce.ok()) {
      out_.nonce = to_vector(*nonce);
      check_binding(context_.expected_nonce, *nonce, "nvidia.nonce", "nonce", reasons_);
    }
    const auto chain = verify_certificates(pem);
    if (!report.ok()) return;
    if (chain) {
      const x509::Certificate& leaf = chain->front();
      judge_signature(leaf, request, *report);
      judge_firmware(leaf, *report);
      judge_identity(*chain);
    }
    read_versions(*report);
    read_mode(*report);
    read_board(*report);
    read_decoder(*report);
    read_measurements(*report);
    // Of a genuine report alone: it may have every list read.
    if (chain && reasons_.empty() && !is_revocation_known(*chain)) {
      out_.claims.add_flag("revocation_unchecked", true);
    }
  }

  std::optional<std::vector<x509::Certificate>> verify_certificates(Bytes pem) {
    auto pool = parse_pem(pem, input_.cache);
    if (!pool.ok()) {
      refuse("nvidia.certificates", pool.error().message());
      return std::nullopt;
    }
    const x509::Certificate leaf = pool->front();
    responses_ = context_.ocsp.about(*pool);
    // That nothing is known is a claim, not a reason.
    return verify_chain(leaf, *pool, rules(x509::Revocation::kNone), input_.cache, reasons_);
  }

  x509::ChainRules rules(x509::Revocation revocation) const {
    x509::ChainRules rules;
    rules.now = input_.now;
    rules.roots = input_.roots.nvidia;
    rules.revocation = revocation;
    rules.revocation_lists = input_.endorsements.revocation_lists;
    rules.read_lists = &context_.lists;
    rules.ocsp_responses = responses_;
    return rules;
  }

  // Whether answers or lists prove of all certificates below the root that they are not revoked.
  // The first is the exception: the chip certifies it itself and answers for nobody; who revokes
  // the chip revokes its boot ROM, the second.
  bool is_revocation_known(const std::vector<x509::Certificate>& chain) {
    std::vector<ByteVector> unanswered;  // issuers, by name
    for (std::size_t i = 1; i + 1 < chain.size(); ++i) {
      if (!is_answered(chain[i], chain[i + 1])) unanswered.push_back(chain[i + 1].subject_name());
    }
    if (unanswered.empty()) return true;  // verify_chain found them good
    const std::set<ByteVector>& listed = context_.issuers_of_lists();
    const auto has_list = [&](const ByteVector& name) { return listed.contains(name); };
    // Whether such a list counts, verify_chain says.
    return std::all_of(unanswered.begin(), unanswered.end(), has_list) &&
           verify_chain(chain.front(), chain, rules(x509::Revocation::kAuthorities), input_.cache,
                        reasons_)
               .has_value();
  }

  bool is_answered(const x509::Certificate& certificate, const x509::Certificate& issuer) const {
    return std::any_of(responses_.begin(), responses_.end(),
                       [&](const x509::OcspResponse& response) {
                         return !response.answers_about(certificate, issuer).empty();
                       });
  }

  void judge_signature(const x509::Certificate& leaf, Bytes request, const SpdmReport& report) {
    if (leaf.is_authority() || !leaf.may_sign()) {
      refuse("nvidia.leaf", "the first certificate is not for signing reports");
    }
    ByteVector transcript = to_vector(request);
    transcript.insert(transcript.end(), report.signed_part.begin(), report.signed_part.end());
    const auto key = key_of(leaf, input_.cache);
    if (!key.ok() || key->type() != crypto::DeviceKey::Type::kEcdsaP384 ||
        !key->verify_ecdsa(crypto::HashAlgorithm::kSha384, transcript, report.signature).ok()) {
      refuse("nvidia.signature", "the signature is not by the key of the first certificate");
    }
  }

  // The key lives in the firmware that was measured into its certificate; newer drivers repeat the
  // measurement in the report.
  void judge_firmware(const x509::Certificate& leaf, const SpdmReport& report) {
    const auto certified = fwid_of(leaf);
    if (!certified.ok()) return refuse("nvidia.fwid", certified.error().message());
    if (certified.value()) out_.claims.add_bytes("fwid", **certified);
    const auto stated = report.find(kFirmwareId);
    if (!stated) return;
    if (!certified.value() ||
        !std::equal(stated->begin(), stated->end(), (*certified)->begin(), (*certified)->end())) {
      refuse("nvidia.fwid", "the report is by other firmware than the certificate");
    }
  }

  void judge_identity(const std::vector<x509::Certificate>& chain) {
    if (chain.size() < 3) {
      return refuse("nvidia.architecture", "a chain without a boot ROM and NVIDIA's own authority");
    }
    const std::string model = chain[1].subject_common_name();
    const auto architecture = architecture_of(model);
    if (!architecture) {
      return refuse("nvidia.architecture", printable(model) + " is no GPU that is known");
    }
    out_.device = device_of(chain);
    out_.claims.add_text("architecture", *architecture);
    out_.claims.add_text("hardware_model", model);
    const ByteVector serial = chain.front().serial();
    if (serial.size() > kUeidSize)
      return refuse("nvidia.ueid", "a serial number of 33 bytes or more");
    ByteVector ueid(kUeidSize - serial.size());
    ueid.insert(ueid.end(), serial.begin(), serial.end());
    out_.claims.add_bytes("ueid", ueid);
  }

  void read_versions(const SpdmReport& report) {
    const auto driver = report.find(kDriverVersion);
    const auto driver_text = driver ? text_of(*driver) : std::nullopt;
    if (driver_text) {
      out_.claims.add_text("driver_version", *driver_text);
    } else {
      refuse("nvidia.driver-version", "the report does not say it, or not as text");
    }
    const auto vbios = report.find(kVbiosVersion);
    const auto text = vbios ? vbios_text(*vbios) : std::nullopt;
    if (text) {
      out_.claims.add_text("vbios_version", *text);
    } else {
      refuse("nvidia.vbios-version", "the report does not say it, or not in 8 bytes");
    }
  }

  void read_mode(const SpdmReport& report) {
    static constexpr std::string_view kModes[] = {"single-gpu", "multi-gpu", "protected-pcie"};
    const auto feature = report.find(kFeature);
    if (!feature) {
      const auto protection = report.find(kProtectedPcie);
      const bool on = protection && protection->size() == 1 && protection->front() == kEnabled;
      return out_.claims.add_text("mode", on ? kModes[2] : "unstated");
    }
    const bool short_number = !feature->empty() && feature->front() < std::size(kModes) &&
                              std::all_of(feature->begin() + 1, feature->end(),
                                          [](std::uint8_t byte) { return byte == 0; });
    if (!short_number) {
      return refuse("nvidia.mode", "the mode " + to_hex(*feature) + " is not known");
    }
    out_.claims.add_text("mode", kModes[feature->front()]);
  }

  // As in the name of the VBIOS manifest for it: NV_GPU_VBIOS_BOARD_VERSION.
  void read_board(const SpdmReport& report) {
    std::string board;
    for (const std::uint16_t id : {kProject, kProjectSku, kChipSku}) {
      const auto field = report.find(id);
      const auto text = field ? text_of(*field) : std::nullopt;
      if (!text) return;
      board += (board.empty() ? "" : "_") + *text;
    }
    out_.claims.add_text("board", board);
  }

  // Without the video decoder, manifests do not know measurement 35.
  void read_decoder(const SpdmReport& report) {
    const auto status = report.find(kDecoder);
    if (!status || status->size() != 1) return;
    if (status->front() == kEnabled) out_.claims.add_text("nvdec", "enabled");
    if (status->front() == kDisabled) out_.claims.add_text("nvdec", "disabled");
  }

  void read_measurements(const SpdmReport& report) {
    out_.claims.add_bytes("measurements", crypto::sha256(report.record).bytes);
    for (const SpdmMeasurement& measurement : report.measurements) {
      const std::size_t size = measurement.value.size();
      // Others are no digests; they count in `measurements`.
      if (measurement.index > 64 || (size != 32 && size != 48 && size != 64)) continue;
      // NVIDIA's manifests count from 0.
      std::string number = std::to_string(measurement.index - 1);
      if (number.size() == 1) number.insert(0, 1, '0');
      out_.claims.add_bytes("measurement" + number, measurement.value);
    }
  }

  GpuContext& context_;
  const VerifyInput& input_;
  std::size_t number_;
  std::vector<x509::OcspResponse> responses_;  // about the chain
  std::vector<Reason> reasons_;
  ProvenGpu out_;
};

}  // namespace

const std::set<ByteVector>& GpuContext::issuers_of_lists() {
  if (issuers_) return *issuers_;
  issuers_.emplace();
  for (const ByteVector& der : input.endorsements.revocation_lists) {
    if (auto issuer = x509::RevocationList::issuer_of(der)) issuers_->insert(std::move(*issuer));
  }
  return *issuers_;
}

std::optional<ProvenGpu> verify_gpu(GpuContext& context, std::size_t number,
                                    std::vector<Reason>& reasons) {
  return GpuVerifier(context, number).run(reasons);
}

}  // namespace sealpack::attest
