// SPDX-License-Identifier: Apache-2.0
#ifndef SEALPACK_LOADER_HPP
#define SEALPACK_LOADER_HPP

// C++17 over loader.h: handles that close themselves, results instead of exceptions. It uses the C
// interface alone, whose comments are the contract; nothing here throws but std::bad_alloc where a
// list or a text is made.

#include <sealpack/loader.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sealpack {
namespace loader_api {

// What went wrong. Code SEALPACK_OK: nothing.
struct [[nodiscard]] Failure {
  int code = SEALPACK_OK;
  std::string message;
  std::string hint;
  bool ok() const { return code == SEALPACK_OK; }
};

// A value or the failure that prevented it. Taking the value of a failure is undefined, as with
// std::optional: ask ok() first.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit
  Result(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}  // NOLINT
  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& operator*() { return *std::get_if<0>(&state_); }
  const T& operator*() const { return *std::get_if<0>(&state_); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }
  const Failure& failure() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Failure> state_;
};

// Bytes of somebody else. Like C++20's std::span, of which it can be made.
template <typename Byte>
class ByteSpan {
 public:
  ByteSpan() = default;
  ByteSpan(Byte* data, std::size_t size) : data_(data), size_(size) {}
  // Of anything with data() and size(): vectors, arrays, spans.
  template <typename Container,
            typename Element = std::remove_pointer_t<decltype(std::declval<Container&>().data())>>
  ByteSpan(Container&& all)  // NOLINT: implicit
      : data_(reinterpret_cast<Byte*>(all.data())), size_(all.size() * sizeof(Element)) {
    static_assert(std::is_trivially_copyable_v<std::remove_cv_t<Element>>, "only plain data");
  }
  Byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  Byte* data_ = nullptr;
  std::size_t size_ = 0;
};
using Bytes = ByteSpan<const std::uint8_t>;
using MutableBytes = ByteSpan<std::uint8_t>;

// A zeroed struct of the C interface with its size.
template <typename Struct>
Struct make() {
  Struct value{};
  value.struct_size = sizeof(Struct);
  return value;
}

namespace detail {

inline Failure failure(const sealpack_error& error) {
  return {error.code, error.message, error.hint};
}
// Calls f(&error).
template <typename Call>
Failure call(const Call& f) {
  sealpack_error error;
  if (f(&error) == SEALPACK_OK) return {};
  return failure(error);
}
template <typename T, typename Call>
Result<T> get(T value, const Call& f) {
  sealpack_error error;
  if (f(&value, &error) != SEALPACK_OK) return failure(error);
  return value;
}
template <typename Handle, void (*Close)(Handle*)>
struct Closer {
  void operator()(Handle* handle) const { Close(handle); }
};
template <typename Handle, void (*Close)(Handle*)>
using Owned = std::unique_ptr<Handle, Closer<Handle, Close>>;

}  // namespace detail

class Trust {
 public:
  static Result<Trust> load(const std::string& path) {
    return make(
        [&](auto** out, auto* error) { return sealpack_trust_load(path.c_str(), out, error); });
  }
  static Result<Trust> parse(std::string_view toml, const std::string& folder) {
    return make([&](auto** out, auto* error) {
      return sealpack_trust_parse(toml.data(), toml.size(), folder.c_str(), out, error);
    });
  }
  static Result<Trust> create(const sealpack_trust_options& options) {
    return make(
        [&](auto** out, auto* error) { return sealpack_trust_create(&options, out, error); });
  }
  const sealpack_trust* get() const { return handle_.get(); }

 private:
  template <typename Call>
  static Result<Trust> make(const Call& f) {
    sealpack_trust* handle = nullptr;
    sealpack_error error;
    if (f(&handle, &error) != SEALPACK_OK) return detail::failure(error);
    Trust trust;
    trust.handle_.reset(handle);
    return trust;
  }
  detail::Owned<sealpack_trust, sealpack_trust_free> handle_;
};

// A tensor of the caller for Bundle::run.
template <typename Element>
sealpack_value value_of(const char* name, sealpack_dtype dtype,
                        const std::vector<std::int64_t>& shape, Element* data, std::size_t count) {
  sealpack_value value = make<sealpack_value>();
  value.name = name;
  value.dtype = dtype;
  value.rank = static_cast<std::uint32_t>(shape.size());
  for (std::size_t i = 0; i < shape.size() && i < SEALPACK_MAX_RANK; ++i) value.shape[i] = shape[i];
  value.data = const_cast<std::remove_const_t<Element>*>(data);
  value.size = count * sizeof(Element);
  return value;
}

