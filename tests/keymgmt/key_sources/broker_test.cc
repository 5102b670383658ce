// SPDX-License-Identifier: Apache-2.0
// A bundle opened through the C interfaces by a grant of a broker: its server, its service, its
// store.
#include <sealpack/key_sources.h>

#include <thread>

#include "attest/evidence/simulated.h"
#include "keymgmt/broker/server/server.h"
#include "keymgmt/broker/server/tls.h"
#include "keymgmt/keystore/private_file.h"
#include "keymgmt/slots/slots.h"
#include "tests/keymgmt/broker/broker_setting.h"
#include "tests/runtime-loader/capi/capi_testing.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/silent_port.h"

namespace sealpack::testing {
namespace {

using ::testing::HasSubstr;

struct CloseBroker {
  void operator()(sealpack_broker* broker) const { sealpack_broker_close(broker); }
};

class BrokerSource : public ::testing::Test {
 protected:
  void SetUp() override {
    make_bundle();
    setting_.start();
    const auto made = broker::make_self_signed({"localhost", "127.0.0.1"},
                                               static_cast<std::uint64_t>(::time(nullptr)), 30);
    ASSERT_THAT(made, Succeeds());
    certificate_ = setting_.folder.put("tls.crt", made->certificate);
    broker::ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.certificate = certificate_;
    options.key = setting_.folder / "tls.key";
    ASSERT_THAT(keystore::store_file(options.key, made->key.reveal(), 0600, Overwrite::kRefuse),
                Succeeds());
    options.limits.handshake_time = options.limits.request_time = std::chrono::minutes(5);
    broker::ServerContent content;
    content.log.checkpoint = [] { return Result<std::string>("a note\n"); };
    content.keys = [] { return Result<std::string>("{}\n"); };
    auto server = broker::Server::create(options, *setting_.service, content, events_);
    ASSERT_THAT(server, Succeeds());
    server_ = *std::move(server);
    thread_ = std::thread([this] { server_->run(broker::Server::Signals::kIgnored); });
    open_bundle();
  }
  void TearDown() override {
    bundle_.reset();
    session_.reset();
    if (server_) server_->stop();
    if (thread_.joinable()) thread_.join();
  }

  // A bundle that can be read, under the policy of the setting's.
  void make_bundle() {
    const auto policy = bundle::parse_release(setting_.release.head.release.payload)->policy;
    Recipe recipe = TestModel().recipe();
    recipe.edit_release = [&](bundle::Release& release) {
      release.policy = policy;
      release.counter = 8;  // above the setting's own, which is of the same product
    };
    TestBundle made = build(setting_.vendor_keys, recipe);
    const slots::Binding binding{made.content.uuid, made.release.content_digest,
                                 made.content.authority};
    const auto to = crypto::EncryptionKey::from_spki(setting_.recipient.spki());
    made.head.slots = {
        *slots::wrap_for(*to, bundle::SlotClass::kAttested, binding, setting_.vendor_keys.content)};
    memory_.bytes = with_head(made.bytes(), made.head);
    const broker::ServiceKeys keys = setting_.service_keys();
    auto registered = broker::register_bundle(memory(memory_.bytes), setting_.vendor,
                                              {*setting_.clock}, {}, keys.recipients);
    ASSERT_THAT(registered, Succeeds());
    ASSERT_THAT(setting_.add(*registered), Succeeds());
  }

  // A session in a simulated environment with the setting's measurement, and the bundle in it.
  void open_bundle() {
    sealpack_environment environment = SEALPACK_INIT(sealpack_environment);
    environment.context = this;
    environment.tee = "simulated";
    environment.evidence = [](void* context, const void* data, std::size_t size, void* out,
                              std::size_t capacity) -> std::int64_t {
      const auto* self = static_cast<BrokerSource*>(context);
      const auto made = attest::make_simulated_evidence(
          self->measurement_, {static_cast<const std::uint8_t*>(data), size},
          *self->setting_.lab.signer().value());
      EXPECT_LE(made->size(), capacity);
      std::copy(made->begin(), made->end(), static_cast<std::uint8_t*>(out));
      return static_cast<std::int64_t>(made->size());
    };
    const sealpack_public_key pinned = public_key(setting_.grants, nullptr);
    const auto trust = trust_for(setting_.vendor_keys);
    sealpack_owner owner = SEALPACK_INIT(sealpack_owner);
    owner.name = "vendor";
    owner.trust = trust.get();
    owner.broker = &pinned;
    sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
    options.owners = &owner;
    options.owner_count = 1;
    options.environment = &environment;
    session_ = session_with(options, nullptr);
    bundle_ = open_in(session_.get(), memory_);
  }

