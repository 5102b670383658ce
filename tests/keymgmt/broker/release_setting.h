// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>

#include "tests/keymgmt/broker/broker_setting.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::broker::testing {

class ReleaseTest : public ::testing::Test {
 protected:
  void start() { setting_.start(); }
  Service& service() { return *setting_.service; }
  // What a whole exchange with a client like this is refused for.
  std::string refused_for(Client& client) { return codes_of(exchange(service(), client)); }
  std::string refused_for() {
    Client client(setting_);
    return refused_for(client);
  }
  // The challenge was had before `change`, the key is asked for after it.
  std::string refused_after(const Change& change) {
    start();
    Client client(setting_);
    const auto reply = challenge_of(service(), client.subject);
    EXPECT_THAT(setting_.apply(change), sealpack::testing::Succeeds());
    return codes_of(release_of(service(), client.release_request(reply)));
  }
  Setting setting_;
};

}  // namespace sealpack::broker::testing
