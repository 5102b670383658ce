// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/verbs/broker_config.h"

#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using sealpack::testing::TemporaryFolder;
using ::testing::HasSubstr;

TEST(BrokerConfigurations, AreWhatTheyWereWhenTheyAreReadAgain) {
  BrokerConfig config;
  config.store = "postgresql://a@b/c?password=\"x\\y\"";
  config.recipient_keys = {"pkcs11:token=t;object=o", "old.key"};
  config.passphrase_file = "/run/p";
  config.endorsements = "endorsements";
  config.roots = "roots.toml";
  config.network_seconds = 7;
  config.limits.connections = 5;
  config.limits.request_time = std::chrono::seconds(3);
  const std::string text = serialize_broker_config(config);
  const auto again = parse_broker_config(text, "broker.toml");
  ASSERT_THAT(again, Succeeds());
  EXPECT_EQ(again->store, config.store);
  EXPECT_EQ(again->recipient_keys, config.recipient_keys);
  EXPECT_EQ(again->limits.request_time, config.limits.request_time);
  EXPECT_EQ(serialize_broker_config(*again), text);
}

TEST(BrokerConfigurations, NeedNothing) {
  const auto config = parse_broker_config("", "broker.toml");
  ASSERT_THAT(config, Succeeds());
  EXPECT_EQ(serialize_broker_config(*config), serialize_broker_config(BrokerConfig{}));
}

TEST(BrokerConfigurations, KnowTheirLinesAndBoundsAlone) {
  for (const char* text :
       {"lab = true", "store = 1", "grant_keys = []", "grant_keys = [1]", "[listen]\nport = 1",
        "[listen]\nthreads = 0", "[listen]\nthreads = 65", "[challenge]\nnetwork_seconds = 0",
        "[challenge]\nnetwork_seconds = 121", "[challenge]\nfile_seconds = 7776001",
        "[limits]\nconnections = 0", "[limits]\nrequest_seconds = 3601", "[limits]\nburst = 1",
        "[limits]\nbody_memory = 1", "[listen]\naddress = \"localhost:8443\"",
        "[listen]\nadmin = \"8444\"", "minimum_tcb_evaluation = -1", "[other]", "="}) {
    EXPECT_THAT(parse_broker_config(text, "broker.toml"), Fails(ErrorCode::kMalformed)) << text;
  }
}

TEST(BrokerConfigurations, KeepPathsInTheirFolderAndOtherKeysAsTheyAre) {
  BrokerConfig config;
  config.folder = "/srv/b";
  EXPECT_EQ(config.key_ref("broker.key"), "/srv/b/broker.key");
  EXPECT_EQ(config.key_ref("/etc/k.key"), "/etc/k.key");
  // A TPM's key is a file too, which only that TPM opens.
  EXPECT_EQ(config.key_ref("tpm:hard.tpmkey"), "tpm:/srv/b/hard.tpmkey");
  EXPECT_EQ(config.key_ref("tpm:hard.tpmkey?tcti=device:/dev/tpmrm0"),
            "tpm:/srv/b/hard.tpmkey?tcti=device:/dev/tpmrm0");
  for (const char* ref : {"pkcs11:token=x", "tpm:/etc/k.tpmkey", "exec:/bin/kms"}) {
    EXPECT_EQ(config.key_ref(ref), ref);
    EXPECT_EQ(absolute_key_ref(ref), ref);
  }
  EXPECT_EQ(config.store_uri(), "sqlite:/srv/b/store.db");
  config.store = "postgresql://x/y";
  EXPECT_EQ(config.store_uri(), "postgresql://x/y");
}

TEST(BrokerFolders, AreForTheirOwnerAlone) {
  const TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0700));
  BrokerConfig config;
  config.folder = folder.path();
  ASSERT_THAT(store_broker_config(config, false), Succeeds());
  EXPECT_THAT(load_broker_config(folder.path()), Succeeds());
  for (const unsigned mode : {0710U, 0701U, 0755U, 0720U}) {
    std::filesystem::permissions(folder.path(), std::filesystem::perms(mode));
    EXPECT_THAT(load_broker_config(folder.path()),
                FailsWith(ErrorCode::kRefused, HasSubstr("others")));
  }
  EXPECT_THAT(load_broker_config(folder / "none"), Fails(ErrorCode::kIo));
  EXPECT_THAT(check_private_folder(folder / "broker.toml"), Fails(ErrorCode::kIo));
}

}  // namespace
}  // namespace sealpack::broker
