// SPDX-License-Identifier: Apache-2.0
// Loads a GGUF model the way llama.cpp does, out of a sealed bundle and without a plaintext file:
// the header is parsed here, by this program, from bytes that file_pread gives; then many threads
// read the tensors, each straight to its place in one buffer. Where llama.cpp maps the file, a
// runtime that takes an own loader (llama_model_loader, gguf_init_from_buffer) gets that buffer.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sealpack/loader.hpp>
#include <thread>

namespace {

namespace api = sealpack::loader_api;

constexpr std::uint64_t kAlignment = 32;  // of tensor data where the file says nothing
constexpr std::uint64_t kChunk = std::uint64_t{8} << 20U;

// Reads the header bit by bit through a window, so that it is never held as a whole.
class GgufReader {
 public:
  GgufReader(const api::Bundle& bundle, std::size_t file, std::uint64_t size)
      : bundle_(bundle), file_(file), size_(size) {}

  bool ok() const { return failure_.ok(); }
  const api::Failure& failure() const { return failure_; }
  std::uint64_t position() const { return position_; }

  template <typename Number>
  Number number() {
    Number value{};
    bytes(&value, sizeof value);
    return value;
  }
  std::string text() {
    const auto size = number<std::uint64_t>();
    if (size > (std::uint64_t{1} << 20U)) fail("a text of more than 1 MiB");
    std::string out(ok() ? static_cast<std::size_t>(size) : 0, '\0');
    bytes(out.data(), out.size());
    return out;
  }
  void skip(std::uint64_t size) {
    if (size > size_ - position_) fail("the file ends in its header");
    if (ok()) position_ += size;
  }
  void fail(const char* why) {
    if (ok()) failure_ = {SEALPACK_MALFORMED, std::string("GGUF: ") + why, ""};
  }

 private:
  void bytes(void* out, std::size_t size) {
    auto* to = static_cast<std::uint8_t*>(out);
    while (ok() && size > 0) {
      if (position_ < start_ || position_ >= start_ + window_.size()) refill();
      if (!ok()) break;
      const auto at = static_cast<std::size_t>(position_ - start_);
      const std::size_t part = std::min(size, window_.size() - at);
      std::memcpy(to, window_.data() + at, part);
      to += part;
      size -= part;
      position_ += part;
    }
    if (!ok()) std::memset(to, 0, size);
  }
  void refill() {
    start_ = position_;
    window_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(1U << 18U, size_ - start_)));
    if (window_.empty()) return fail("the file ends in its header");
    failure_ = bundle_.pread(file_, start_, window_);
  }

  const api::Bundle& bundle_;
  std::size_t file_;
  std::uint64_t size_;
  std::uint64_t position_ = 0;
  std::uint64_t start_ = 0;
  std::vector<std::uint8_t> window_;
  api::Failure failure_;
};

enum Type : std::uint32_t { kU32 = 4, kString = 8, kArray = 9 };
constexpr std::uint64_t kSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

void skip_value(GgufReader& in, std::uint32_t type, int depth = 0) {
  if (type == kString) {
    in.skip(in.number<std::uint64_t>());
  } else if (type == kArray && depth < 4) {
    const auto element = in.number<std::uint32_t>();
    const auto count = in.number<std::uint64_t>();
    if (element < std::size(kSizes) && kSizes[element] != 0) {
      if (count > (std::uint64_t{1} << 40U)) return in.fail("an array without end");
      return in.skip(count * kSizes[element]);
    }
    for (std::uint64_t i = 0; in.ok() && i < count; ++i) skip_value(in, element, depth + 1);
  } else if (type < std::size(kSizes) && kSizes[type] != 0) {
    in.skip(kSizes[type]);
  } else {
    in.fail("a value of unknown type");
  }
}

// A tensor of the model: name and size as the loader knows them, offset as the header says.
struct Tensor {
  std::string name;
  std::uint64_t offset = 0;  // in the data
  std::uint64_t size = 0;
};

struct Header {
  std::vector<Tensor> tensors;
  std::uint64_t data = 0;  // where they begin in the file
};

api::Result<Header> read_header(const api::Bundle& bundle, std::size_t file, std::uint64_t size) {
  GgufReader in(bundle, file, size);
  if (in.number<std::uint32_t>() != 0x46554747U) in.fail("no GGUF file");
  if (in.number<std::uint32_t>() != 3) in.fail("not version 3");
  const auto tensor_count = in.number<std::uint64_t>();
  const auto key_count = in.number<std::uint64_t>();
  std::uint64_t alignment = kAlignment;
  for (std::uint64_t i = 0; in.ok() && i < key_count; ++i) {
    const std::string key = in.text();
    const auto type = in.number<std::uint32_t>();
    if (key == "general.alignment" && type == kU32) {
      alignment = in.number<std::uint32_t>();
    } else {
      skip_value(in, type);
    }
  }
  Header header;
  for (std::uint64_t i = 0; in.ok() && i < tensor_count; ++i) {
    Tensor tensor;
    tensor.name = in.text();
    const auto rank = in.number<std::uint32_t>();
    if (rank > 4) in.fail("a tensor of more than 4 dimensions");
    for (std::uint32_t d = 0; in.ok() && d < rank; ++d) in.number<std::uint64_t>();
    in.number<std::uint32_t>();  // type
    tensor.offset = in.number<std::uint64_t>();
    header.tensors.push_back(std::move(tensor));
  }
  if (!in.ok()) return in.failure();
  if (alignment == 0) return api::Failure{SEALPACK_MALFORMED, "GGUF: alignment 0", ""};
  header.data = (in.position() + alignment - 1) / alignment * alignment;
  // The sizes come by name from the loader, which read the same header: the two must agree.
  for (Tensor& tensor : header.tensors) {
    const auto index = bundle.find_tensor(tensor.name);
    if (!index) return index.failure();
    const auto known = bundle.tensor(*index);
    if (!known) return known.failure();
    if (known->file_offset != header.data + tensor.offset) {
      return api::Failure{SEALPACK_INTERNAL, "two readers disagree about " + tensor.name, ""};
    }
    tensor.size = known->size;
  }
  return header;
}

