// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>

#include "keymgmt/broker/rules.h"

namespace sealpack::broker {

// The rules of a store's state, read again where that changed. For several threads.
class LiveRules {
 public:
  // `options` outlives it.
  LiveRules(std::shared_ptr<Store> store, const ServiceOptions& options)
      : store_(std::move(store)), options_(options) {}

  // As they were read last; nothing before the first refresh().
  std::shared_ptr<const Rules> get() const;
  // Of the state as it is now. kIo where the store is another than at first, or went back in time.
  // What goes wrong after the first time is reported once, however often it is tried.
  Status refresh();

 private:
  Status read();

  std::shared_ptr<Store> store_;
  const ServiceOptions& options_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Rules> rules_;
  std::mutex refresh_mutex_;
  std::string trouble_;  // as it was reported
};

}  // namespace sealpack::broker
