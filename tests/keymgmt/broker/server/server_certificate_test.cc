// SPDX-License-Identifier: Apache-2.0
#include <openssl/x509v3.h>

#include "tests/keymgmt/broker/server/running_server.h"
#include "tests/keymgmt/broker/server/tls_client.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;
using testing::get;
using ::testing::HasSubstr;
using testing::metrics_of;
using testing::RunningServer;
using ::testing::StartsWith;
using testing::TlsClient;

constexpr const char* kOk = "HTTP/1.1 200 OK\r\n";

TEST(Servers, RefuseKeysThatOthersMayRead) {
  RunningServer server;
  server.write_certificate();
  std::filesystem::permissions(server.key, std::filesystem::perms(0644));
  EXPECT_THAT(server.try_start(), Fails(ErrorCode::kRefused));
}

TEST(Servers, RefuseAKeyOfAnotherCertificate) {
  RunningServer server;
  server.write_certificate();
  const std::string first = sealpack::testing::content_of(server.certificate);
  server.write_certificate();
  server.folder.put("tls.crt", first);
  EXPECT_THAT(server.try_start(), Fails(ErrorCode::kMalformed));
  server.folder.put("tls.crt", "no certificate");
  EXPECT_THAT(server.try_start(), Fails(ErrorCode::kMalformed));
}

TEST(Servers, TakeANewCertificateWhileTheyServe) {
  RunningServer server;
  server.start();
  TlsClient before(server.port());
  ASSERT_TRUE(before.shake_hands());
  server.write_certificate({"other.example"});
  ASSERT_THAT(server.server->reload(), Succeeds());
  TlsClient after(server.port());
  ASSERT_TRUE(after.shake_hands());
  X509* certificate = ::SSL_get1_peer_certificate(after.native());
  EXPECT_EQ(::X509_check_host(certificate, "other.example", 0, 0, nullptr), 1);
  ::X509_free(certificate);
  EXPECT_THAT(before.ask(get("/healthz")), StartsWith(kOk));  // the old one goes on
}

TEST(Servers, KeepTheirCertificateWhenTheNewOneIsBad) {
  RunningServer server;
  server.start();
  server.folder.put("tls.crt", "nothing");
  EXPECT_THAT(server.server->reload(), Fails(ErrorCode::kMalformed));
  TlsClient client(server.port());
  EXPECT_TRUE(client.shake_hands());
}

TEST(Servers, TellWhenTheirCertificateEnds) {
  constexpr std::uint64_t kLater = 2000000000;
  constexpr std::uint64_t kThirtyDays = 30 * 86400;
  const auto ends = [](std::uint64_t when) {
    return HasSubstr("\nsealpack_broker_certificate_not_after_timestamp_seconds " +
                     std::to_string(when) + "\n");
  };
  RunningServer server;
  server.write_certificate({"localhost"}, kLater);
  ASSERT_THAT(server.try_start(), Succeeds());
  EXPECT_THAT(metrics_of(server), ends(kLater + kThirtyDays));
  server.write_certificate({"localhost"}, kLater + 1);
  EXPECT_THAT(metrics_of(server), ends(kLater + kThirtyDays));  // until it is read
  ASSERT_THAT(server.server->reload(), Succeeds());
  EXPECT_THAT(metrics_of(server), ends(kLater + 1 + kThirtyDays));
  // Of a chain, with the first that ends.
  const std::string issuer = make_self_signed({"issuer.example"}, kLater, 7)->certificate;
  const auto made = make_self_signed({"localhost"}, kLater, 30);
  ASSERT_THAT(keystore::store_file(server.key, made->key.reveal(), 0600, Overwrite::kReplace),
              Succeeds());
  server.folder.put("tls.crt", made->certificate + issuer);
  ASSERT_THAT(server.server->reload(), Succeeds());
  EXPECT_THAT(metrics_of(server), ends(kLater + 7 * 86400));
}

TEST(Certificates, NameHostsAndAddressesAlone) {
  for (const char* name : {"", "a b", "evil,DNS:other.example", "-x", ".x", "*.example.org", "a\nb",
                           "critical,IP:1.2.3.4"}) {
    EXPECT_THAT(make_self_signed({name}, 1700000000, 1), Fails(ErrorCode::kUsage)) << name;
  }
  EXPECT_THAT(make_self_signed({}, 1700000000, 1), Fails(ErrorCode::kUsage));
  EXPECT_THAT(make_self_signed({"broker.example.org", "::1"}, 1700000000, 1), Succeeds());
}

}  // namespace
}  // namespace sealpack::broker
