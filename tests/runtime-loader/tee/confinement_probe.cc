// SPDX-License-Identifier: Apache-2.0
// Gives up its rights exactly as `sealpack-tee` does, then does what the byte on its control
// channel says, and ends with status 42 if it could. For confinement_test.cc.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "keymgmt/crypto/secret_bytes.h"
#include "runtime-loader/tee/process/inside/channel.h"
#include "runtime-loader/tee/process/inside/start.h"
#include "runtime-loader/tee/threads.h"
#include "tests/runtime-loader/tee/confinement_deeds.h"

namespace sealpack::tee {
namespace {

void* map(int protection, int flags) {
  return ::mmap(nullptr, 4096, protection, MAP_PRIVATE | flags, -1, 0);
}

// Whether more memory than `size` can be had.
bool take_memory(std::uint64_t size) {
  SecureMemory memory(~std::uint64_t{0}, 0, false);
  const auto block = memory.allocate(size);
  if (!block.ok()) return false;
  std::memset(block->data(), 1, block->size());
  return true;
}

// True: done. Most of these never come back.
bool perform(Deed deed, const crypto::SecretBytes& secret) {
  switch (deed) {
    case Deed::kNothing:
      return true;
    case Deed::kSocket:
      return ::socket(AF_INET, SOCK_STREAM, 0) >= 0;
    case Deed::kOpen:
      return ::open("/etc/passwd", O_RDONLY) >= 0;
    case Deed::kExecute:
      return ::execl("/bin/true", "true", nullptr) == 0;
    case Deed::kFork:
      return ::fork() >= 0;
    case Deed::kThread:
      std::thread([] {}).join();
      return true;
    case Deed::kExecutableMemory:
      return map(PROT_READ | PROT_EXEC, MAP_ANONYMOUS) != MAP_FAILED;
    case Deed::kMakeExecutable:
      return ::mprotect(map(PROT_READ | PROT_WRITE, MAP_ANONYMOUS), 4096, PROT_READ | PROT_EXEC) ==
             0;
    case Deed::kTrace:
      return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0;
    case Deed::kSignalOthers:
      return ::kill(::getppid(), 0) == 0;
    case Deed::kReadOther:
      return ::pread(0, nullptr, 0, 0) == 0;
    case Deed::kWriteOther:
      return ::write(2, "x", 1) == 1;
    case Deed::kRaiseLimit: {
      const rlimit more = {1U << 30U, 1U << 30U};
      return ::setrlimit(RLIMIT_DATA, &more) == 0;
    }
    case Deed::kDumpable:
      return ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
    case Deed::kCrash:
      *static_cast<volatile int*>(map(PROT_NONE, MAP_ANONYMOUS)) = 1;
      return true;
    case Deed::kTakeTooMuch:
      return take_memory(kProbeCap);
    case Deed::kTakeEnough:
      return take_memory(kProbeCap / 4);
    case Deed::kHeapTooMuch:
      return std::malloc(kProbeCap) != nullptr;
    case Deed::kWait: {
      // Tells where the secret lies, and waits to be looked at.
      const auto address = reinterpret_cast<std::uintptr_t>(secret.reveal().data());
      std::uint8_t byte = 0;
      return ::write(kControlDescriptor, &address, sizeof address) > 0 &&
             ::read(kControlDescriptor, &byte, 1) >= 0;
    }
  }
  return false;
}

}  // namespace
}  // namespace sealpack::tee

int main() {
  using namespace sealpack::tee;
  Start start = give_up_rights();
  const sealpack::crypto::SecretBytes secret = sealpack::crypto::SecretBytes::random(32);
  std::uint8_t deed = 0;
  if (::read(kControlDescriptor, &deed, 1) != 1) ::_exit(1);
  set_thread_stack();
  (void)limit_memory(start, kProbeCap, 1);
  finish_start();
  ::_exit(perform(static_cast<Deed>(deed), secret) ? kDone : kCouldNot);
}