class Bundle {
 public:
  sealpack_bundle* get() const { return handle_.get(); }

  Failure unlock_key_file(const std::string& path,
                          const sealpack_passphrase* passphrase = nullptr) {
    return detail::call([&](auto* error) {
      return sealpack_bundle_unlock_key_file(get(), path.c_str(), passphrase, error);
    });
  }
  Failure unlock_key_bytes(Bytes key, const sealpack_passphrase* passphrase = nullptr) {
    return detail::call([&](auto* error) {
      return sealpack_bundle_unlock_key_bytes(get(), key.data(), key.size(), passphrase, error);
    });
  }
  Failure unlock_aes256(const std::array<std::uint8_t, 32>& key) {
    return detail::call(
        [&](auto* error) { return sealpack_bundle_unlock_aes256(get(), key.data(), error); });
  }
  Failure unlock_source(const sealpack_key_source& source) {
    return detail::call(
        [&](auto* error) { return sealpack_bundle_unlock_source(get(), &source, error); });
  }
  Failure add_grant(Bytes grant) {
    return detail::call([&](auto* error) {
      return sealpack_bundle_add_grant(get(), grant.data(), grant.size(), error);
    });
  }
  Failure check() const {
    return detail::call([&](auto* error) { return sealpack_bundle_check(get(), error); });
  }
  Failure confirm() {
    return detail::call([&](auto* error) { return sealpack_bundle_confirm(get(), error); });
  }
  Result<std::vector<std::uint8_t>> receipt(Bytes nonce) {
    std::vector<std::uint8_t> out(16384);
    std::size_t size = out.size();
    sealpack_error error;
    if (sealpack_bundle_receipt(get(), nonce.data(), nonce.size(), out.data(), &size, &error) !=
        SEALPACK_OK) {
      return detail::failure(error);
    }
    out.resize(size);
    return out;
  }

  Result<sealpack_bundle_info> info() const {
    return detail::get(make<sealpack_bundle_info>(), [&](auto* out, auto* error) {
      return sealpack_bundle_get_info(get(), out, error);
    });
  }
  Result<sealpack_card_tensor> card_tensor(std::size_t index) const {
    return detail::get(make<sealpack_card_tensor>(), [&](auto* out, auto* error) {
      return sealpack_bundle_card_tensor(get(), index, out, error);
    });
  }
  Result<std::pair<const char*, const char*>> fact(std::size_t index) const {
    return detail::get(std::pair<const char*, const char*>(), [&](auto* out, auto* error) {
      return sealpack_bundle_fact(get(), index, &out->first, &out->second, error);
    });
  }

  Result<sealpack_file> file(std::size_t index) const {
    return detail::get(make<sealpack_file>(), [&](auto* out, auto* error) {
      return sealpack_file_describe(get(), index, out, error);
    });
  }
  Result<std::size_t> find_file(const std::string& path) const {
    return detail::get(std::size_t{0}, [&](auto* out, auto* error) {
      return sealpack_file_find(get(), path.c_str(), out, error);
    });
  }
  Failure pread(std::size_t file, std::uint64_t offset, MutableBytes out) const {
    return detail::call([&](auto* error) {
      return sealpack_file_pread(get(), file, offset, out.data(), out.size(), error);
    });
  }
  Failure stream(std::size_t file, std::uint64_t offset, std::uint64_t size,
                 const sealpack_sink& sink) const {
    return detail::call(
        [&](auto* error) { return sealpack_file_stream(get(), file, offset, size, &sink, error); });
  }

  Result<std::size_t> tensor_count() const {
    return detail::get(std::size_t{0}, [&](auto* out, auto* error) {
      return sealpack_tensor_count(get(), out, error);
    });
  }
  Result<sealpack_tensor> tensor(std::size_t index) const {
    return detail::get(make<sealpack_tensor>(), [&](auto* out, auto* error) {
      return sealpack_tensor_describe(get(), index, out, error);
    });
  }
  Result<std::size_t> find_tensor(const std::string& name) const {
    return detail::get(std::size_t{0}, [&](auto* out, auto* error) {
      return sealpack_tensor_find(get(), name.c_str(), out, error);
    });
  }
  Failure read_tensor(std::size_t tensor, std::uint64_t offset, MutableBytes out) const {
    return detail::call([&](auto* error) {
      return sealpack_tensor_pread(get(), tensor, offset, out.data(), out.size(), error);
    });
  }
  Failure read_rows(std::size_t tensor, std::uint64_t first, std::uint64_t count,
                    MutableBytes out) const {
    return detail::call([&](auto* error) {
      return sealpack_tensor_rows(get(), tensor, first, count, out.data(), out.size(), error);
    });
  }
  Failure stream_tensor(std::size_t tensor, std::uint64_t offset, std::uint64_t size,
                        const sealpack_sink& sink) const {
    return detail::call([&](auto* error) {
      return sealpack_tensor_stream(get(), tensor, offset, size, &sink, error);
    });
  }

