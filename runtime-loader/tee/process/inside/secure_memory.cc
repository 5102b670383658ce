// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/process/inside/secure_memory.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "keymgmt/crypto/secret_bytes.h"
#include "runtime-loader/tee/process/inside/descriptors.h"

namespace sealpack::tee {
namespace {

constexpr std::uint64_t kAlignment = 64;
constexpr std::uint64_t kStep = std::uint64_t{64} << 10U;      // memory is taken in such pieces
constexpr std::uint64_t kAddresses = std::uint64_t{1} << 40U;  // reserved without a limit

std::uint64_t round_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

void open_as(const char* path, int descriptor) {
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || ::dup3(file, descriptor, O_CLOEXEC) != descriptor) die("cannot read /proc/self");
  (void)::close(file);
}

// "VmData:     1234 kB" in the text, in bytes.
std::uint64_t find_figure(std::string_view text, std::string_view label) {
  std::size_t at = text.find(label);
  if (at == std::string_view::npos) die("a figure is missing in /proc/self");
  at = text.find_first_of("0123456789", at + label.size());
  std::uint64_t kilobytes = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    kilobytes = kilobytes * 10 + static_cast<std::uint64_t>(text[at++] - '0');
  }
  return kilobytes << 10U;
}

std::uint64_t read_figure(int descriptor, std::string_view label) {
  std::array<char, 4096> text{};
  const ssize_t size = ::pread(descriptor, text.data(), text.size(), 0);
  if (size <= 0) die("cannot read /proc/self");
  return find_figure({text.data(), static_cast<std::size_t>(size)}, label);
}

std::string read_text(const char* path) {
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) die("cannot read /proc/self");
  std::string text;
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t size = ::read(file, piece.data(), piece.size());
    if (size < 0) die("cannot read /proc/self");
    if (size == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(size));
  }
  (void)::close(file);
  return text;
}

}  // namespace

void MemoryFigures::open_files() {
  open_as("/proc/self/status", kStatusDescriptor);
  open_as("/proc/self/smaps_rollup", kRollupDescriptor);
}
std::uint64_t MemoryFigures::anonymous() {
  return read_figure(kRollupDescriptor, "\nAnonymous:");
}
std::uint64_t MemoryFigures::writable() {
  return read_figure(kStatusDescriptor, "\nVmData:");
}
std::uint64_t MemoryFigures::text() {
  return read_figure(kStatusDescriptor, "\nVmExe:") + read_figure(kStatusDescriptor, "\nVmLib:");
}
std::uint64_t MemoryFigures::stack() {
  return read_figure(kStatusDescriptor, "\nVmStk:");
}

// Mappings follow one another as "START-END PERMISSIONS …\nSize: …\n…VmFlags: …\n".
std::uint64_t MemoryFigures::anonymous_elsewhere() {
  const std::string text = read_text("/proc/self/smaps");
  std::uint64_t total = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t flags = text.find("VmFlags:", at);
    if (flags == std::string::npos) break;
    const std::size_t end = std::min(text.find('\n', flags), text.size());
    const std::string_view mapping(text.data() + at, end - at);
    at = end + 1;
    const std::string_view permissions = mapping.substr(mapping.find(' ') + 1, 4);
    const bool counted = permissions == "rw-p";
    if (!counted) total += find_figure(mapping, "\nAnonymous:");
  }
  return total;
}

std::uint64_t MemoryCap::data_limit() const {
  if (cap == 0) return ~std::uint64_t{0};
  return cap > taken() ? cap - taken() : 0;
}

SecureMemory::SecureMemory(std::uint64_t data_limit, std::uint64_t keep, bool lock)
    : data_limit_(data_limit), keep_(keep), heap_at_start_(::mallinfo2().uordblks), lock_(lock) {
  reserved_ = std::min(round_up(std::min(data_limit, kAddresses), kStep), kAddresses);
  void* base =
      ::mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) die("cannot reserve addresses");
  base_ = static_cast<std::uint8_t*>(base);
  ceiling_ = room();
}

