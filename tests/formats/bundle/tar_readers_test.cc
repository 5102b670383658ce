// SPDX-License-Identifier: Apache-2.0
// What tar programs that know nothing of sealpack make of a bundle.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "tests/testing/temporary_folder.h"
#include "tests/testing/test_bundle.h"

namespace sealpack::bundle {
namespace {

namespace fs = std::filesystem;
using sealpack::testing::Recipe;
using sealpack::testing::SparseSource;
using sealpack::testing::TestBundle;

class TarReaders : public ::testing::Test {
 protected:
  std::string bundle_path() const { return folder_ / "model.seal"; }

  // With holes where the source has no pieces.
  void write(const SparseSource& source) const {
    const int file = ::open(bundle_path().c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    ASSERT_GE(file, 0);
    ASSERT_EQ(::ftruncate(file, static_cast<off_t>(source.size())), 0);
    for (const auto& [offset, bytes] : source.pieces()) {
      ASSERT_EQ(::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
                static_cast<ssize_t>(bytes.size()));
    }
    ASSERT_EQ(::close(file), 0);
  }

  // Output of a shell command in the folder, both streams; fails the test unless it exits with 0.
  std::string run(const std::string& command) const {
    const std::string line =
        "export LC_ALL=C.UTF-8; cd '" + folder_.path().string() + "' && { " + command + " ; } 2>&1";
    FILE* pipe = ::popen(line.c_str(), "r");
    std::string output;
    char buffer[4096];
    for (std::size_t size = 0; (size = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
      output.append(buffer, size);
    }
    EXPECT_EQ(::pclose(pipe), 0) << command << "\n" << output;
    return output;
  }

  static bool have(const std::string& program) {
    return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
  }

  sealpack::testing::TemporaryFolder folder_;
};

// "SIZE PATH" a line, as each program prints it.
constexpr const char* kGnuTar =
    "tar --quoting-style=literal -tvf model.seal | awk '{p=$6; for(i=7;i<=NF;i++) "
    "p=p \" \" $i; print $3, p}'";
constexpr const char* kBsdTar =
    "bsdtar -tvf model.seal | awk '{p=$9; for(i=10;i<=NF;i++) p=p \" \" $i; print "
    "$5, p}'";
constexpr const char* kPython =
    "PYTHONUTF8=1 python3 -c 'import tarfile\n"
    "for m in tarfile.open(\"model.seal\"):\n"
    "  assert m.isreg() and m.offset_data % 4096 == 0\n"
    "  print(m.size, m.name)'";

std::string expected_list(const Layout& layout) {
  std::string list;
  for (const Member& member : layout.members) {
    list += std::to_string(member.size) + " " + member.path + "\n";
  }
  return list;
}

TestBundle build_default() {
  return sealpack::testing::build(sealpack::testing::make_keys());
}

// Paths that the ustar header cannot hold.
Recipe long_paths() {
  Recipe recipe;
  std::string deep;
  for (int i = 0; i < 8; ++i) deep += std::string(120, static_cast<char>('a' + i)) + "/";
  recipe.public_files = {
      {std::string(99, 'a'), {1}},
      {std::string(100, 'a'), {1, 2}},
      {std::string(101, 'a'), {1, 2, 3}},
      {std::string(255, 'b'), {1, 2, 3, 4}},
      {deep + "file", {5}},
      {"two words.txt", {6}},
      {"z-\xc3\xa4\xc3\xb6\xc3\xbc/\xe6\xa8\xa1\xe5\x9e\x8b.onnx", {7}},
      {"z" + std::string(91, 'x') + "\xe6\xa8\xa1\xe5\x9e\x8b.onnx", {8}},  // cut inside a letter
  };
  std::sort(recipe.public_files.begin(), recipe.public_files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return recipe;
}

TestBundle build_large() {
  const auto zeros = [](Content& content) {
    const auto size = (std::uint64_t{8} << 30U) + 12345;
    content.public_files = {{"huge.bin", size, sealpack::testing::build_zero_tree(size).root},
                            {"last.bin", (std::uint64_t{1} << 33U) - 1, {}}};
    content.sealed_files.clear();
    content.originals.clear();
    content.card = {};
  };
  Recipe recipe;
  recipe.public_files.clear();
  recipe.sealed_files.clear();
  recipe.edit_content = zeros;
  return sealpack::testing::build(sealpack::testing::make_keys(), recipe);
}

TEST_F(TarReaders, GnuTarListsEveryMember) {
  if (!have("tar")) GTEST_SKIP() << "no tar";
  for (const TestBundle& made :
       {build_default(), build(sealpack::testing::make_keys(), long_paths()), build_large()}) {
    write(made.source);
    EXPECT_EQ(run(kGnuTar), expected_list(made.layout));
  }
}

TEST_F(TarReaders, BsdTarListsEveryMember) {
  if (!have("bsdtar")) GTEST_SKIP() << "no bsdtar (libarchive-tools)";
  for (const TestBundle& made :
       {build_default(), build(sealpack::testing::make_keys(), long_paths()), build_large()}) {
    write(made.source);
    EXPECT_EQ(run(kBsdTar), expected_list(made.layout));
  }
}

TEST_F(TarReaders, PythonListsEveryMember) {
  if (!have("python3")) GTEST_SKIP() << "no python3";
  for (const TestBundle& made :
       {build_default(), build(sealpack::testing::make_keys(), long_paths()), build_large()}) {
    write(made.source);
    EXPECT_EQ(run(kPython), expected_list(made.layout));
  }
}

TEST_F(TarReaders, ExtractThePublicPartAsItWas) {
  if (!have("tar") && !have("bsdtar")) GTEST_SKIP() << "no tar";
  for (const std::string program : {"tar", "bsdtar"}) {
    if (!have(program)) continue;
    for (const Recipe& recipe : {Recipe(), long_paths()}) {
      write(sealpack::testing::build(sealpack::testing::make_keys(), recipe).source);
      run("rm -rf public && " + program + " -xf model.seal public");
      EXPECT_FALSE(fs::exists(folder_ / "sealed"));
      for (const auto& file : recipe.public_files) {
        const fs::path path = folder_.path() / "public" / file.path;
        ASSERT_TRUE(fs::exists(path)) << program << " " << file.path;
        const std::string found = sealpack::testing::content_of(path);
        EXPECT_TRUE(as_text(file.bytes) == found) << program << " " << file.path;
      }
    }
  }
}

}  // namespace
}  // namespace sealpack::bundle
