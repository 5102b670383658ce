// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/block_source.h"
#include "runtime-loader/capi/boundary.h"

namespace sealpack::capi {

// The caller's hooks, called if they are there.
class Hooks {
 public:
  Hooks() = default;
  explicit Hooks(const sealpack_hooks& hooks) : hooks_(hooks) {}

  void log(int level, const std::string& message) const {
    if (hooks_.log != nullptr) hooks_.log(hooks_.context, level, message.c_str());
  }
  bool stops() const { return hooks_.cancel != nullptr && hooks_.cancel(hooks_.context) != 0; }
  void progress(std::uint64_t done, std::uint64_t total) const {
    if (hooks_.progress != nullptr) hooks_.progress(hooks_.context, done, total);
  }

 private:
  sealpack_hooks hooks_{};
};

// Asks the cancel hook before every read. The hooks must outlive it.
class WatchedSource final : public BlockSource {
 public:
  WatchedSource(std::shared_ptr<const BlockSource> inner, const Hooks& hooks)
      : inner_(std::move(inner)), hooks_(&hooks) {}
  std::uint64_t size() const override { return inner_->size(); }
  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    if (hooks_->stops()) return cancelled();
    return inner_->read_at(offset, out);
  }
  Status read_scattered(std::uint64_t offset, std::span<const MutableBytes> pieces) const override {
    if (hooks_->stops()) return cancelled();
    return inner_->read_scattered(offset, pieces);
  }

 private:
  std::shared_ptr<const BlockSource> inner_;
  const Hooks* hooks_;
};

// A source whose bytes come from the caller's callback.
class CallbackSource final : public BlockSource {
 public:
  explicit CallbackSource(const sealpack_source& source) : source_(source) {}
  CallbackSource(const CallbackSource&) = delete;
  CallbackSource& operator=(const CallbackSource&) = delete;
  ~CallbackSource() override {
    if (source_.close != nullptr) source_.close(source_.context);
  }
  std::uint64_t size() const override { return source_.size; }
  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    if (offset > source_.size || out.size() > source_.size - offset) {
      return Error(ErrorCode::kIo, "a read past the end of the source");
    }
    if (out.empty()) return done();
    return callback_status(source_.read_at(source_.context, offset, out.data(), out.size()),
                           "read_at");
  }

 private:
  sealpack_source source_;
};

}  // namespace sealpack::capi