  Result<sealpack_model_info> load_model(
      const sealpack_model_options& options = make<sealpack_model_options>()) {
    return detail::get(make<sealpack_model_info>(), [&](auto* out, auto* error) {
      return sealpack_model_load(get(), &options, out, error);
    });
  }
  Result<sealpack_value> model_input(std::size_t index) const {
    return detail::get(make<sealpack_value>(), [&](auto* out, auto* error) {
      return sealpack_model_input(get(), index, out, error);
    });
  }
  Result<sealpack_value> model_output(std::size_t index) const {
    return detail::get(make<sealpack_value>(), [&](auto* out, auto* error) {
      return sealpack_model_output(get(), index, out, error);
    });
  }
  // Writes the answers to the buffers of `outputs`.
  Result<sealpack_run_counters> run(const std::vector<sealpack_value>& inputs,
                                    std::vector<sealpack_value>& outputs) {
    return detail::get(make<sealpack_run_counters>(), [&](auto* counters, auto* error) {
      return sealpack_model_run(get(), inputs.data(), inputs.size(), outputs.data(), outputs.size(),
                                counters, error);
    });
  }
  Result<std::vector<std::uint8_t>> run_sealed(const std::vector<sealpack_value>& inputs,
                                               std::size_t room) {
    std::vector<std::uint8_t> out(room);
    std::size_t size = out.size();
    sealpack_error error;
    if (sealpack_model_run_sealed(get(), inputs.data(), inputs.size(), out.data(), &size, nullptr,
                                  &error) != SEALPACK_OK) {
      return detail::failure(error);
    }
    out.resize(size);
    return out;
  }

 private:
  friend class Session;
  explicit Bundle(sealpack_bundle* handle) : handle_(handle) {}
  detail::Owned<sealpack_bundle, sealpack_bundle_close> handle_;
};

class Session {
 public:
  static Result<Session> create(const sealpack_session_options& options) {
    sealpack_session* handle = nullptr;
    sealpack_error error;
    if (sealpack_session_create(&options, &handle, &error) != SEALPACK_OK) {
      return detail::failure(error);
    }
    return Session(handle);
  }
  // One owner, "vendor", with all defaults.
  static Result<Session> create(const Trust& trust) {
    sealpack_session_options options = make<sealpack_session_options>();
    options.trust = trust.get();
    return create(options);
  }
  sealpack_session* get() const { return handle_.get(); }

  // `owner` NULL: the only one.
  Result<Bundle> open(const std::string& path, const char* owner = nullptr) {
    return open_with([&](auto** out, auto* error) {
      return sealpack_bundle_open_path(get(), path.c_str(), owner, out, error);
    });
  }
  Result<Bundle> open_fd(int fd, const char* owner = nullptr) {
    return open_with([&](auto** out, auto* error) {
      return sealpack_bundle_open_fd(get(), fd, owner, out, error);
    });
  }
  Result<Bundle> open_source(const sealpack_source& source, const char* owner = nullptr) {
    return open_with([&](auto** out, auto* error) {
      return sealpack_bundle_open_source(get(), &source, owner, out, error);
    });
  }
  Result<std::array<std::uint8_t, 32>> launch_digest() const {
    return detail::get(std::array<std::uint8_t, 32>(), [&](auto* out, auto* error) {
      return sealpack_session_launch_digest(get(), out->data(), error);
    });
  }
  Result<std::uint64_t> peak_memory() const {
    return detail::get(std::uint64_t{0}, [&](auto* out, auto* error) {
      return sealpack_session_peak_memory(get(), out, error);
    });
  }

 private:
  explicit Session(sealpack_session* handle) : handle_(handle) {}
  template <typename Call>
  static Result<Bundle> open_with(const Call& f) {
    sealpack_bundle* handle = nullptr;
    sealpack_error error;
    if (f(&handle, &error) != SEALPACK_OK) return detail::failure(error);
    return Bundle(handle);
  }
  detail::Owned<sealpack_session, sealpack_session_close> handle_;
};

}  // namespace loader_api
}  // namespace sealpack

#endif  // SEALPACK_LOADER_HPP
