// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/process/inside/system_call_filter.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "runtime-loader/tee/process/inside/descriptors.h"

namespace sealpack::tee {
namespace {

struct Condition {
  unsigned argument;
  scmp_compare compare;
  std::uint64_t value;
  std::uint64_t masked = 0;  // the value under the mask `value`, for SCMP_CMP_MASKED_EQ
};

// One way to call: the call is allowed when all conditions of one rule hold.
struct Rule {
  int number;
  const char* name;
  std::vector<Condition> conditions;
  bool only_starting = false;
};

#define SEALPACK_CALL(name) SCMP_SYS(name), #name

constexpr unsigned kProtection = 2;  // argument of mmap, mprotect

// libseccomp takes one condition an argument: a mask stands for the range of descriptors.
constexpr std::uint64_t kDescriptorMask = 0xffffffffU & ~std::uint64_t{kMaxBundleDescriptors - 1};
static_assert(kFirstBundleDescriptor % kMaxBundleDescriptors == 0);
constexpr Condition kIsBundle = {0, SCMP_CMP_MASKED_EQ, kDescriptorMask, kFirstBundleDescriptor};

// What was seen to be needed, each for the reason given.
std::vector<Rule> rules() {
  return {
      // The control channel.
      {SEALPACK_CALL(read), {{0, SCMP_CMP_EQ, kControlDescriptor}}},
      {SEALPACK_CALL(write), {{0, SCMP_CMP_EQ, kControlDescriptor}}},
      // Size of a bundle.
      {SEALPACK_CALL(lseek), {kIsBundle}},
      // Bytes of bundles.
      {SEALPACK_CALL(pread64), {kIsBundle}},
      {SEALPACK_CALL(preadv), {kIsBundle}},
      // How much memory is used.
      {SEALPACK_CALL(pread64), {{0, SCMP_CMP_EQ, kStatusDescriptor}}},
      {SEALPACK_CALL(pread64), {{0, SCMP_CMP_EQ, kRollupDescriptor}}},
      // Memory: anonymous, never executable.
      {SEALPACK_CALL(mmap),
       {{kProtection, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0},
        {3, SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS}}},
      {SEALPACK_CALL(mprotect), {{kProtection, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}}},
      {SEALPACK_CALL(munmap), {}},
      {SEALPACK_CALL(madvise), {}},
      {SEALPACK_CALL(mlock), {}},
      {SEALPACK_CALL(brk), {}},
      // Threads that wait for work.
      {SEALPACK_CALL(futex), {}},
      {SEALPACK_CALL(sched_yield), {}},
      // Random numbers; the generator asks whether it was forked.
      {SEALPACK_CALL(getrandom), {}},
      {SEALPACK_CALL(getpid), {}},
      {SEALPACK_CALL(clock_gettime), {}},
      {SEALPACK_CALL(rt_sigreturn), {}},
      // Threads that end.
      {SEALPACK_CALL(rt_sigprocmask), {}},
      {SEALPACK_CALL(exit), {}},
      {SEALPACK_CALL(exit_group), {}},
      // Threads and limits are made before anything is parsed, then this is over.
      {SEALPACK_CALL(clone), {{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD}}, true},
      {SEALPACK_CALL(set_robust_list), {}, true},
      {SEALPACK_CALL(rseq), {}, true},
      {SEALPACK_CALL(rt_sigaction), {}, true},
      {SEALPACK_CALL(prlimit64), {{0, SCMP_CMP_EQ, 0}}, true},
      {SEALPACK_CALL(seccomp), {}, true},
      {SEALPACK_CALL(prctl), {{0, SCMP_CMP_EQ, 22}}, true},  // PR_SET_SECCOMP, by older libseccomp
  };
}

#undef SEALPACK_CALL

Error refused(int error_number) {
  return Error(ErrorCode::kInternal,
               "the system call filter cannot be set, error " + std::to_string(-error_number));
}

const char* symbol(scmp_compare compare) {
  switch (compare) {
    case SCMP_CMP_EQ:
      return "==";
    case SCMP_CMP_GE:
      return ">=";
    case SCMP_CMP_LE:
      return "<=";
    case SCMP_CMP_MASKED_EQ:
      return "&";
    default:
      die("a comparison without a symbol");
  }
}

}  // namespace

Status filter_system_calls(FilterStage stage) {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(
      ::seccomp_init(SCMP_ACT_KILL_PROCESS), ::seccomp_release);
  if (!filter) return Error(ErrorCode::kInternal, "no memory for the system call filter");
  // no_new_privs is set already, and must be.
  if (const int failed = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0)) {
    return refused(failed);
  }
  if (stage == FilterStage::kRunning) {
    if (const int failed = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1)) {
      return refused(failed);
    }
  }
  if (stage == FilterStage::kStarting) {
    // Its flags lie in memory, where no filter sees them. The C library then uses clone.
    if (const int failed = ::seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(ENOSYS),
                                                    SCMP_SYS(clone3), 0, nullptr)) {
      return refused(failed);
    }
  }
  for (const Rule& rule : rules()) {
    if (rule.only_starting && stage == FilterStage::kRunning) continue;
    std::vector<scmp_arg_cmp> conditions;
    for (const Condition& one : rule.conditions) {
      conditions.push_back({one.argument, one.compare, one.value, one.masked});
    }
    const int failed =
        ::seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, rule.number,
                                 static_cast<unsigned>(conditions.size()), conditions.data());
    if (failed != 0) return refused(failed);
  }
  if (const int failed = ::seccomp_load(filter.get())) return refused(failed);
  return done();
}

std::string describe_filter() {
  std::string text;
  for (const Rule& rule : rules()) {
    text += rule.name;
    for (const Condition& one : rule.conditions) {
      text += " a" + std::to_string(one.argument) + symbol(one.compare) + std::to_string(one.value);
      if (one.compare == SCMP_CMP_MASKED_EQ) text += "==" + std::to_string(one.masked);
    }
    text += rule.only_starting ? " starting\n" : "\n";
  }
  return text;
}

}  // namespace sealpack::tee
