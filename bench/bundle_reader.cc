// SPDX-License-Identifier: Apache-2.0
// The memory of the reader library alone: reads a whole bundle through a destination of 64 KiB a
// thread and prints the peak of this process and what of it is private. Links unpacker/core and
// nothing above it. `idle` has the same threads and destinations, and has initialised OpenSSL.
//
//   bundle_bench_reader idle THREADS
//   bundle_bench_reader BUNDLE KEYS THREADS
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <latch>
#include <mutex>
#include <thread>

#include "bench/bundle_setup.h"
#include "unpacker/core/file_reader.h"

namespace sealpack::bench {
namespace {

constexpr std::size_t kDestination = 64U << 10U;

// formats/files has one, but is above what is measured.
class PreadSource : public BlockSource {
 public:
  explicit PreadSource(const char* path) : file_(::open(path, O_RDONLY | O_CLOEXEC)) {}
  ~PreadSource() override { (void)::close(file_); }

  std::uint64_t size() const override {
    struct stat status {};
    return ::fstat(file_, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
  }
  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    while (!out.empty()) {
      const ssize_t got = ::pread(file_, out.data(), out.size(), static_cast<off_t>(offset));
      if (got <= 0) return Error(ErrorCode::kIo, "cannot read the bundle");
      out = out.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
    return done();
  }

 private:
  int file_;
};

// Thread `index` of `threads` reads every threads-th piece of every file.
Status read_share(const unpacker::OpenBundle& bundle, unpacker::FileReader& reader, unsigned index,
                  unsigned threads, MutableBytes destination) {
  const bundle::Content& content = bundle.verified().content();
  const std::size_t files = content.public_files.size() + content.sealed_files.size();
  for (std::uint32_t file = 0; file < files; ++file) {
    const std::uint64_t size = content.file_size(file);
    for (std::uint64_t at = index * kDestination; at < size; at += threads * kDestination) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kDestination, size - at));
      TRY(reader.read(file, at, destination.first(count)));
    }
  }
  return done();
}

// Runs work(index, destination, and_then) in `threads` threads. What it made is still there when it
// calls and_then(), which prints the private memory once all have called.
template <typename Work>
void run_threads(unsigned threads, Work work) {
  std::latch at_end(threads);
  std::latch printed(1);
  std::vector<std::jthread> pool;
  for (unsigned i = 0; i < threads; ++i) {
    pool.emplace_back([&, i] {
      ByteVector destination(kDestination, 1);
      work(i, MutableBytes(destination), [&] {
        at_end.arrive_and_wait();
        if (i == 0) {
          std::printf("private_kib %llu\n", static_cast<unsigned long long>(memory_kib("RssAnon")));
          printed.count_down();
        }
        printed.wait();
      });
    });
  }
}

Status read_all(const char* path, const char* key_folder, unsigned threads) {
  const Keys keys = TRY(load_keys(key_folder));
  const auto bundle = TRY(open_bundle(std::make_shared<PreadSource>(path), keys));
  std::mutex mutex;
  Status all = done();
  run_threads(threads, [&](unsigned index, MutableBytes destination, const auto& and_then) {
    unpacker::FileReader reader(bundle);
    Status status = read_share(bundle, reader, index, threads, destination);
    {
      const std::lock_guard lock(mutex);
      if (!status.ok()) all = std::move(status);
    }
    and_then();
  });
  return all;
}

Status run(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "idle") {
    (void)crypto::sha256({});  // libcrypto and its default provider
    run_threads(static_cast<unsigned>(std::atoi(argv[2])),
                [](unsigned, MutableBytes, const auto& and_then) { and_then(); });
    return done();
  }
  if (argc != 4) return Error(ErrorCode::kUsage, "bundle_bench_reader BUNDLE KEYS THREADS");
  return read_all(argv[1], argv[2], static_cast<unsigned>(std::atoi(argv[3])));
}

}  // namespace
}  // namespace sealpack::bench

int main(int argc, char** argv) {
  using namespace sealpack::bench;
  const int status = exit_status(run(argc, argv));
  std::printf("peak_kib %llu\n", static_cast<unsigned long long>(memory_kib("VmHWM")));
  return status;
}
