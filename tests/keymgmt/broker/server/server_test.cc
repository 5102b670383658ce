// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include "tests/keymgmt/broker/server/running_server.h"
#include "tests/keymgmt/broker/server/tls_client.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using std::chrono::milliseconds;
using testing::get;
using testing::happens;
using ::testing::HasSubstr;
using testing::metrics_of;
using ::testing::Not;
using testing::patient_limits;
using testing::plain_ask;
using testing::post;
using testing::RunningServer;
using ::testing::StartsWith;
using testing::TlsClient;

constexpr const char* kOk = "HTTP/1.1 200 OK\r\n";

TEST(Servers, AnswerManyRequestsOnOneConnection) {
  RunningServer server;
  server.start();
  TlsClient client(server.port());
  ASSERT_TRUE(client.shake_hands());
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(client.ask(post("/v1/release", "x")), AllOf(StartsWith(kOk), HasSubstr("\4\5\6")));
    EXPECT_THAT(client.ask(get("/healthz")), AllOf(StartsWith(kOk), HasSubstr("ok\n")));
  }
  EXPECT_EQ(server.service.releases.size(), 5U);
}

TEST(Servers, AnswerRequestsThatComeAtOnceInTheirOrder) {
  RunningServer server;
  server.start();
  TlsClient client(server.port());
  ASSERT_TRUE(client.shake_hands());
  ASSERT_TRUE(client.send(post("/v1/challenge", "x") + get("/healthz")));
  std::string both = client.receive();
  if (both.find("ok\n") == std::string::npos) both += client.receive();
  EXPECT_THAT(both, AllOf(StartsWith(kOk), HasSubstr("ok\n")));
}

TEST(Servers, SpeakTls13Alone) {
  RunningServer server;
  server.start();
  EXPECT_FALSE(TlsClient(server.port()).shake_hands(TLS1_2_VERSION));
  TlsClient client(server.port());
  ASSERT_TRUE(client.shake_hands());
  EXPECT_STREQ(::SSL_get_version(client.native()), "TLSv1.3");
}

// A ticket would be opened with a key that outlives everything else.
TEST(Servers, GiveNoSessionTickets) {
  RunningServer server;
  server.start();
  TlsClient client(server.port());
  ASSERT_TRUE(client.shake_hands());
  (void)client.ask(get("/healthz"));
  EXPECT_EQ(::SSL_SESSION_has_ticket(::SSL_get_session(client.native())), 0);
}

TEST(Servers, ListenOnAddressesAlone) {
  testing::FakeService service;
  EventLog events([](const std::string&) {});
  RunningServer files;
  files.write_certificate();
  for (const char* listen : {"", "localhost:8443", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                             "127.0.0.1:8443x", ":8443", "[::1]", "127.0.0.1:-1"}) {
    ServerOptions options;
    options.listen = listen;
    options.certificate = files.certificate;
    options.key = files.key;
    EXPECT_THAT(Server::create(options, service, {}, events), Fails(ErrorCode::kUsage)) << listen;
  }
}

TEST(Servers, SayThatAPortIsTaken) {
  RunningServer server;
  server.start();
  testing::FakeService service;
  EventLog events([](const std::string&) {});
  ServerOptions options;
  options.listen = "127.0.0.1:" + std::to_string(server.port());
  options.certificate = server.certificate;
  options.key = server.key;
  EXPECT_THAT(Server::create(options, service, {}, events),
              FailsWith(ErrorCode::kIo, HasSubstr(options.listen)));
}

// ---- Limits

