// SPDX-License-Identifier: Apache-2.0
#include "formats/files/archive_inputs.h"

#include <archive.h>
#include <archive_entry.h>

#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Succeeds;
using testing::TemporaryFolder;
using Contents = std::vector<std::pair<std::string, std::string>>;

struct Entry {
  std::string path;
  std::string content = {};
  unsigned type = AE_IFREG;
  std::string link = {};
  bool hard = false;
};

constexpr ArchiveKind kKinds[] = {ArchiveKind::kZip, ArchiveKind::kTar, ArchiveKind::kTarGzip,
                                  ArchiveKind::kTarZstd, ArchiveKind::kTarXz};

void add_entry(archive* handle, const Entry& entry) {
  archive_entry* made = archive_entry_new();
  archive_entry_set_pathname(made, entry.path.c_str());
  archive_entry_set_filetype(made, entry.type);
  archive_entry_set_perm(made, 0644);
  archive_entry_set_size(made, static_cast<la_int64_t>(entry.content.size()));
  if (entry.type == AE_IFLNK) archive_entry_set_symlink(made, entry.link.c_str());
  if (entry.hard) archive_entry_set_hardlink(made, entry.link.c_str());
  (void)archive_write_header(handle, made);
  (void)archive_write_data(handle, entry.content.data(), entry.content.size());
  archive_entry_free(made);
}

// An archive as another program would write it, hostile names and all.
ByteVector make_archive(ArchiveKind kind, const std::vector<Entry>& entries, bool encrypt = false) {
  ByteVector bytes(std::size_t{8} << 20U);
  archive* handle = archive_write_new();
  if (kind == ArchiveKind::kZip) (void)archive_write_set_format_zip(handle);
  if (kind != ArchiveKind::kZip) (void)archive_write_set_format_pax_restricted(handle);
  if (kind == ArchiveKind::kTarGzip) (void)archive_write_add_filter_gzip(handle);
  if (kind == ArchiveKind::kTarZstd) (void)archive_write_add_filter_zstd(handle);
  if (kind == ArchiveKind::kTarXz) (void)archive_write_add_filter_xz(handle);
  if (encrypt) {
    EXPECT_EQ(archive_write_set_options(handle, "zip:encryption=traditional"), ARCHIVE_OK);
    (void)archive_write_set_passphrase(handle, "secret");
  }
  (void)archive_write_set_bytes_in_last_block(handle, 1);
  std::size_t used = 0;
  EXPECT_EQ(archive_write_open_memory(handle, bytes.data(), bytes.size(), &used), ARCHIVE_OK);
  for (const Entry& entry : entries) add_entry(handle, entry);
  EXPECT_EQ(archive_write_close(handle), ARCHIVE_OK);
  (void)archive_write_free(handle);
  bytes.resize(used);
  return bytes;
}

class Archive : public ::testing::Test {
 protected:
  Result<InputTree> open(ArchiveKind kind, ByteVector bytes) {
    options_.scratch_folder = scratch_.path();
    return open_archive(kind, "'test'", std::make_shared<MemorySource>(std::move(bytes)), options_);
  }
  // What the user would get: the archive as a file, with its extension.
  Result<InputTree> open_named(ArchiveKind kind, const ByteVector& bytes) {
    static constexpr const char* kNames[] = {"x.zip", "x.tar", "x.tgz", "x.tar.zst", "x.tar.xz"};
    const auto path =
        place_.put(kNames[static_cast<std::size_t>(kind)], std::string(as_text(bytes)));
    options_.scratch_folder = scratch_.path();
    auto tree = open_inputs(path, options_);
    EXPECT_THAT(scratch_.names(), IsEmpty());
    return tree;
  }
  InputOptions options_;
  TemporaryFolder scratch_;
  TemporaryFolder place_;
};

Contents contents(const InputTree& tree) {
  Contents contents;
  for (const auto& file : tree.files) {
    ByteVector bytes(file.source->size());
    EXPECT_THAT(file.source->read_at(0, bytes), Succeeds());
    contents.emplace_back(file.path, as_text(bytes));
  }
  return contents;
}

std::vector<Entry> small_model() {
  return {{"m/", "", AE_IFDIR},
          {"m/w/b.bin", std::string(700, 'b')},
          {"m/config.json", "{}"},
          {"m/empty", ""},
          {"m/w/größe", "umlaut"}};
}
const Contents kSmallModel = {{"config.json", "{}"},
                              {"empty", ""},
                              {"w/b.bin", std::string(700, 'b')},
                              {"w/größe", "umlaut"}};

TEST_F(Archive, GivesItsFilesInOrderWithoutTheCommonFolder) {
  for (const ArchiveKind kind : kKinds) {
    const auto tree = open_named(kind, make_archive(kind, small_model()));
    ASSERT_THAT(tree, Succeeds());
    EXPECT_EQ(contents(*tree), kSmallModel);
  }
}

