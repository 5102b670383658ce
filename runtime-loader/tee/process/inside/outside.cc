// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/process/inside/outside.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "runtime-loader/tee/process/inside/descriptors.h"

namespace sealpack::tee {
namespace {

constexpr std::uint64_t kMaxOffset = std::numeric_limits<std::int64_t>::max();

class BundleSource final : public BlockSource {
 public:
  BundleSource(int descriptor, std::uint64_t size, OutsideTraffic& traffic)
      : descriptor_(descriptor), size_(size), traffic_(traffic) {}

  std::uint64_t size() const override { return size_; }

  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    const MutableBytes piece[] = {out};
    return read_scattered(offset, piece);
  }

  Status read_scattered(std::uint64_t offset, std::span<const MutableBytes> pieces) const override {
    while (!pieces.empty()) {
      std::array<iovec, 16> vectors;
      const std::size_t count = std::min(pieces.size(), vectors.size());
      std::uint64_t wanted = 0;
      for (std::size_t i = 0; i < count; ++i) {
        vectors[i] = {pieces[i].data(), pieces[i].size()};
        wanted += pieces[i].size();
      }
      TRY(read(offset, std::span(vectors).first(count), wanted));
      offset += wanted;
      pieces = pieces.subspan(count);
    }
    return done();
  }

 private:
  Status read(std::uint64_t offset, std::span<iovec> vectors, std::uint64_t wanted) const {
    if (offset > kMaxOffset) return short_of_bytes();
    while (wanted != 0) {
      const ssize_t got = ::preadv(descriptor_, vectors.data(), static_cast<int>(vectors.size()),
                                   static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return short_of_bytes();
      traffic_.calls += 1;
      traffic_.bytes_in += static_cast<std::uint64_t>(got);
      offset += static_cast<std::uint64_t>(got);
      wanted -= static_cast<std::uint64_t>(got);
      vectors = skip(vectors, static_cast<std::size_t>(got));
    }
    return done();
  }

  static std::span<iovec> skip(std::span<iovec> vectors, std::size_t size) {
    while (!vectors.empty() && size >= vectors[0].iov_len) {
      size -= vectors[0].iov_len;
      vectors = vectors.subspan(1);
    }
    if (!vectors.empty()) {
      vectors[0].iov_base = static_cast<std::uint8_t*>(vectors[0].iov_base) + size;
      vectors[0].iov_len -= size;
    }
    return vectors;
  }

  static Error short_of_bytes() {
    return Error(ErrorCode::kIo, "the bundle cannot be read, or is shorter than it was");
  }

  int descriptor_;
  std::uint64_t size_;
  OutsideTraffic& traffic_;
};

}  // namespace

loader::OpenSource bundle_opener(std::uint32_t count, OutsideTraffic& traffic) {
  return [count, &traffic](loader::BundleId bundle,
                           std::uint64_t size) -> Result<std::shared_ptr<const BlockSource>> {
    if (bundle >= count) {
      return Error(ErrorCode::kIo, "there is no bundle " + std::to_string(bundle));
    }
    const int descriptor = kFirstBundleDescriptor + static_cast<int>(bundle);
    const off_t end = ::lseek(descriptor, 0, SEEK_END);
    if (end < 0 || static_cast<std::uint64_t>(end) != size) {
      return Error(ErrorCode::kIo, "bundle " + std::to_string(bundle) + " has another size");
    }
    return std::shared_ptr<const BlockSource>(
        std::make_shared<BundleSource>(descriptor, size, traffic));
  };
}

Status SpillArea::write(std::uint64_t offset, Bytes bytes) {
  if (offset > size_ || bytes.size() > size_ - offset) {
    return Error(ErrorCode::kIo, "no room outside at " + std::to_string(offset));
  }
  std::copy(bytes.begin(), bytes.end(), data_ + offset);
  traffic_.bytes_out += bytes.size();
  return done();
}

Status SpillArea::read(std::uint64_t offset, MutableBytes out) {
  if (offset > size_ || out.size() > size_ - offset) {
    return Error(ErrorCode::kIo, "nothing outside at " + std::to_string(offset));
  }
  std::copy_n(data_ + offset, out.size(), out.data());
  traffic_.bytes_in += out.size();
  return done();
}

}  // namespace sealpack::tee