TEST(Servers, RefuseLargeHeadsAndBodiesBeforeTheyReadThem) {
  RunningServer server;
  server.start();
  TlsClient head(server.port());
  ASSERT_TRUE(head.shake_hands());
  EXPECT_THAT(head.ask("GET /healthz HTTP/1.1\r\nHost: " + std::string(10000, 'x') + "\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 431"), HasSubstr("server.head")));
  EXPECT_TRUE(head.is_cut());
  TlsClient body(server.port());
  ASSERT_TRUE(body.shake_hands());
  EXPECT_THAT(body.ask("POST /v1/release HTTP/1.1\r\nHost: x\r\nContent-Type: "
                       "application/x-protobuf\r\nContent-Length: 524289\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 413"), HasSubstr("server.size")));
  EXPECT_TRUE(body.is_cut());
  EXPECT_TRUE(server.service.releases.empty());
}

TEST(Servers, TakeTheLargestBodyThereIs) {
  RunningServer server;
  server.start();
  TlsClient client(server.port());
  ASSERT_TRUE(client.shake_hands());
  EXPECT_THAT(client.ask(post("/v1/release", std::string(kMaxRequestSize, 'x'))), StartsWith(kOk));
  ASSERT_EQ(server.service.releases.size(), 1U);
  EXPECT_EQ(server.service.releases[0].size(), kMaxRequestSize);
}

