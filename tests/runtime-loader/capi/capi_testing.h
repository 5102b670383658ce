// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime-loader/include/sealpack/loader.h"
#include "tests/testing/test_bundle.h"

// Handles that close themselves, and bundles in memory whose bytes a test may change.
namespace sealpack::testing {

struct Closer {
  void operator()(sealpack_trust* handle) const { sealpack_trust_free(handle); }
  void operator()(sealpack_session* handle) const { sealpack_session_close(handle); }
  void operator()(sealpack_bundle* handle) const { sealpack_bundle_close(handle); }
};
template <typename Handle>
using Owned = std::unique_ptr<Handle, Closer>;

// The message too when a code is not the expected one.
#define EXPECT_CODE(wanted, call)                                                 \
  do {                                                                            \
    sealpack_error error{};                                                       \
    const int got = (call);                                                       \
    EXPECT_EQ(got, (wanted)) << sealpack_code_name(got) << ": " << error.message; \
    if (got != SEALPACK_OK) {                                                     \
      EXPECT_EQ(error.code, got);                                                 \
    }                                                                             \
  } while (false)
#define ASSERT_CODE(wanted, call)                                                 \
  do {                                                                            \
    sealpack_error error{};                                                       \
    const int got = (call);                                                       \
    ASSERT_EQ(got, (wanted)) << sealpack_code_name(got) << ": " << error.message; \
  } while (false)

// A bundle in memory. `change` sees every read before the loader does.
struct MemoryBundle {
  ByteVector bytes;
  std::function<int(std::uint64_t offset, MutableBytes out)> change = [](auto, auto) { return 0; };
  int closed = 0;

  sealpack_source source() {
    sealpack_source source = SEALPACK_INIT(sealpack_source);
    source.context = this;
    source.size = bytes.size();
    source.read_at = [](void* context, std::uint64_t offset, void* buffer, std::size_t size) {
      auto* self = static_cast<MemoryBundle*>(context);
      const MutableBytes out(static_cast<std::uint8_t*>(buffer), size);
      std::copy_n(self->bytes.begin() + static_cast<std::ptrdiff_t>(offset), size, out.begin());
      return self->change(offset, out);
    };
    source.close = [](void* context) { ++static_cast<MemoryBundle*>(context)->closed; };
    return source;
  }
};

inline sealpack_public_key public_key(const crypto::PrivateKey& key, const char* role) {
  sealpack_public_key given = SEALPACK_INIT(sealpack_public_key);
  given.role = role;
  given.data = key.spki().data();
  given.data_size = key.spki().size();
  return given;
}

inline Owned<sealpack_trust> trust_for(const TestKeys& keys, const char* product = "test product") {
  const sealpack_public_key authority = public_key(keys.authority, "authority");
  sealpack_trust_options options = SEALPACK_INIT(sealpack_trust_options);
  options.keys = &authority;
  options.key_count = 1;
  options.product = product;
  sealpack_trust* trust = nullptr;
  EXPECT_CODE(SEALPACK_OK, sealpack_trust_create(&options, &trust, &error));
  return Owned<sealpack_trust>(trust);
}

inline Owned<sealpack_session> session_with(sealpack_session_options options,
                                            const sealpack_trust* trust) {
  options.trust = trust;
  sealpack_session* session = nullptr;
  EXPECT_CODE(SEALPACK_OK, sealpack_session_create(&options, &session, &error));
  return Owned<sealpack_session>(session);
}

inline Owned<sealpack_bundle> open_in(sealpack_session* session, MemoryBundle& memory) {
  const sealpack_source source = memory.source();
  sealpack_bundle* bundle = nullptr;
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_open_source(session, &source, nullptr, &bundle, &error));
  return Owned<sealpack_bundle>(bundle);
}

