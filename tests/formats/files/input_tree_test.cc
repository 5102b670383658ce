// SPDX-License-Identifier: Apache-2.0
#include "formats/files/input_tree.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::Succeeds;
using testing::TemporaryFolder;

std::vector<std::string> paths(const InputTree& tree) {
  std::vector<std::string> paths;
  for (const auto& file : tree.files) paths.push_back(file.path);
  return paths;
}

std::string text_of(const models::InputFile& file) {
  ByteVector bytes(file.source->size());
  EXPECT_THAT(file.source->read_at(0, bytes), Succeeds());
  return std::string(as_text(bytes));
}

void link(const std::string& target, const std::filesystem::path& at) {
  std::filesystem::create_directories(at.parent_path());
  ASSERT_EQ(::symlink(target.c_str(), at.c_str()), 0);
}

TEST(OpenInputs, TakesASingleFileUnderItsBaseName) {
  const TemporaryFolder folder;
  folder.put("deep/model.onnx", "onnx");
  link("deep/model.onnx", folder / "link.onnx");
  auto tree = open_inputs(folder / "deep/model.onnx", {});
  ASSERT_THAT(tree, Succeeds());
  EXPECT_THAT(paths(*tree), ElementsAre("model.onnx"));
  EXPECT_EQ(text_of(tree->files[0]), "onnx");
  tree = open_inputs(folder / "link.onnx", {});
  ASSERT_THAT(tree, Succeeds());
  EXPECT_THAT(paths(*tree), ElementsAre("link.onnx"));
}

TEST(OpenInputs, LeavesAPytorchFileAndAFalseZipAlone) {
  const TemporaryFolder folder;
  for (const char* name : {"model.pt", "model.7z", "not.zip"}) {
    folder.put(name, std::string(name) == "not.zip" ? "hello" : "PK\3\4 and so on");
    const auto tree = open_inputs(folder / name, {});
    ASSERT_THAT(tree, Succeeds());
    EXPECT_THAT(paths(*tree), ElementsAre(name));
  }
  folder.put("cut.zip", "PK\3\4 and so on");
  EXPECT_THAT(open_inputs(folder / "cut.zip", {}), Fails(ErrorCode::kMalformed));
}

TEST(OpenInputs, RefusesWhatIsNoFileOrHasABadName) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(open_inputs(folder / "fifo", {}), Fails(ErrorCode::kIo));
  EXPECT_THAT(open_inputs("/dev/null", {}), Fails(ErrorCode::kIo));
  EXPECT_THAT(open_inputs(folder / "missing", {}),
              FailsWith(ErrorCode::kIo, HasSubstr("no such file")));
  EXPECT_THAT(open_inputs("", {}), Fails(ErrorCode::kIo));
  EXPECT_THAT(open_inputs(folder.put("a\nb", "x"), {}), Fails(ErrorCode::kMalformed));
}

TEST(OpenInputs, WalksAFolderInByteOrder) {
  const TemporaryFolder folder;
  for (const char* name :
       {"b", "a/z", "a-b", "B", "a/\xc3\xb6", ".hidden", ".gitattributes", "a.zip"}) {
    folder.put(name, name);
  }
  const auto tree = open_inputs(folder.path(), {});
  ASSERT_THAT(tree, Fails(ErrorCode::kMalformed));  // "b" and "B"
  std::filesystem::remove(folder / "B");
  const auto good = open_inputs(folder.path(), {});
  ASSERT_THAT(good, Succeeds());
  EXPECT_THAT(paths(*good),
              ElementsAre(".gitattributes", ".hidden", "a-b", "a.zip", "a/z", "a/\xc3\xb6", "b"));
  for (const auto& file : good->files) EXPECT_EQ(text_of(file), file.path);
}

TEST(OpenInputs, SkipsAndListsVersionControlAndDownloadState) {
  const TemporaryFolder folder;
  folder.put("model.bin", "1");
  folder.put(".git/config", "x");
  folder.put("sub/.git", "gitdir: elsewhere");
  folder.put(".cache/huggingface/download/x.metadata", "x");
  folder.put(".cache/other", "kept");
  link("/etc/passwd", folder / ".git/link");
  const auto tree = open_inputs(folder.path(), {});
  ASSERT_THAT(tree, Succeeds());
  EXPECT_THAT(paths(*tree), ElementsAre(".cache/other", "model.bin"));
  ASSERT_EQ(tree->skipped.size(), 3U);
  EXPECT_EQ(tree->skipped[0].path, ".cache/huggingface");
  EXPECT_EQ(tree->skipped[1].path, ".git");
  EXPECT_EQ(tree->skipped[2].path, "sub/.git");
  EXPECT_EQ(tree->skipped[1].reason, "version control data");
}

TEST(OpenInputs, RefusesSpecialFilesInAFolder) {
  const TemporaryFolder folder;
  folder.put("d/ok", "1");
  ASSERT_EQ(::mkfifo((folder / "d/fifo").c_str(), 0600), 0);
  EXPECT_THAT(open_inputs(folder.path(), {}),
              FailsWith(ErrorCode::kIo, AllOf(HasSubstr("d/fifo'"), HasSubstr("FIFO"))));
  std::filesystem::remove(folder / "d/fifo");
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = folder / "s";
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  EXPECT_THAT(open_inputs(folder.path(), {}), FailsWith(ErrorCode::kIo, HasSubstr("is a socket")));
}

TEST(OpenInputs, RefusesEverySymbolicLinkInAFolder) {
  for (const char* target : {"ok", "/etc/passwd", "..", "missing", "ok/", "../../blobs/ok"}) {
    const TemporaryFolder folder;
    folder.put("ok", "1");
    link(target, folder / "sub/link");
    EXPECT_THAT(
        open_inputs(folder.path(), {}),
        FailsWith(ErrorCode::kIo, AllOf(HasSubstr("sub/link'"), HasSubstr("symbolic link"))))
        << target;
  }
}