TEST(Servers, RefuseBodiesWithoutALengthAndNonsense) {
  RunningServer server;
  server.start();
  for (const auto& [text, status] : {
           std::pair{std::string("POST /v1/release HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                                 "chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
                     "HTTP/1.1 411"},
           {std::string("HELLO\r\n\r\n"), "HTTP/1.1 400"},
           {std::string("GET /healthz HTTP/9.9\r\n\r\n"), "HTTP/1.1 400"},
           {std::string("GET /healthz HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
            "HTTP/1.1 400"},
           {std::string("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), "HTTP/1.1 400"},
       }) {
    TlsClient client(server.port());
    ASSERT_TRUE(client.shake_hands());
    EXPECT_THAT(client.ask(text), AllOf(StartsWith(status), HasSubstr("server.http"))) << text;
    EXPECT_TRUE(client.is_cut());
  }
  EXPECT_TRUE(server.service.releases.empty());
}

TEST(Servers, TellFastClientsToWait) {
  ServerLimits limits = patient_limits();
  limits.requests_per_second = 0;  // however slow this machine is
  limits.request_burst = 2;
  RunningServer server(limits);
  server.start();
  TlsClient client(server.port());
  ASSERT_TRUE(client.shake_hands());
  EXPECT_THAT(client.ask(post("/v1/release", "1")), StartsWith(kOk));
  EXPECT_THAT(client.ask(post("/v1/release", "2")), StartsWith(kOk));
  EXPECT_THAT(client.ask(post("/v1/release", "3")),
              AllOf(StartsWith("HTTP/1.1 429"), HasSubstr("Retry-After: 3600\r\n"),
                    HasSubstr("server.rate")));
  EXPECT_EQ(server.service.releases.size(), 2U);
  // Another address is not held back.
  TlsClient other(server.port(), "127.0.0.2");
  ASSERT_TRUE(other.shake_hands());
  EXPECT_THAT(other.ask(post("/v1/release", "4")), StartsWith(kOk));
}

TEST(Servers, SignNoHandshakesForThoseWhoConnectTooOften) {
  ServerLimits limits = patient_limits();
  limits.handshakes_per_second = 0;
  limits.handshake_burst = 2;
  RunningServer server(limits);
  server.start();
  TlsClient first(server.port());
  TlsClient second(server.port());
  ASSERT_TRUE(first.shake_hands());
  ASSERT_TRUE(second.shake_hands());
  TlsClient third(server.port());
  EXPECT_FALSE(third.shake_hands());
  TlsClient other(server.port(), "127.0.0.3");
  EXPECT_TRUE(other.shake_hands());
}

TEST(Servers, GiveOneAddressItsShareOfConnections) {
  ServerLimits limits = patient_limits();
  limits.connections_per_address = 3;
  RunningServer server(limits);
  server.start();
  std::vector<std::unique_ptr<TlsClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<TlsClient>(server.port()));
    ASSERT_TRUE(clients.back()->shake_hands());
  }
  EXPECT_FALSE(TlsClient(server.port()).shake_hands());
  EXPECT_TRUE(TlsClient(server.port(), "127.0.0.2").shake_hands());
  clients.pop_back();
  EXPECT_TRUE(happens([&] { return TlsClient(server.port()).shake_hands(); }))
      << "the place was not given back";
}

TEST(Servers, CutClientsThatShakeNoHands) {
  ServerLimits limits = patient_limits();
  limits.handshake_time = milliseconds(100);
  RunningServer server(limits);
  server.start();
  TlsClient client(server.port());
  ASSERT_TRUE(client.connected());
  EXPECT_TRUE(client.is_cut());
}

// Every byte comes before any timeout between bytes would; all together do not.
TEST(Servers, CutClientsThatDrip) {
  ServerLimits limits = patient_limits();
  limits.request_time = milliseconds(300);
  RunningServer server(limits);
  server.start();
  TlsClient client(server.port());
  ASSERT_TRUE(client.shake_hands());
  std::atomic<bool> cut{false};
  std::thread dripping([&] {
    (void)client.send("POST /v1/release HTTP/1.1\r\nX: ");
    while (!cut && client.send("x")) std::this_thread::sleep_for(milliseconds(20));
  });
  EXPECT_TRUE(client.is_cut_below_tls(MSG_PEEK));
  cut = true;
  dripping.join();
  EXPECT_TRUE(server.service.releases.empty());
}

TEST(Servers, CutClientsThatDoNothing) {
  ServerLimits limits = patient_limits();
  limits.idle_time = milliseconds(100);
  bool asked = false;
  while (!asked && limits.idle_time < std::chrono::minutes(1)) {
    limits.idle_time *= 2;  // until this machine asks in time
    RunningServer server(limits);
    server.start();
    TlsClient client(server.port());
    asked = client.shake_hands() && client.ask(get("/healthz")).starts_with(kOk);
    EXPECT_TRUE(client.is_cut());
  }
  EXPECT_TRUE(asked);
}

TEST(Servers, LimitTheMemoryOfBodies) {
  ServerLimits limits = patient_limits();
  limits.body_memory = 8 * 1000;  // 1000 for an address
  RunningServer server(limits);
  server.start();
  TlsClient waiting(server.port());
  ASSERT_TRUE(waiting.shake_hands());
  ASSERT_TRUE(
      waiting.send("POST /v1/release HTTP/1.1\r\nHost: x\r\nContent-Type: "
                   "application/x-protobuf\r\nContent-Length: 900\r\n\r\n"));
  ASSERT_TRUE(
      happens([&] { return metrics_of(server).find("body_bytes 900\n") != std::string::npos; }));
  TlsClient client(server.port());
  ASSERT_TRUE(client.shake_hands());
  EXPECT_THAT(client.ask(post("/v1/release", std::string(200, 'x'))),
              AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Retry-After")));
  TlsClient other(server.port(), "127.0.0.2");
  ASSERT_TRUE(other.shake_hands());
  EXPECT_THAT(other.ask(post("/v1/release", std::string(200, 'x'))), StartsWith(kOk));
}

TEST(Servers, ServeWhileAThousandClientsDoNothing) {
  rlimit files{};  // both ends of each connection are here
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  if (files.rlim_max < 2500) GTEST_SKIP() << "no more than " << files.rlim_max << " open files";
  files.rlim_cur = files.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  ServerLimits limits = patient_limits();
  limits.handshake_burst = 2000;
  RunningServer server(limits);
  server.start();
  std::vector<std::unique_ptr<TlsClient>> idle;
  for (int i = 0; i < 1000; ++i) {
    const std::string from = "127.0.1." + std::to_string(1 + i / 125);
    idle.push_back(std::make_unique<TlsClient>(server.port(), from.c_str()));
    ASSERT_TRUE(idle.back()->connected());
  }
  TlsClient client(server.port());
  ASSERT_TRUE(client.shake_hands());
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(client.ask(post("/v1/release", "x")), StartsWith(kOk));
  }
}

// ---- The end

TEST(Servers, AnswerWhatIsUnderWayBeforeTheyStop) {
  RunningServer server;
  server.start();
  server.service.hold();
  TlsClient idle(server.port());
  ASSERT_TRUE(idle.shake_hands());
  TlsClient client(server.port());
  ASSERT_TRUE(client.shake_hands());
  ASSERT_TRUE(client.send(post("/v1/release", "x")));
  server.service.await(1);
  const std::uint16_t port = server.port();
  server.server->stop();
  EXPECT_TRUE(idle.is_cut());
  EXPECT_TRUE(happens([&] { return !TlsClient(port).connected(); }));
  server.service.let_go();
  EXPECT_THAT(client.receive(), AllOf(StartsWith(kOk), HasSubstr("Connection: close")));
  server.join();
}

TEST(Servers, CutWhatDoesNotEndInTime) {
  ServerLimits limits = patient_limits();
  limits.shutdown_time = milliseconds(100);
  RunningServer server(limits);
  server.start();
  TlsClient client(server.port());
  ASSERT_TRUE(client.shake_hands());
  ASSERT_TRUE(
      client.send("POST /v1/release HTTP/1.1\r\nHost: x\r\nContent-Type: "
                  "application/x-protobuf\r\nContent-Length: 900\r\n\r\n"));
  ASSERT_TRUE(
      happens([&] { return metrics_of(server).find("body_bytes 900\n") != std::string::npos; }));
  server.stop();
  EXPECT_TRUE(client.is_cut());
}

// ---- The operator's side

TEST(Servers, TellMetricsToTheOperatorAlone) {
  RunningServer server;
  server.start();
  TlsClient client(server.port());
  ASSERT_TRUE(client.shake_hands());
  EXPECT_THAT(client.ask(get("/metrics")), StartsWith("HTTP/1.1 404"));
  const std::string ending = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const std::string metrics = plain_ask(server.server->admin_port(), "GET /metrics" + ending);
  EXPECT_THAT(metrics,
              AllOf(StartsWith(kOk), HasSubstr("sealpack_broker_answers_total{route=\"other\""),
                    HasSubstr("process_resident_memory_bytes ")));
  EXPECT_THAT(plain_ask(server.server->admin_port(), "GET /v1/keys" + ending),
              StartsWith("HTTP/1.1 404"));
}

TEST(Servers, TellEverybodyWhetherTheyAreWell) {
  RunningServer server;
  server.start();
  TlsClient client(server.port());
  ASSERT_TRUE(client.shake_hands());
  const std::string admin = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  EXPECT_THAT(client.ask(get("/healthz")), StartsWith(kOk));
  EXPECT_THAT(plain_ask(server.server->admin_port(), admin), StartsWith(kOk));
  server.service.unwell = Reason{"broker.unreconciled", "not yet"};
  for (const std::string& answer :
       {client.ask(get("/healthz")), plain_ask(server.server->admin_port(), admin)}) {
    EXPECT_THAT(answer,
                AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("broker.unreconciled: not yet\n")));
  }
}

TEST(Servers, TellTheLogToTheOperatorUnlessItIsPublic) {
  const std::string ending = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  for (const bool open : {false, true}) {
    RunningServer server;
    server.public_log = open;
    server.start();
    TlsClient client(server.port());
    ASSERT_TRUE(client.shake_hands());
    EXPECT_THAT(client.ask(get("/v1/log/checkpoint")), StartsWith(open ? kOk : "HTTP/1.1 404"));
    EXPECT_THAT(plain_ask(server.server->admin_port(), "GET /v1/log/checkpoint" + ending),
                AllOf(StartsWith(kOk), HasSubstr("a note")));
  }
}

}  // namespace
}  // namespace sealpack::broker
