// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "formats/base/error.h"

namespace sealpack {

// A value or the Error that prevented it. Ignoring one is a compile error; taking the side that is
// not there is a bug and ends the process, in release builds too.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return state_.index() == 0; }

  T& value() & {
    require(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    require(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    require(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    require(!ok());
    return *std::get_if<1>(&state_);
  }
  Error take_error() && {
    require(!ok());
    return std::move(*std::get_if<1>(&state_));
  }
  // The same result; a failure gets "context: " before its message.
  Result within(const std::string& context) && {
    if (ok()) return std::move(*this);
    return std::move(*this).take_error().within(context);
  }
  Result with_hint(std::string hint) && {
    if (ok()) return std::move(*this);
    return std::move(*this).take_error().with_hint(std::move(hint));
  }

 private:
  static void require(bool there) {
    if (!there) die("took the side of a Result that is not there");
  }
  std::variant<T, Error> state_;
};

struct Done {};
using Status = Result<Done>;
inline Status done() {
  return Done{};
}

// Value of the expression, or leaves the enclosing function with its error.
#define TRY(...) SEALPACK_TRY_COUNTED(__COUNTER__, __VA_ARGS__)
#define SEALPACK_TRY_COUNTED(counter, ...) SEALPACK_TRY_NAMED(counter, __VA_ARGS__)
#define SEALPACK_TRY_NAMED(counter, ...)                                                 \
  __extension__({                                                                        \
    auto try_result_##counter = (__VA_ARGS__);                                           \
    if (!try_result_##counter.ok()) return std::move(try_result_##counter).take_error(); \
    std::move(try_result_##counter).value();                                             \
  })

}  // namespace sealpack