// FNV-1a, to compare runs; no protection against anybody.
std::uint64_t checksum(const std::uint8_t* bytes, std::uint64_t size) {
  std::uint64_t hash = 14695981039346656037U;
  for (std::uint64_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 1099511628211U;
  return hash;
}

// A piece of one tensor for one thread.
struct Piece {
  std::uint64_t from = 0;  // in the file
  std::uint64_t to = 0;    // in the buffer
  std::uint64_t size = 0;
};

api::Failure load_tensors(const api::Bundle& bundle, std::size_t file, const Header& header,
                          std::vector<std::uint8_t>& buffer, unsigned thread_count) {
  std::vector<Piece> pieces;
  for (const Tensor& tensor : header.tensors) {
    for (std::uint64_t at = 0; at < tensor.size; at += kChunk) {
      pieces.push_back({header.data + tensor.offset + at, tensor.offset + at,
                        std::min(kChunk, tensor.size - at)});
    }
  }
  std::atomic<std::size_t> next{0};
  std::vector<api::Failure> failures(thread_count);
  std::vector<std::thread> threads;
  for (unsigned number = 0; number < thread_count; ++number) {
    threads.emplace_back([&, number] {
      for (std::size_t i = next++; i < pieces.size(); i = next++) {
        const Piece& piece = pieces[i];
        api::Failure failure = bundle.pread(
            file, piece.from, {buffer.data() + piece.to, static_cast<std::size_t>(piece.size)});
        if (failure.ok()) continue;
        failures[number] = std::move(failure);
        next = pieces.size();  // the others stop too
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (api::Failure& failure : failures) {
    if (!failure.ok()) return std::move(failure);
  }
  return {};
}

api::Failure run(const std::string& path, const std::string& trust_path,
                 const std::string& key_path, unsigned thread_count) {
  const auto trust = api::Trust::load(trust_path);
  if (!trust) return trust.failure();
  auto options = api::make<sealpack_session_options>();
  options.trust = trust->get();
  options.max_readers = thread_count;
  auto session = api::Session::create(options);
  if (!session) return session.failure();
  auto bundle = session->open(path);
  if (!bundle) return bundle.failure();
  api::Failure unlocked = bundle->unlock_key_file(key_path);
  if (!unlocked.ok()) return unlocked;

  const std::size_t file_count = bundle->info()->file_count;
  for (std::size_t file = 0; file < file_count; ++file) {
    const auto entry = bundle->file(file);
    const std::string name = entry->path;
    if (name.size() < 5 || name.substr(name.size() - 5) != ".gguf") continue;
    const auto header = read_header(*bundle, file, entry->size);
    if (!header) return header.failure();
    std::vector<std::uint8_t> buffer(static_cast<std::size_t>(entry->size - header->data));
    const auto start = std::chrono::steady_clock::now();
    api::Failure loaded = load_tensors(*bundle, file, *header, buffer, thread_count);
    if (!loaded.ok()) return loaded;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    for (const Tensor& tensor : header->tensors) {
      std::printf(
          "%016llx %llu %llu %s\n",
          static_cast<unsigned long long>(checksum(buffer.data() + tensor.offset, tensor.size)),
          static_cast<unsigned long long>(header->data + tensor.offset),
          static_cast<unsigned long long>(tensor.size), tensor.name.c_str());
    }
    std::fflush(stdout);
    std::fprintf(stderr, "%s: %zu tensors, %.1f MB in %.3f s with %u threads: %.2f GB/s\n",
                 name.c_str(), header->tensors.size(), static_cast<double>(buffer.size()) / 1e6,
                 seconds.count(), thread_count,
                 static_cast<double>(buffer.size()) / 1e9 / seconds.count());
    return {};
  }
  return {SEALPACK_USAGE, "the bundle holds no .gguf file", ""};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5) {
    std::fprintf(stderr, "usage: load_gguf BUNDLE TRUST KEY [THREADS]\n");
    return SEALPACK_USAGE;
  }
  const unsigned threads = argc > 4 ? static_cast<unsigned>(std::strtoul(argv[4], nullptr, 10)) : 2;
  const api::Failure failure =
      run(argv[1], argv[2], argv[3], threads == 0 || threads > 256 ? 1 : threads);
  if (failure.ok()) return 0;
  std::fprintf(stderr, "load_gguf: %s\n", failure.message.c_str());
  if (!failure.hint.empty()) std::fprintf(stderr, "load_gguf: %s\n", failure.hint.c_str());
  return failure.code;
}
