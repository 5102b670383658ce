// SPDX-License-Identifier: Apache-2.0
// The C++ half of bench/attest/run: verifies evidence of every TEE on one core, alternately with
// what limits it, and prints a line of figures a TEE.
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "attest/verify/chain_cache.h"
#include "attest/verify/endorsements.h"
#include "bench/attest/verification_case.h"
#include "formats/base/error.h"

namespace sealpack::bench {
namespace {

// Time of this thread on its core: other work on the machine takes none of it, though it disturbs
// caches and clock rates all the same.
std::chrono::nanoseconds time_here() {
  timespec time{};
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0) die("bench: no clock of the thread");
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

constexpr const char* kUsage = "usage: attest_bench verification ROUNDS MILLISECONDS [NAME]";

void pin_to_this_core() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<unsigned>(sched_getcpu()), &cores);
  if (sched_setaffinity(0, sizeof cores, &cores) != 0) die("bench: cannot stay on one core");
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Something that is measured against others, once a round each.
class Contender {
 public:
  // `work` serves one request, by number.
  Contender(std::function<void(std::size_t)> work, std::chrono::milliseconds slice)
      : work_(std::move(work)), slice_(slice) {
    for (std::size_t i = 0; i < kRequests; ++i) work_(i);
  }

  void run_round() {
    std::size_t count = 0;
    const auto begin = time_here();
    auto end = begin;
    do {
      work_(count % kRequests);
      ++count;
      end = time_here();
    } while (end - begin < slice_);
    rates_.push_back(static_cast<double>(count) /
                     std::chrono::duration<double>(end - begin).count());
  }

  double rate() const { return median(rates_); }
  // How much faster than another in the same round.
  double against(const Contender& other) const {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < rates_.size(); ++i) ratios.push_back(rates_[i] / other.rates_[i]);
    return median(ratios);
  }

 private:
  std::function<void(std::size_t)> work_;
  std::chrono::nanoseconds slice_;
  std::vector<double> rates_;
};

using SharedEndorsements = std::shared_ptr<const attest::Endorsements>;

// A request that is not accepted would be refused sooner than accepted: it measures nothing.
void verify(const VerificationCase& one, std::size_t number, const SharedEndorsements& endorsements,
            attest::ChainCache* cache) {
  const VerificationCase::Request& request = one.requests[number];
  attest::VerifyInput input{request.evidence, *endorsements, one.roots, one.now, request.binding};
  input.cache = cache;
  input.kept_endorsements = endorsements;
  const attest::Verdict verdict = attest::verify(input);
  if (verdict.accepted()) return;
  for (const Reason& reason : verdict.reasons) {
    std::fprintf(stderr, "%s: %s: %s\n", one.name.c_str(), reason.code.c_str(),
                 reason.text.c_str());
  }
  die("bench: evidence that was to be accepted is not");
}

std::string describe(const std::vector<BareSignature>& signatures) {
  std::string text;
  for (const BareSignature& signature : signatures) {
    text += (text.empty() ? "" : " + ") + signature.description();
  }
  return text;
}

void measure(const VerificationCase& one, const attest::Endorsements& others, int rounds,
             std::chrono::milliseconds slice) {
  const auto own = std::make_shared<const attest::Endorsements>(one.endorsements);
  attest::Endorsements merged = others;
  attest::merge_endorsements(merged, one.endorsements);
  const auto many = std::make_shared<const attest::Endorsements>(std::move(merged));
  attest::ChainCache cache, cache_of_many;
  Contender limit(
      [&](std::size_t i) {
        for (const BareSignature& signature : one.requests[i].signatures) {
          if (!signature.holds()) die("bench: a bare signature does not hold");
        }
      },
      slice);
  Contender warm([&](std::size_t i) { verify(one, i, own, &cache); }, slice);
  Contender among_many([&](std::size_t i) { verify(one, i, many, &cache_of_many); }, slice);
  Contender cold([&](std::size_t i) { verify(one, i, own, nullptr); }, slice);
  for (int round = 0; round < rounds; ++round) {
    for (Contender* contender : {&warm, &limit, &among_many, &cold}) contender->run_round();
  }
  std::printf("%s\t%s\t%.1f\t%.1f\t%.4f\t%.1f\t%.4f\t%.1f\n", one.name.c_str(),
              describe(one.requests[0].signatures).c_str(), limit.rate(), warm.rate(),
              warm.against(limit), among_many.rate(), among_many.against(limit), cold.rate());
  std::fflush(stdout);
}

int measure_verification(int rounds, std::chrono::milliseconds slice, const std::string& name) {
  if (rounds < 1 || slice.count() < 1) die(kUsage);
  pin_to_this_core();
  const attest::Endorsements others = other_endorsements();
  std::vector<VerificationCase> cases = platform_cases();
  for (VerificationCase& one : token_cases()) cases.push_back(std::move(one));
  bool found = false;
  for (const VerificationCase& one : cases) {
    if (one.name.find(name) == std::string::npos) continue;
    found = true;
    measure(one, others, rounds, slice);
  }
  if (!found) std::fprintf(stderr, "attest_bench: no case has %s in its name\n", name.c_str());
  return found ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace sealpack::bench

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if ((words.size() != 3 && words.size() != 4) || words[0] != "verification") {
    std::fprintf(stderr, "%s\n", sealpack::bench::kUsage);
    return EXIT_FAILURE;
  }
  return sealpack::bench::measure_verification(
      std::atoi(words[1].c_str()), std::chrono::milliseconds(std::atoi(words[2].c_str())),
      words.size() == 4 ? words[3] : "");
}
