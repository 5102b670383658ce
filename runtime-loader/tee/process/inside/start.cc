// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/process/inside/start.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "keymgmt/crypto/private_key.h"
#include "keymgmt/crypto/secret_memory.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/crypto/startup.h"
#include "runtime-loader/tee/process/inside/channel.h"
#include "runtime-loader/tee/process/inside/confinement.h"
#include "runtime-loader/tee/process/inside/descriptors.h"
#include "runtime-loader/tee/process/inside/system_call_filter.h"
#include "runtime-loader/tee/process/own_memory.h"

namespace sealpack::tee {
namespace {

constexpr std::size_t kSecretSize = std::size_t{256} << 10U;
constexpr std::uint64_t kMainStack = std::uint64_t{256} << 10U;

void raise_bit(std::uint32_t& bits, Confinement one, bool there) {
  if (there) bits |= static_cast<std::uint32_t>(one);
}

// The program's own bytes, as far as a program can know them.
Digest digest_of_program() {
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (file < 0) die("cannot read the program");
  crypto::Sha256 hash;
  std::array<std::uint8_t, 1U << 14U> piece;
  for (;;) {
    const ssize_t got = ::read(file, piece.data(), piece.size());
    if (got < 0) die("cannot read the program");
    if (got == 0) break;
    hash.update(Bytes(piece).first(static_cast<std::size_t>(got)));
  }
  (void)::close(file);
  return hash.finish();
}

// All of it, before its size is believed: sealed, so that it cannot shrink under the program.
MutableBytes map_shared() {
  constexpr int kNeeded = F_SEAL_SHRINK | F_SEAL_GROW;
  if ((::fcntl(kSharedDescriptor, F_GET_SEALS) & kNeeded) != kNeeded) die("no sealed memory");
  const off_t size = ::lseek(kSharedDescriptor, 0, SEEK_END);
  if (size <= 0) die("no shared memory");
  void* data = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ | PROT_WRITE, MAP_SHARED,
                      kSharedDescriptor, 0);
  if (data == MAP_FAILED) die("cannot map the shared memory");
  return {static_cast<std::uint8_t*>(data), static_cast<std::size_t>(size)};
}

// The key of kEvidenceKeyDescriptor, if there is one. What was read is wiped.
std::unique_ptr<crypto::Signer> take_evidence_key() {
  constexpr std::size_t kMaxKey = 512;
  if (::fcntl(kEvidenceKeyDescriptor, F_GETFD) < 0) return nullptr;
  crypto::SecretBytes room(kMaxKey);
  std::size_t size = 0;
  for (;;) {
    const MutableBytes rest = room.reveal_for_writing().subspan(size);
    const ssize_t got = ::read(kEvidenceKeyDescriptor, rest.data(), rest.size());
    if (got < 0 || (got == 0 && rest.empty())) die("no evidence key in its pipe");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  (void)::close(kEvidenceKeyDescriptor);
  const auto key = crypto::PrivateKey::from_pkcs8(
      crypto::SecretBytes::copy_of(room.reveal().first(size)), crypto::PrivateKey::Use::kSign);
  if (!key.ok()) die("the evidence key does not sign");
  auto signer = key->signer();
  if (!signer.ok()) die("the evidence key does not sign");
  return *std::move(signer);
}

void set_limit(__rlimit_resource_t resource, std::uint64_t value) {
  const rlimit both = {value, value};
  if (::setrlimit(resource, &both) != 0) leave(ErrorCode::kLimit);
}

}  // namespace

Start give_up_rights() {
  Start start;
  harden_process();
  raise_bit(start.confinement, Confinement::kMdwe, refuse_new_code());
  crypto::start_without_configuration();
  const crypto::SecretMemory secrets = crypto::make_secret_memory(kSecretSize);
  raise_bit(start.confinement, Confinement::kHiddenKeys, secrets == crypto::SecretMemory::kHidden);
  raise_bit(start.confinement, Confinement::kLockedKeys,
            secrets != crypto::SecretMemory::kUnlocked);
  start.evidence_key = take_evidence_key();
  start.program = digest_of_program();
  start.shared = map_shared();
  MemoryFigures::open_files();
  close_other_descriptors();
  start.cap = {0, kSecretSize, MemoryFigures::anonymous_elsewhere(), kMainStack};
  // The first use of the random generator takes memory: now, so that it is part of the base.
  (void)crypto::SecretBytes::random(32);
  raise_bit(start.confinement, Confinement::kLandlock, leave_file_system());
  if (!filter_system_calls(FilterStage::kStarting).ok()) die("no system call filter");
  return start;
}

std::uint64_t heap_comfort(std::uint64_t cap) {
  constexpr std::uint64_t kSmallCap = std::uint64_t{10} << 20U;
  constexpr std::uint64_t kComfort = std::uint64_t{512} << 10U;
  return cap < kSmallCap ? 0 : kComfort + cap / 64;
}

std::uint64_t limit_memory(Start& start, std::uint64_t cap, unsigned threads) {
  start.cap.cap = cap;
  const std::uint64_t data = start.cap.data_limit();
  set_limit(RLIMIT_STACK, kMainStack);
  if (cap == 0) return data;
  rlimit locked{};
  (void)::getrlimit(RLIMIT_MEMLOCK, &locked);
  start.lock_memory = locked.rlim_cur >= cap + kSecretSize;
  raise_bit(start.confinement, Confinement::kLockedMemory, start.lock_memory);
  const std::uint64_t least = std::max(
      own_memory(threads, 0), start.cap.taken() + MemoryFigures::writable() + kHeapReserve);
  if (cap < least) leave(ErrorCode::kLimit, least);
  set_limit(RLIMIT_DATA, data);
  return data;
}

void finish_start() {
  freeze_limits();
  if (!filter_system_calls(FilterStage::kRunning).ok()) leave(ErrorCode::kInternal);
}

Digest policy_digest(std::uint64_t cap) {
  return crypto::sha256(as_bytes("sealpack/v1/process-policy\n" + describe_filter() + "cap " +
                                 std::to_string(cap) + "\n"));
}

std::uint64_t secure_bytes() {
  return MemoryFigures::anonymous() + kSecretSize;
}

}  // namespace sealpack::tee