TEST(OpenInputs, AcceptsHardLinks) {
  const TemporaryFolder folder;
  folder.put("a", "1");
  std::filesystem::create_hard_link(folder / "a", folder / "b");
  const auto tree = open_inputs(folder.path(), {});
  ASSERT_THAT(tree, Succeeds());
  EXPECT_THAT(paths(*tree), ElementsAre("a", "b"));
}

TEST(OpenInputs, FollowsTheLinksOfAHuggingFaceCache) {
  const TemporaryFolder hub;
  hub.put("models--a--b/blobs/0123", "weights");
  hub.put("models--a--b/blobs/4567", "config");
  const auto revision = hub / "models--a--b/snapshots/rev";
  link("../../blobs/4567", revision / "config.json");
  link("../../../blobs/0123", revision / "onnx/model.onnx");
  link((hub / "models--a--b/blobs/0123").c_str(), revision / "absolute.bin");
  const auto tree = open_inputs(revision, {});
  ASSERT_THAT(tree, Succeeds());
  EXPECT_THAT(paths(*tree), ElementsAre("absolute.bin", "config.json", "onnx/model.onnx"));
  EXPECT_EQ(text_of(tree->files[1]), "config");
  EXPECT_EQ(text_of(tree->files[2]), "weights");
  const auto inner = open_inputs(revision / "onnx/", {});
  ASSERT_THAT(inner, Succeeds());
  EXPECT_THAT(paths(*inner), ElementsAre("model.onnx"));
  link("models--a--b/snapshots/rev", hub / "shortcut");
  EXPECT_THAT(open_inputs(hub / "shortcut", {}), Succeeds());
}

TEST(OpenInputs, FollowsNoOtherLinksInAHuggingFaceCache) {
  for (const char* target :
       {"../../blobs", "../../blobs/", "../../blobs/link", "../../blobs/d/x", "../../blobs/d",
        "../../other", "../../../outside", "../../blobs/../../outside", "/etc/passwd",
        "../../blobs/missing", "../../../m2/blobs/x", "config.json", "../other/file",
        "../../blobs/fifo"}) {
    const TemporaryFolder hub;
    hub.put("outside", "x");
    hub.put("m2/blobs/x", "x");
    hub.put("m/other", "x");
    hub.put("m/blobs/d/x", "x");
    hub.put("m/snapshots/other/file", "x");
    ASSERT_EQ(::mkfifo((hub / "m/blobs/fifo").c_str(), 0600), 0);
    link("../../outside", hub / "m/blobs/link");
    hub.put("m/snapshots/rev/config.json", "{}");
    EXPECT_THAT(open_inputs(hub / "m/snapshots/rev", {}), Succeeds());
    link(target, hub / "m/snapshots/rev/model.bin");
    EXPECT_THAT(open_inputs(hub / "m/snapshots/rev", {}),
                FailsWith(ErrorCode::kIo, HasSubstr("model.bin")))
        << target;
  }
}

TEST(OpenInputs, FollowsNoLinksIntoABlobsFolderThatIsALink) {
  const TemporaryFolder hub;
  hub.put("real/x", "x");
  link("../real", hub / "m/blobs");
  link("../../blobs/x", hub / "m/snapshots/rev/model.bin");
  EXPECT_THAT(open_inputs(hub / "m/snapshots/rev", {}), Fails(ErrorCode::kIo));
}

TEST(OpenInputs, KeepsReadingWhatItOpenedWhenTheNameIsTakenOver) {
  const TemporaryFolder folder;
  folder.put("a", "original");
  const auto tree = open_inputs(folder.path(), {});
  ASSERT_THAT(tree, Succeeds());
  std::filesystem::remove(folder / "a");
  folder.put("a", "swapped!");
  EXPECT_EQ(text_of(tree->files[0]), "original");
}

TEST(OpenInputs, RefusesAnEmptyFolderAndTooManyFiles) {
  const TemporaryFolder folder;
  EXPECT_THAT(open_inputs(folder.path(), {}), FailsWith(ErrorCode::kUsage, HasSubstr("no files")));
  folder.put("a", "1");
  folder.put("b", "1");
  InputOptions options;
  options.max_files = 1;
  EXPECT_THAT(open_inputs(folder.path(), options), Fails(ErrorCode::kLimit));
}

TEST(OpenInputs, RefusesAFolderDeeperThanAPathMayBe) {
  const TemporaryFolder folder;
  std::string deep;
  for (int i = 0; i < 600; ++i) deep += "d/";
  folder.put(deep + "x", "1");
  EXPECT_THAT(open_inputs(folder.path(), {}), Fails(ErrorCode::kMalformed));
}

TEST(OpenInputs, OpensMoreFilesThanTheSoftLimit) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const TemporaryFolder folder;
  for (int i = 0; i < 200; ++i) folder.put("f" + std::to_string(i), "1");
  rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_THAT(open_inputs(folder.path(), {}), Succeeds());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(OpenInputs, NamesTheHardLimitWhenItIsTooLow) {
  const TemporaryFolder folder;
  for (int i = 0; i < 200; ++i) folder.put("f" + std::to_string(i), "1");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (!open_inputs(folder.path(), {}).ok()) ::_exit(2);
    const rlimit low{64, 64};
    (void)::setrlimit(RLIMIT_NOFILE, &low);
    const auto tree = open_inputs(folder.path(), {});
    const bool expected = !tree.ok() && tree.error().code() == ErrorCode::kLimit &&
                          tree.error().message().find("the 64 this process") != std::string::npos;
    ::_exit(expected ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace sealpack