SecureMemory::~SecureMemory() {
  if (committed_ != 0) crypto::wipe({base_, committed_});
  (void)::munmap(base_, reserved_);
}

// What the heap has grown by is in use already, and what is free inside it need not be kept beside.
std::uint64_t SecureMemory::kept() const {
  constexpr std::uint64_t kLeast = std::uint64_t{128} << 10U;
  const auto heap = ::mallinfo2();
  const std::uint64_t grown = heap.uordblks - std::min(heap.uordblks, heap_at_start_);
  const std::uint64_t has = grown + heap.fordblks;
  return keep_ > has + kLeast ? keep_ - has : kLeast;
}

std::uint64_t SecureMemory::room() const {
  const std::uint64_t addresses = reserved_ - committed_;
  if (data_limit_ == ~std::uint64_t{0}) return addresses;
  const std::uint64_t used = MemoryFigures::writable() + kept();
  return std::min(addresses, data_limit_ > used ? (data_limit_ - used) / 4096 * 4096 : 0);
}

bool SecureMemory::grow(std::uint64_t size) {
  const std::uint64_t most = ceiling_ - committed_;
  if (size > most) return false;
  const std::uint64_t wanted = std::min(round_up(size, kStep), most);
  std::uint8_t* start = base_ + committed_;
  if (::mprotect(start, wanted, PROT_READ | PROT_WRITE) != 0) return false;
  (void)::madvise(start, wanted, MADV_DONTDUMP);
  if (lock_) (void)::mlock(start, wanted);
  // Joined with a free end.
  const auto last = free_.empty() ? free_.end() : std::prev(free_.end());
  if (last != free_.end() && last->first + last->second == committed_) {
    last->second += wanted;
  } else {
    free_[committed_] = wanted;
  }
  committed_ += wanted;
  return true;
}

Result<MutableBytes> SecureMemory::allocate(std::size_t size) {
  if (size > reserved_) {
    return Error(ErrorCode::kLimit, format_size(size) + " of secure memory at once");
  }
  const std::uint64_t wanted = round_up(std::max<std::uint64_t>(size, 1), kAlignment);
  const auto fits = [&](const auto& one) { return one.second >= wanted; };
  auto found = std::find_if(free_.begin(), free_.end(), fits);
  if (found == free_.end()) {
    const auto last = free_.empty() ? free_.end() : std::prev(free_.end());
    const bool at_end = last != free_.end() && last->first + last->second == committed_;
    if (!grow(wanted - (at_end ? last->second : 0))) {
      return Error(ErrorCode::kLimit, "no " + format_size(size) + " of secure memory left");
    }
    found = std::prev(free_.end());
  }
  const auto [offset, free_size] = *found;
  free_.erase(found);
  if (free_size > wanted) free_[offset + wanted] = free_size - wanted;
  used_ += wanted;
  return MutableBytes(base_ + offset, size);
}

void SecureMemory::release(MutableBytes block) {
  crypto::wipe(block);
  std::uint64_t offset = static_cast<std::uint64_t>(block.data() - base_);
  std::uint64_t size = round_up(std::max<std::uint64_t>(block.size(), 1), kAlignment);
  used_ -= size;
  const auto after = free_.lower_bound(offset);
  if (after != free_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == offset) {
      offset = before->first;
      size += before->second;
      free_.erase(before);
    }
  }
  if (after != free_.end() && after->first == offset + size) {
    size += after->second;
    free_.erase(after);
  }
  free_[offset] = size;
}

std::uint64_t SecureMemory::taken_around() const {
  return MemoryFigures::writable() - committed_;
}

std::uint64_t SecureMemory::available() {
  ceiling_ = committed_ + room();
  std::uint64_t largest = ceiling_ - committed_;
  for (const auto& [offset, size] : free_) {
    const bool at_end = offset + size == committed_;
    largest = std::max(largest, at_end ? size + ceiling_ - committed_ : size);
  }
  return largest;
}

}  // namespace sealpack::tee
