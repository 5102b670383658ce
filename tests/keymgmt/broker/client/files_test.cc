// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/client/files.h"

#include <sys/stat.h>

#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using sealpack::testing::TemporaryFolder;
using ::testing::HasSubstr;

const ByteVector kMessage = {1, 2, '\n', 0};

TEST(MessageFiles, SayWhatTheyAre) {
  for (const FileKind kind : {FileKind::kChallengeRequest, FileKind::kChallenge,
                              FileKind::kReleaseRequest, FileKind::kGrant, FileKind::kRefusal}) {
    const auto parsed = parse_message_file(serialize_message_file(kind, kMessage));
    ASSERT_THAT(parsed, Succeeds());
    EXPECT_EQ(parsed->kind, kind);
    EXPECT_EQ(parsed->message, kMessage);
  }
}

TEST(MessageFiles, AreNothingElse) {
  for (const char* text :
       {"", "sealpack broker ", "sealpack broker grant", "sealpack broker king\n",
        "Sealpack broker grant\n", " sealpack broker grant\n", "sealpack broker grant\r\n",
        "sealpack broker challenge-\n"}) {
    EXPECT_THAT(parse_message_file(as_bytes(text)), Fails(ErrorCode::kMalformed)) << text;
  }
}

TEST(MessageFiles, AreBounded) {
  const ByteVector large(kMaxRequestSize + 100);
  EXPECT_THAT(parse_message_file(serialize_message_file(FileKind::kReleaseRequest, large)),
              Fails(ErrorCode::kLimit));
}

TEST(MessageFiles, AreForTheirOwnerAndReplaceNothing) {
  const TemporaryFolder folder;
  const auto path = folder / "x";
  ASSERT_THAT(store_message_file(path, FileKind::kGrant, kMessage, Overwrite::kRefuse), Succeeds());
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_THAT(store_message_file(path, FileKind::kGrant, kMessage, Overwrite::kRefuse),
              Fails(ErrorCode::kIo));
  EXPECT_EQ(load_message_file(path).value().message, kMessage);
  folder.put("y", "something else");
  EXPECT_THAT(load_message_file(folder / "y"), FailsWith(ErrorCode::kMalformed, HasSubstr("y")));
}

}  // namespace
}  // namespace sealpack::broker