TEST_F(Archive, KeepsAFolderThatDoesNotHoldEverything) {
  const auto tree = open_named(ArchiveKind::kTar,
                               make_archive(ArchiveKind::kTar, {{"./a/x", "1"}, {"./b", "2"}}));
  ASSERT_THAT(tree, Succeeds());
  EXPECT_EQ(contents(*tree), (Contents{{"a/x", "1"}, {"b", "2"}}));
}

TEST_F(Archive, SlicesEndWhereTheirEntryEnds) {
  const auto tree =
      open_named(ArchiveKind::kTar, make_archive(ArchiveKind::kTar, {{"a", "12"}, {"b", "34"}}));
  ASSERT_THAT(tree, Succeeds());
  ByteVector three(3);
  EXPECT_THAT(tree->files[0].source->read_at(0, three), Fails(ErrorCode::kIo));
  EXPECT_THAT(tree->files[0].source->read_at(~std::uint64_t{0}, three), Fails(ErrorCode::kIo));
}

TEST_F(Archive, RefusesNastyNames) {
  for (const char* name :
       {"../x", "a/../../x", "/etc/x", "a/./x", "a//x", "C:x", "C:/x", "x.", "x ", "a\x1b[2J",
        "\xe2\x80\xae"
        "x",
        "..", ".//x"}) {
    for (const ArchiveKind kind : {ArchiveKind::kZip, ArchiveKind::kTar}) {
      EXPECT_THAT(open_named(kind, make_archive(kind, {{"ok", "1"}, {name, "x"}})),
                  Fails(ErrorCode::kMalformed))
          << name;
    }
  }
  EXPECT_THAT(open_named(ArchiveKind::kTar, make_archive(ArchiveKind::kTar, {{"a\\..\\x", "x"}})),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(open_named(ArchiveKind::kTar,
                         make_archive(ArchiveKind::kTar, {{std::string(300, 'x'), "x"}})),
              Fails(ErrorCode::kMalformed));
}

TEST_F(Archive, RefusesANameThatTurnsBadWithoutTheCommonFolder) {
  EXPECT_THAT(open_named(ArchiveKind::kTar, make_archive(ArchiveKind::kTar, {{"a/C:x", "x"}})),
              Fails(ErrorCode::kMalformed));
}

TEST_F(Archive, RefusesLinksAndDevices) {
  const Entry hostile[] = {{"a", "", AE_IFLNK, "/etc"},
                           {"a", "", AE_IFLNK, "b"},
                           {"h", "", AE_IFREG, "ok", true},
                           {"h", "", AE_IFREG, "/etc/passwd", true},
                           {"d", "", AE_IFCHR},
                           {"d", "", AE_IFBLK},
                           {"f", "", AE_IFIFO}};
  for (const Entry& entry : hostile) {
    EXPECT_THAT(open_named(ArchiveKind::kTar,
                           make_archive(ArchiveKind::kTar, {{"ok", "1"}, entry, {"a/x", "2"}})),
                FailsWith(ErrorCode::kMalformed, HasSubstr("entry '")))
        << entry.path << entry.type;
  }
  EXPECT_THAT(
      open_named(ArchiveKind::kZip,
                 make_archive(ArchiveKind::kZip, {{"a", "", AE_IFLNK, "/etc"}, {"a/x", "2"}})),
      FailsWith(ErrorCode::kMalformed, HasSubstr("symbolic link")));
}

TEST_F(Archive, RefusesCollisions) {
  for (const ArchiveKind kind : {ArchiveKind::kZip, ArchiveKind::kTar}) {
    for (const auto& [a, b] : {std::pair("x", "x"), std::pair("x", "X"), std::pair("x", "./x"),
                               std::pair("x", "x/y"), std::pair("d/X/y", "d/x")}) {
      EXPECT_THAT(open_named(kind, make_archive(kind, {{a, "1"}, {"other", ""}, {b, "2"}})),
                  Fails(ErrorCode::kMalformed))
          << a << " " << b;
    }
  }
}

TEST_F(Archive, RefusesAnEncryptedZip) {
  const auto bytes = make_archive(ArchiveKind::kZip, {{"x", "secret"}}, true);
  EXPECT_THAT(open_named(ArchiveKind::kZip, bytes),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("encrypted")));
}

TEST_F(Archive, RefusesBombs) {
  const std::string zeros(std::size_t{6} << 20U, '\0');
  for (const ArchiveKind kind : {ArchiveKind::kZip, ArchiveKind::kTarGzip, ArchiveKind::kTarZstd}) {
    const auto bytes = make_archive(kind, {{"a", zeros}, {"b", zeros}});
    options_ = {};
    EXPECT_THAT(open_named(kind, bytes), Succeeds());
    options_.max_unpacked = zeros.size() * 2;
    EXPECT_THAT(open_named(kind, bytes), Succeeds());
    options_.max_unpacked = zeros.size() * 2 - 1;
    EXPECT_THAT(open_named(kind, bytes),
                FailsWith(ErrorCode::kLimit, HasSubstr("unpacks to more")));
  }
  options_ = {};
  options_.bomb_threshold = 1 << 20;
  EXPECT_THAT(
      open_named(ArchiveKind::kTarZstd, make_archive(ArchiveKind::kTarZstd, {{"a", zeros}})),
      FailsWith(ErrorCode::kLimit, HasSubstr("1000 times")));
}

