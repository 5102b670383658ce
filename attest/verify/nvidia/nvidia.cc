// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "attest/evidence/gpu_items.h"
#include "attest/verify/items.h"
#include "attest/verify/nvidia/gpu.h"
#include "attest/verify/nvidia/gpu_verifier.h"

namespace sealpack::attest {
namespace {

// Made only where it holds: it needs no counterpart of the other GPUs.
constexpr std::string_view kUnchecked = "revocation_unchecked";

std::set<std::string_view> names_of(const Claims& claims) {
  std::set<std::string_view> names;
  for (const Claim& claim : claims.claims) {
    if (claim.name != kUnchecked) names.insert(claim.name);
  }
  return names;
}

// All GPUs of the evidence, which make one set of claims together.
class Gpus {
 public:
  Gpus(const VerifyInput& input, const std::optional<ByteVector>& nonce)
      : context_(input, nonce), count_(count_gpus(input.evidence)) {}

  // One that is refused ends it: else a chip in eight places would have lists and answers read for
  // each of them.
  Verdict run() && {
    reasons_ = context_.ocsp.unreadable();
    // Of no GPU at all the first is missed.
    const std::size_t last = std::max<std::size_t>(count_, 1);
    for (std::size_t number = 1; number <= last && reasons_.empty(); ++number) verify(number);
    if (!reasons_.empty()) return {{}, std::move(reasons_)};
    context_.ocsp.remember();
    return {united(), {}};
  }

 private:
  void verify(std::size_t number) {
    std::vector<Reason> reasons;
    auto gpu = verify_gpu(context_, number, reasons);
    for (Reason& reason : reasons) {
      if (count_ > 1) reason.text = name_of(number) + ": " + reason.text;
      reasons_.push_back(std::move(reason));
    }
    if (!gpu) return;
    if (!proven_.empty()) check_alike(*gpu, number);
    proven_.push_back(std::move(*gpu));
  }

  static std::string name_of(std::size_t number) { return "GPU " + std::to_string(number); }

  void refuse(const char* code, std::size_t number, const std::string& text) {
    reasons_.push_back({code, name_of(number) + " " + text});
  }

  // One GPU must not stand for two, and a rule for a claim must find it at each of them: what one
  // says would speak for another that says nothing.
  void check_alike(const ProvenGpu& gpu, std::size_t number) {
    const ProvenGpu& first = proven_.front();
    const bool known = std::any_of(proven_.begin(), proven_.end(), [&](const ProvenGpu& other) {
      return other.device == gpu.device;
    });
    if (known) refuse("nvidia.same-gpu", number, "is one of those before it once more");
    if (gpu.nonce != first.nonce) {
      refuse("nvidia.nonce", number, "was asked for another nonce than GPU 1");
    }
    check_says_the_same(names_of(first.claims), names_of(gpu.claims), number);
  }

  void check_says_the_same(const std::set<std::string_view>& first,
                           const std::set<std::string_view>& other, std::size_t number) {
    std::vector<std::string_view> alone;
    std::set_symmetric_difference(first.begin(), first.end(), other.begin(), other.end(),
                                  std::back_inserter(alone));
    if (alone.empty()) return;
    refuse("nvidia.gpus-differ", number,
           "and GPU 1 do not say the same things: one alone says " + std::string(alone.front()));
  }

  // Of equal claims one.
  Claims united() {
    Claims claims{"nvidia-gpu", {}, std::move(proven_.front().nonce)};
    claims.add_number("count", proven_.size());
    for (ProvenGpu& gpu : proven_) {
      std::move(gpu.claims.claims.begin(), gpu.claims.claims.end(),
                std::back_inserter(claims.claims));
    }
    claims.sort();
    const auto end = std::unique(claims.claims.begin(), claims.claims.end());
    claims.claims.erase(end, claims.claims.end());
    return claims;
  }

  GpuContext context_;
  std::size_t count_;
  std::vector<ProvenGpu> proven_;
  std::vector<Reason> reasons_;
};

}  // namespace

Verdict verify_gpus_beside(const VerifyInput& input) {
  return Gpus(input, input.gpu_nonce).run();
}

Verdict verify_nvidia(const VerifyInput& input) {
  Verdict verdict = Gpus(input, input.report_data).run();
  check_items(input.evidence, {}, verdict.reasons);
  if (!verdict.reasons.empty()) verdict.claims.reset();
  return verdict;
}

}  // namespace sealpack::attest
