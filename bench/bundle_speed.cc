// SPDX-License-Identifier: Apache-2.0
#include "bench/bundle_speed.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <cstdio>
#include <ctime>
#include <numeric>
#include <thread>

#include "formats/files/parallel.h"
#include "unpacker/core/bundle_check.h"

namespace sealpack::bench {
namespace {

using crypto::SegmentCipher;

constexpr std::size_t kBatch = 16;  // leaves a read, as in unpacker/core

// Keeps the calling thread on the last processor while it lives.
class Pinned {
 public:
  Pinned() {
    (void)::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &before_)) continue;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
    }
    (void)::sched_setaffinity(0, sizeof one, &one);
  }
  ~Pinned() { (void)::sched_setaffinity(0, sizeof before_, &before_); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 private:
  cpu_set_t before_;
};

// Processor time of this thread: what other programs do meanwhile does not count. Nothing that is
// measured with it waits, as the bundle is in the page cache.
double thread_seconds() {
  timespec now{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

Error cannot_map() {
  return Error(ErrorCode::kIo, "not enough memory for the benchmark");
}

}  // namespace

void BestTimes::add(double seconds) {
  if (next_ == best_.size()) best_.push_back(seconds);
  best_[next_] = std::min(best_[next_], seconds);
  ++next_;
}

double BestTimes::seconds() const {
  return std::accumulate(best_.begin(), best_.end(), 0.0);
}

Result<std::unique_ptr<SpeedContest>> SpeedContest::make(const std::filesystem::path& bundle,
                                                         const Keys& keys) {
  auto file = TRY(open_file(bundle, keys));
  std::unique_ptr<SpeedContest> contest(new SpeedContest(std::move(file)));
  contest->cut_slices();
  TRY(contest->map_memory());
  return contest;
}

SpeedContest::~SpeedContest() {
  if (!destination_.empty()) (void)::munmap(destination_.data(), destination_.size());
  if (!stored_.empty()) {
    (void)::munmap(const_cast<std::uint8_t*>(stored_.data()), stored_.size());
  }
}

void SpeedContest::cut_slices() {
  const bundle::Content& content = verified().content();
  file_number_ = static_cast<std::uint32_t>(content.public_files.size());
  std::uint64_t start = 0;
  const auto& segments = content.sealed_files.at(0).segments;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::uint64_t chunks = SegmentCipher::chunk_count(segments[i].size);
    for (std::uint64_t first = 0; first < chunks; first += bundle::kFanOut) {
      Slice slice;
      slice.segment = i;
      slice.first = first;
      slice.count =
          static_cast<std::size_t>(std::min<std::uint64_t>(bundle::kFanOut, chunks - first));
      const std::uint64_t skip = first * SegmentCipher::kPlainChunk;
      slice.offset = start + skip;
      slice.size = static_cast<std::size_t>(std::min<std::uint64_t>(
          slice.count * SegmentCipher::kPlainChunk, segments[i].size - skip));
      slices_.push_back(slice);
    }
    start += segments[i].size;
  }
}

Status SpeedContest::map_memory() {
  const auto size = static_cast<std::size_t>(verified().content().sealed_files.at(0).size());
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) return cannot_map();
  destination_ = {static_cast<std::uint8_t*>(memory), size};
  const auto stored = static_cast<std::size_t>(file_.source->size());
  memory =
      ::mmap(nullptr, stored, PROT_READ, MAP_SHARED | MAP_POPULATE, file_.source->descriptor(), 0);
  if (memory == MAP_FAILED) return cannot_map();
  stored_ = {static_cast<const std::uint8_t*>(memory), stored};
  return done();
}

Result<SegmentCipher> SpeedContest::open_segment(std::size_t index) const {
  const bundle::Content& content = verified().content();
  const bundle::Segment& segment = content.sealed_files[0].segments[index];
  const std::uint64_t number = verified().layout().segments[0][index].number;
  return SegmentCipher::open(
      file_.bundle.key(), {segment.salt, segment.commitment},
      bundle::segment_context(content.uuid, number, segment.kind, segment.size));
}

Status SpeedContest::load_batch(const Slice& slice, std::size_t done_count, std::size_t count) {
  const auto& place = verified().layout().segments[0][slice.segment];
  const bundle::TreeShape shape(place.sealed_size);
  std::array<iovec, kBatch> pieces;
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const MutableBytes leaf = leaves_.leaf(i, shape.leaf_size(slice.first + done_count + i));
    pieces[i] = {leaf.data(), leaf.size()};
    size += leaf.size();
  }
  const auto offset = place.data_offset + (slice.first + done_count) * bundle::kLeafSize;
  const ssize_t got = ::preadv(file_.source->descriptor(), pieces.data(), static_cast<int>(count),
                               static_cast<off_t>(offset));
  if (got != static_cast<ssize_t>(size)) return Error(ErrorCode::kIo, "a short read");
  return done();
}