TEST_F(Archive, RefusesMoreEntriesThanTheLimit) {
  options_.max_files = 3;
  std::vector<Entry> entries = {{"a"}, {"b"}, {"c"}};
  EXPECT_THAT(open_named(ArchiveKind::kTar, make_archive(ArchiveKind::kTar, entries)), Succeeds());
  entries.push_back({"d/", "", AE_IFDIR});
  EXPECT_THAT(open_named(ArchiveKind::kTar, make_archive(ArchiveKind::kTar, entries)),
              Fails(ErrorCode::kLimit));
}

TEST_F(Archive, RefusesAnArchiveWithoutFiles) {
  EXPECT_THAT(open_named(ArchiveKind::kZip, make_archive(ArchiveKind::kZip, {})),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(
      open_named(ArchiveKind::kTar, make_archive(ArchiveKind::kTar, {{"d/", "", AE_IFDIR}})),
      Fails(ErrorCode::kUsage));
}

// Cut at any byte, an archive is refused; only its padding may be missing.
TEST_F(Archive, NeverLosesFilesWhenItIsCutShort) {
  for (const ArchiveKind kind : kKinds) {
    const ByteVector whole = make_archive(kind, small_model());
    std::size_t accepted = 0;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      auto tree = open(kind, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
      if (!tree.ok()) {
        EXPECT_THAT(tree, Fails(ErrorCode::kMalformed)) << size;
        continue;
      }
      ++accepted;
      EXPECT_EQ(contents(*tree).size(), kSmallModel.size())
          << "kind " << int(kind) << ", " << size << " of " << whole.size();
    }
    EXPECT_LE(accepted, kind == ArchiveKind::kZip ? 0U : kind == ArchiveKind::kTar ? 512U : 40U);
  }
}

TEST_F(Archive, SurvivesEveryDamagedByte) {
  for (const ArchiveKind kind : kKinds) {
    const ByteVector whole = make_archive(kind, small_model());
    for (std::size_t i = 0; i < whole.size(); i += kind == ArchiveKind::kTar ? 3 : 1) {
      ByteVector damaged = whole;
      damaged[i] ^= 0x41U;
      const auto tree = open(kind, std::move(damaged));
      if (tree.ok()) (void)contents(*tree);
    }
  }
  EXPECT_THAT(scratch_.names(), IsEmpty());
}

TEST_F(Archive, IsRecognisedByExtensionAndContentTogether) {
  const MemorySource zip(make_archive(ArchiveKind::kZip, {{"x", "1"}}));
  const MemorySource tar(make_archive(ArchiveKind::kTar, {{"x", "1"}}));
  const MemorySource text(to_vector(as_bytes("hello")));
  const MemorySource nothing({});
  const auto kind = [](const char* name, const MemorySource& source) {
    const auto result = recognise_archive(name, source);
    EXPECT_THAT(result, Succeeds());
    return *result;
  };
  EXPECT_EQ(kind("m.zip", zip), ArchiveKind::kZip);
  EXPECT_EQ(kind("M.ZIP", zip), ArchiveKind::kZip);
  EXPECT_EQ(kind("m.tar", tar), ArchiveKind::kTar);
  for (const char* name :
       {"model.pt", "model.pth", "m.npz", "m.jar", "m", "zip", "m.tar", "m.7z", "m.rar"}) {
    EXPECT_EQ(kind(name, zip), std::nullopt) << name;
  }
  for (const char* name : {"a.zip", "a.tar", "a.tar.gz", "a.tgz", "a.tar.zst", "a.tar.xz"}) {
    EXPECT_EQ(kind(name, text), std::nullopt) << name;
    EXPECT_EQ(kind(name, nothing), std::nullopt) << name;
  }
}

TEST_F(Archive, ReportsAnUnwritableScratchFolder) {
  options_.scratch_folder = scratch_ / "missing";
  const auto source = std::make_shared<MemorySource>(make_archive(ArchiveKind::kTar, {{"x", "1"}}));
  EXPECT_THAT(open_archive(ArchiveKind::kTar, "'t'", source, options_), Fails(ErrorCode::kIo));
}

class FailingSource : public MemorySource {
 public:
  using MemorySource::MemorySource;
  Status read_at(std::uint64_t, MutableBytes) const override {
    return Error(ErrorCode::kIo, "disk on fire");
  }
};

TEST_F(Archive, ReportsAReadErrorAsSuch) {
  options_.scratch_folder = scratch_.path();
  for (const ArchiveKind kind : kKinds) {
    const auto source = std::make_shared<FailingSource>(make_archive(kind, {{"x", "1"}}));
    EXPECT_THAT(open_archive(kind, "'t'", source, options_),
                FailsWith(ErrorCode::kIo, HasSubstr("disk on fire")));
  }
}

}  // namespace
}  // namespace sealpack
