// SPDX-License-Identifier: Apache-2.0
// Stores as files: whose they are, and what damage shows.
#include <sqlite3.h>
#include <sys/stat.h>

#include "keymgmt/broker/log.h"
#include "tests/keymgmt/broker/store_setting.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::content_of;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace testing;

class StoreFiles : public ::testing::Test {
 protected:
  void run_sql(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &database), SQLITE_OK);
    char* why = nullptr;
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &why), SQLITE_OK) << why;
    sqlite3_free(why);
    sqlite3_close(database);
  }
  std::string path() const { return (setting_.folder / "broker.store").string(); }
  Setting setting_;
};

TEST_F(StoreFiles, AreForTheirOwnerAlone) {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat status {};
    ASSERT_EQ(::stat((path() + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << suffix;
  }
  ASSERT_EQ(::chmod(path().c_str(), 0640), 0);
  EXPECT_THAT(Store::open(path()), FailsWith(ErrorCode::kRefused, HasSubstr("other users")));
}

TEST_F(StoreFiles, AreNotReachedThroughLinks) {
  std::filesystem::create_symlink(path(), setting_.folder / "link");
  EXPECT_THAT(Store::open((setting_.folder / "link").string()), Fails(ErrorCode::kIo));
}

// As a restore beside a running broker does: what is revoked in the new file must not be missed.
TEST_F(StoreFiles, ThatWereReplacedWhileOpenAnswerNothing) {
  EXPECT_THAT(setting_.store->state(), Succeeds());
  std::filesystem::rename(path(), setting_.folder / "moved");
  EXPECT_THAT(setting_.store->state(), Fails(ErrorCode::kIo));
  std::filesystem::copy_file(setting_.folder / "moved", path());
  EXPECT_THAT(setting_.store->state(), FailsWith(ErrorCode::kIo, HasSubstr("moved or replaced")));
  EXPECT_THAT(setting_.store->apply(PutVendor{setting_.vendor}, kNow), Fails(ErrorCode::kIo));
  EXPECT_THAT(setting_.store->version(), Fails(ErrorCode::kIo));
  EXPECT_THAT(setting_.store->log_head(), Fails(ErrorCode::kIo));
}

// Nobody gets a key of such a broker: whoever watches it has to hear of it.
TEST_F(StoreFiles, ThatWereReplacedMakeABrokerUnwell) {
  setting_.start();
  EXPECT_EQ(setting_.service->why_unwell(), std::nullopt);
  std::filesystem::rename(path(), setting_.folder / "moved");
  ASSERT_TRUE(setting_.service->why_unwell());
  EXPECT_EQ(setting_.service->why_unwell()->code, "broker.store");
}

// Pages of an earlier time in the same file: a failover that lost what was committed.
TEST_F(StoreFiles, ThatGoBackInTimeAnswerNothing) {
  std::vector<std::string> reports;
  setting_.start([&](ServiceOptions& options) {
    options.report = [&](const Error& error) { reports.push_back(error.message()); };
  });
  Client client(setting_);
  run_sql("UPDATE head SET generation = generation - 1");
  EXPECT_EQ(setting_.service->why_unwell()->code, "broker.store");
  EXPECT_EQ(setting_.service->why_unwell()->code, "broker.store");
  EXPECT_THAT(reports, ElementsAre(HasSubstr("back in time")));
  EXPECT_EQ(codes_of(exchange(*setting_.service, client)), "broker.store");
}

TEST_F(StoreFiles, OfOthersAreRefused) {
  EXPECT_THAT(Store::open((setting_.folder / "none").string()), Fails(ErrorCode::kIo));
  const auto text = setting_.folder.put("text", "this is no database, and rather long at that");
  ::chmod(text.c_str(), 0600);
  EXPECT_THAT(Store::open(text.string()), Fails(ErrorCode::kMalformed));
  const auto empty = setting_.folder.put("empty", "");
  ::chmod(empty.c_str(), 0600);
  EXPECT_THAT(Store::open(empty.string()), Fails(ErrorCode::kMalformed));
  run_sql("PRAGMA application_id = 1");
  EXPECT_THAT(Store::open(path()), FailsWith(ErrorCode::kMalformed, HasSubstr("another program")));
}

TEST_F(StoreFiles, OfANewerVersionAreRefused) {
  run_sql("UPDATE sealpack_broker SET version = 2");
  EXPECT_THAT(Store::open(path()), FailsWith(ErrorCode::kUnsupported, HasSubstr("version 2")));
}

TEST_F(StoreFiles, ThatAreBackupsAreNotServed) {
  ASSERT_THAT(setting_.store->backup(setting_.folder / "backup"), Succeeds());
  EXPECT_THAT(Store::open((setting_.folder / "backup").string()),
              FailsWith(ErrorCode::kMalformed, HasSubstr("is a backup")));
  EXPECT_THAT(Store::restore(path(), (setting_.folder / "new").string(), kNow),
              FailsWith(ErrorCode::kMalformed, HasSubstr("is not a backup")));
}

// A backup lies about: it must not be enough to make challenges or to find out about them.
TEST_F(StoreFiles, LeaveTheChallengeKeyOutOfBackups) {
  const auto backup = setting_.folder / "backup";
  ASSERT_THAT(setting_.store->backup(backup), Succeeds());
  const auto state = setting_.store->state().value();
  const std::string key(as_text(state->challenge_key->reveal()));
  EXPECT_EQ(content_of(backup).find(key), std::string::npos);
  EXPECT_NE((content_of(path()) + content_of(path() + "-wal")).find(key), std::string::npos);
}

TEST_F(StoreFiles, WithADamagedRowAreNotServed) {
  run_sql("UPDATE releases SET uuid = x'01'");
  EXPECT_THAT(setting_.store->state(), Fails(ErrorCode::kMalformed));
  run_sql("UPDATE head SET frontier = x'01'");
  EXPECT_THAT(setting_.store->log_head(), Fails(ErrorCode::kMalformed));
}

TEST_F(StoreFiles, ShowWhoeverChangedTheLog) {
  const auto verify = [&] { return verify_log(*setting_.store, {}, {}); };
  ASSERT_THAT(verify(), Succeeds());
  run_sql("CREATE TABLE kept AS SELECT * FROM entries");
  const std::vector<std::string> changes = {
      "UPDATE entries SET entry = (SELECT entry FROM kept WHERE number = 2) WHERE number = 3",
      "DELETE FROM entries WHERE number = 2",
      "DELETE FROM entries WHERE number = (SELECT MAX(number) FROM entries)",
      "UPDATE entries SET entry = x'00' WHERE number = 1",
  };
  for (const std::string& change : changes) {
    run_sql(change);
    EXPECT_FALSE(verify().ok()) << change;
    run_sql("DELETE FROM entries; INSERT INTO entries SELECT * FROM kept");
    ASSERT_THAT(verify(), Succeeds());
  }
}

TEST_F(StoreFiles, ShowARewrittenLogByAnOldCheckpoint) {
  const auto signer = setting_.log_key.signer().value();
  const auto checkpoint = make_checkpoint(*setting_.store, *signer).value();
  // Rolled back to a log that is whole in itself, and gone on from there.
  Setting other;
  run_sql("ATTACH '" + (other.folder / "broker.store").string() +
          "' AS other; DELETE FROM entries; INSERT INTO entries SELECT * FROM other.entries;"
          "UPDATE head SET size = (SELECT size FROM other.head),"
          " frontier = (SELECT frontier FROM other.head)");
  ASSERT_THAT(verify_log(*setting_.store, {}, {}), Succeeds());
  EXPECT_THAT(verify_log(*setting_.store, {&checkpoint.text, 1}, {}),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("is not the one of the checkpoint")));
}

TEST(StoreNames, OfOtherMachinesDemandEncryptionToAKnownServer) {
  for (const char* uri :
       {"postgresql://db.example.org/broker", "postgresql://db.example.org/broker?sslmode=require",
        "postgresql:///broker?hostaddr=192.0.2.1", "postgresql:///?service=db",
        "postgresql://localhost,db.example.org/broker"}) {
    EXPECT_THAT(Store::open(uri), FailsWith(ErrorCode::kUsage, HasSubstr("verify-full"))) << uri;
  }
}

TEST(StoreNames, DoNotHoldPasswords) {
  EXPECT_THAT(Store::open("postgresql://me:secret@localhost/db"),
              FailsWith(ErrorCode::kUsage, HasSubstr("password")));
  EXPECT_THAT(Store::open("postgresql://localhost/db?password=secret"), Fails(ErrorCode::kUsage));
  EXPECT_THAT(Store::open("postgresql://localhost:99999999/"), Fails(ErrorCode::kTryAgain));
  EXPECT_THAT(Store::open(""), Fails(ErrorCode::kUsage));
}

}  // namespace
}  // namespace sealpack::broker