// Seconds of one part of unsealing over one slice; the others run too, untimed, where it needs
// them.
Result<double> SpeedContest::run_part(Part part, const Slice& slice, const SegmentCipher& cipher) {
  const auto& place = verified().layout().segments[0][slice.segment];
  const bundle::TreeShape shape(place.sealed_size);
  const MutableBytes out = destination(slice);
  std::array<Bytes, kBatch> messages;
  std::array<Digest, kBatch> digests;
  double seconds = 0;
  for (std::size_t at = 0; at < slice.count; at += kBatch) {
    const std::size_t count = std::min(kBatch, slice.count - at);
    double start = thread_seconds();
    TRY(load_batch(slice, at, count));
    if (part != Part::kRead) start = thread_seconds();
    if (part == Part::kHash) {
      for (std::size_t i = 0; i < count; ++i) {
        messages[i] = leaves_.tagged(i, shape.leaf_size(slice.first + at + i));
      }
      hasher_.hash(std::span(messages).first(count), std::span(digests).first(count));
    }
    for (std::size_t i = 0; part == Part::kDecrypt && i < count; ++i) {
      const Bytes sealed = leaves_.leaf(i, shape.leaf_size(slice.first + at + i));
      TRY(cipher.open_chunk(slice.first + at + i, sealed,
                            out.subspan((at + i) * SegmentCipher::kPlainChunk,
                                        sealed.size() - SegmentCipher::kTagSize)));
    }
    seconds += thread_seconds() - start;
  }
  return seconds;
}

Status SpeedContest::run_part(Part part, BestTimes& times) {
  times.start_pass();
  std::optional<SegmentCipher> cipher;
  std::size_t cipher_of = 0;
  for (const Slice& slice : slices_) {
    if (!cipher || cipher_of != slice.segment) cipher = TRY(open_segment(slice.segment));
    cipher_of = slice.segment;
    times.add(TRY(run_part(part, slice, *cipher)));
  }
  return done();
}

Status SpeedContest::run_unseal() {
  unseal_.start_pass();
  unpacker::FileReader reader(file_.bundle);
  for (const Slice& slice : slices_) {
    const double start = thread_seconds();
    TRY(reader.read(file_number_, slice.offset, destination(slice)));
    unseal_.add(thread_seconds() - start);
  }
  return done();
}

Status SpeedContest::run_unseal_whole(unsigned threads, BestTimes& times) {
  times.start_pass();
  const double start = seconds_now();
  TRY(run_parallel(threads, slices_.size(), [&] {
    return [&, reader = unpacker::FileReader(file_.bundle)](std::uint64_t unit) mutable {
      const Slice& slice = slices_[static_cast<std::size_t>(unit)];
      return reader.read(file_number_, slice.offset, destination(slice));
    };
  }));
  times.add(seconds_now() - start);
  return done();
}

// The leaves where they lie in the page cache, without copying them.
Status SpeedContest::run_hash_in_place() {
  hash_in_place_.start_pass();
  std::array<Bytes, bundle::kFanOut> messages;
  std::array<Digest, bundle::kFanOut> digests;
  for (const Slice& slice : slices_) {
    const auto& place = verified().layout().segments[0][slice.segment];
    const bundle::TreeShape shape(place.sealed_size);
    const double start = thread_seconds();
    for (std::size_t i = 0; i < slice.count; ++i) {
      const std::uint64_t leaf = slice.first + i;
      messages[i] =
          stored_.subspan(place.data_offset + leaf * bundle::kLeafSize, shape.leaf_size(leaf));
    }
    hasher_.hash(std::span(messages).first(slice.count), std::span(digests).first(slice.count));
    hash_in_place_.add(thread_seconds() - start);
  }
  return done();
}

Status SpeedContest::run_verify() {
  verify_.start_pass();
  const unpacker::BundleCheck check(verified());
  unpacker::FileReader reader(verified());
  for (std::uint64_t unit = 0; unit < check.unit_count(); ++unit) {
    const double start = thread_seconds();
    TRY(check.check(unit, reader));
    verify_.add(thread_seconds() - start);
  }
  return done();
}

Status SpeedContest::run_round() {
  {
    const Pinned pinned;
    TRY(run_part(Part::kRead, read_));
    TRY(run_part(Part::kHash, hash_));
    TRY(run_part(Part::kDecrypt, decrypt_));
    TRY(run_unseal());
    TRY(run_hash_in_place());
    TRY(run_verify());
    TRY(run_unseal_whole(1, whole_one_));
  }
  return run_unseal_whole(2, whole_two_);
}

void SpeedContest::print() const {
  const auto line = [](const char* name, const BestTimes& times) {
    std::printf("%s %.6f\n", name, times.seconds());
  };
  std::printf("bytes %zu\n", destination_.size());
  line("read", read_);
  line("hash", hash_);
  line("decrypt", decrypt_);
  line("unseal", unseal_);
  line("hash_in_place", hash_in_place_);
  line("verify", verify_);
  line("unseal_whole_one", whole_one_);
  line("unseal_whole_two", whole_two_);
}

}  // namespace sealpack::bench
