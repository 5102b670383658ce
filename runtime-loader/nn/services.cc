// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/services.h"

namespace sealpack::nn {
namespace {

class NoWorkers final : public Workers {
 public:
  unsigned count() const override { return 1; }
  void run(std::size_t parts, const std::function<void(std::size_t)>& task) override {
    for (std::size_t part = 0; part < parts; ++part) task(part);
  }
};

class NoBackground final : public Background {
 public:
  void start(std::function<void()> job) override { job(); }
  void wait() override {}
};

}  // namespace

Workers& no_workers() {
  static NoWorkers workers;
  return workers;
}

Background& no_background() {
  static NoBackground background;
  return background;
}

}  // namespace sealpack::nn