  std::unique_ptr<sealpack_broker, CloseBroker> open_broker() {
    return open_broker("https://127.0.0.1:" + std::to_string(server_->port()));
  }
  std::unique_ptr<sealpack_broker, CloseBroker> open_broker(const std::string& url,
                                                            std::uint32_t tries = 0) {
    sealpack_broker_options options = SEALPACK_INIT(sealpack_broker_options);
    options.url = url.c_str();
    options.ca_file = certificate_.c_str();
    options.tries = tries;
    sealpack_broker* broker = nullptr;
    EXPECT_CODE(SEALPACK_OK, sealpack_broker_open(&options, &broker, &error));
    return std::unique_ptr<sealpack_broker, CloseBroker>(broker);
  }
  bool reads() {
    ByteVector out(10);
    return sealpack_file_pread(bundle_.get(), 1, 0, out.data(), out.size(), nullptr) == SEALPACK_OK;
  }

  broker::testing::Setting setting_;
  Digest measurement_ = setting_.measurement;
  std::filesystem::path certificate_;
  broker::EventLog events_{[](const std::string&) {}};
  std::unique_ptr<broker::Server> server_;
  std::thread thread_;
  MemoryBundle memory_;
  Owned<sealpack_session> session_;
  Owned<sealpack_bundle> bundle_;
};

TEST_F(BrokerSource, UnlocksABundle) {
  const auto broker = open_broker();
  EXPECT_CODE(SEALPACK_OK,
              sealpack_bundle_unlock_broker(bundle_.get(), broker.get(), "simulated", &error));
  EXPECT_TRUE(reads());
}

TEST_F(BrokerSource, TellsWhyTheBrokerRefuses) {
  measurement_.bytes[0] ^= 1;
  const auto broker = open_broker();
  sealpack_error told{};
  EXPECT_EQ(sealpack_bundle_unlock_broker(bundle_.get(), broker.get(), "simulated", &told),
            SEALPACK_REFUSED);
  EXPECT_THAT(told.message, HasSubstr("policy.not-accepted"));
  EXPECT_THAT(told.message, HasSubstr("measurement"));
  EXPECT_FALSE(reads());
}

TEST_F(BrokerSource, IsRefusedForAnotherTypeOfEnvironmentThanTheSessions) {
  const auto broker = open_broker();
  EXPECT_NE(sealpack_bundle_unlock_broker(bundle_.get(), broker.get(), "sgx", nullptr),
            SEALPACK_OK);
  EXPECT_FALSE(reads());
}

TEST_F(BrokerSource, SaysThatTheBrokerIsGone) {
  const SilentPort port;
  const auto broker = open_broker(port.url(), 1);
  EXPECT_CODE(SEALPACK_TRY_AGAIN,
              sealpack_bundle_unlock_broker(bundle_.get(), broker.get(), "simulated", &error));
}

TEST_F(BrokerSource, WantsItsArguments) {
  const auto broker = open_broker();
  EXPECT_CODE(SEALPACK_USAGE,
              sealpack_bundle_unlock_broker(nullptr, broker.get(), "simulated", &error));
  EXPECT_CODE(SEALPACK_USAGE,
              sealpack_bundle_unlock_broker(bundle_.get(), nullptr, "simulated", &error));
  EXPECT_CODE(SEALPACK_USAGE,
              sealpack_bundle_unlock_broker(bundle_.get(), broker.get(), nullptr, &error));
  sealpack_broker_options options = SEALPACK_INIT(sealpack_broker_options);
  sealpack_broker* made = nullptr;
  EXPECT_CODE(SEALPACK_USAGE, sealpack_broker_open(&options, &made, &error));
  options.url = "http://127.0.0.1:1";
  EXPECT_CODE(SEALPACK_USAGE, sealpack_broker_open(&options, &made, &error));
  EXPECT_EQ(made, nullptr);
  sealpack_broker_close(nullptr);
}

}  // namespace
}  // namespace sealpack::testing