// The text of an unencrypted key file.
inline std::string key_file_text(const crypto::PrivateKey& key, const std::string& role) {
  const crypto::SecretBytes der = key.to_pkcs8();
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string base64;
  const Bytes bytes = der.reveal();
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = (group << 8U) | (j < left ? bytes[i + j] : std::uint32_t{0});
    }
    for (std::size_t j = 0; j < 4; ++j) {
      base64 += j <= left ? kDigits[(group >> (18U - 6U * j)) & 63U] : '=';
    }
  }
  std::string text = "sealpack-key: role=" + role + "\n-----BEGIN PRIVATE KEY-----\n";
  for (std::size_t i = 0; i < base64.size(); i += 64) text += base64.substr(i, 64) + "\n";
  return text + "-----END PRIVATE KEY-----\n";
}

inline int unlock(sealpack_bundle* bundle, const crypto::PrivateKey& key, sealpack_error* error,
                  const std::string& role = "recipient") {
  const std::string text = key_file_text(key, role);
  return sealpack_bundle_unlock_key_bytes(bundle, text.data(), text.size(), nullptr, error);
}

inline bool all_zero(const ByteVector& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

// A safetensors file of three tensors, in segments: the header, then one each.
struct TestModel {
  std::string header;
  std::vector<ByteVector> data = {pattern(48, 11), pattern(400000, 12), pattern(70000, 13)};

  TestModel() {
    header = R"({"a":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]},)"
             R"("b":{"dtype":"U8","shape":[100,4000],"data_offsets":[48,400048]},)"
             R"("scalar/c":{"dtype":"U8","shape":[70000],"data_offsets":[400048,470048]}})";
    while (header.size() % 8 != 0) header += ' ';
  }
  ByteVector head_bytes() const {
    ByteVector bytes;
    for (unsigned i = 0; i < 8; ++i) {
      bytes.push_back(static_cast<std::uint8_t>(header.size() >> (8 * i)));
    }
    bytes.insert(bytes.end(), header.begin(), header.end());
    return bytes;
  }
  ByteVector file() const {
    ByteVector all = head_bytes();
    for (const ByteVector& part : data) all.insert(all.end(), part.begin(), part.end());
    return all;
  }
  // The model sealed, a text file public; both originals.
  Recipe recipe() const {
    Recipe recipe;
    recipe.public_files = {{"config.json", pattern(40000, 14)}};
    recipe.sealed_files = {{"model.safetensors",
                            bundle::SealedKind::kModel,
                            {head_bytes(), data[0], data[1], data[2]}}};
    recipe.edit_content = [size = file().size()](bundle::Content& content) {
      content.originals = {{"config.json", 40000, {{0, 0, 40000}}},
                           {"model.safetensors", size, {{1, 0, size}}}};
      content.card.tensors = {
          {"a", "F32", {3, 4}, 1}, {"b", "U8", {100, 4000}, 1}, {"scalar/c", "U8", {70000}, 1}};
      content.card.sealed_parameters = 470012;
    };
    return recipe;
  }
};

// Threads that read the public file of a TestModel's bundle again and again, more than it lets read
// at once: at no moment is nobody reading.
class BusyReaders {
 public:
  explicit BusyReaders(sealpack_bundle* bundle) {
    for (std::size_t i = 0; i < kCount; ++i) {
      threads_.emplace_back([this, bundle] { read(bundle); });
    }
    std::unique_lock lock(mutex_);
    begun_.wait(lock, [this] { return busy_ == kCount; });
  }
  ~BusyReaders() { finish(); }
  // Ends them; how many reads went wrong.
  int finish() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    return wrong_;
  }

 private:
  static constexpr std::size_t kCount = 24;

  void read(sealpack_bundle* bundle) {
    const ByteVector expected = pattern(40000, 14);
    ByteVector out(expected.size());
    for (bool first = true; !stop_; first = false) {
      const int code = sealpack_file_pread(bundle, 0, 0, out.data(), out.size(), nullptr);
      if (code != SEALPACK_OK || out != expected) ++wrong_;
      if (!first) continue;
      const std::lock_guard lock(mutex_);
      ++busy_;
      begun_.notify_one();
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<int> wrong_{0};
  std::mutex mutex_;
  std::condition_variable begun_;
  std::size_t busy_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace sealpack::testing
