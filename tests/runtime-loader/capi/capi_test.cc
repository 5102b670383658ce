// SPDX-License-Identifier: Apache-2.0
// Reading bundles through the C interface.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/runtime-loader/capi/opened_model.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::testing {
namespace {

TEST_F(OpenedModel, SaysWhatTheVendorSays) {
  open();
  sealpack_bundle_info info = SEALPACK_INIT(sealpack_bundle_info);
  ASSERT_CODE(SEALPACK_OK, sealpack_bundle_get_info(bundle_.get(), &info, &error));
  EXPECT_STREQ(info.product, "test product");
  EXPECT_STREQ(info.version, "1.2");
  EXPECT_STREQ(info.scheme, "whole");
  EXPECT_EQ(info.counter, 7U);
  EXPECT_EQ(info.unlocked, 0);
  EXPECT_EQ(info.requires_attestation, 0);
  EXPECT_EQ(info.bundle_size, memory_.bytes.size());
  EXPECT_EQ(info.card_tensor_count, 3U);
  EXPECT_EQ(info.file_count, 2U);
  EXPECT_EQ(Digest{}.bytes.size(), sizeof info.authority);
  EXPECT_EQ(std::memcmp(info.authority, digest_of(keys_.authority).bytes.data(), 32), 0);

  sealpack_card_tensor tensor = SEALPACK_INIT(sealpack_card_tensor);
  ASSERT_CODE(SEALPACK_OK, sealpack_bundle_card_tensor(bundle_.get(), 1, &tensor, &error));
  EXPECT_STREQ(tensor.name, "b");
  EXPECT_STREQ(tensor.dtype, "U8");
  ASSERT_EQ(tensor.rank, 2U);
  EXPECT_EQ(tensor.shape[1], 4000U);
  EXPECT_EQ(tensor.sealed, 1);
  EXPECT_CODE(SEALPACK_USAGE, sealpack_bundle_card_tensor(bundle_.get(), 3, &tensor, &error));

  const char* key = nullptr;
  const char* value = nullptr;
  ASSERT_CODE(SEALPACK_OK, sealpack_bundle_fact(bundle_.get(), 0, &key, &value, &error));
  EXPECT_STREQ(key, "architecture");
  EXPECT_STREQ(value, "test");
  EXPECT_CODE(SEALPACK_USAGE, sealpack_bundle_fact(bundle_.get(), 2, &key, &value, &error));
}

TEST_F(OpenedModel, KeepsItsTextsWhenItIsUnlocked) {
  open();
  sealpack_bundle_info info = SEALPACK_INIT(sealpack_bundle_info);
  sealpack_card_tensor tensor = SEALPACK_INIT(sealpack_card_tensor);
  ASSERT_CODE(SEALPACK_OK, sealpack_bundle_get_info(bundle_.get(), &info, &error));
  ASSERT_CODE(SEALPACK_OK, sealpack_bundle_card_tensor(bundle_.get(), 0, &tensor, &error));
  ASSERT_CODE(SEALPACK_OK, unlock(bundle_.get(), keys_.recipient, &error));
  EXPECT_STREQ(info.product, "test product");
  EXPECT_STREQ(tensor.name, "a");
  EXPECT_EQ(tensor.shape[1], 4U);
  ASSERT_CODE(SEALPACK_OK, sealpack_bundle_get_info(bundle_.get(), &info, &error));
  EXPECT_EQ(info.unlocked, 1);
}

TEST_F(OpenedModel, GivesPublicBytesWithoutAKeyAndSealedOnesNot) {
  open();
  ByteVector out(40000);
  ASSERT_CODE(SEALPACK_OK,
              sealpack_file_pread(bundle_.get(), kConfig, 0, out.data(), out.size(), &error));
  EXPECT_EQ(out, pattern(40000, 14));
  EXPECT_TRUE(all_zero(read_model(0, 100, SEALPACK_KEY_UNAVAILABLE)));
  std::size_t count = 0;
  EXPECT_CODE(SEALPACK_KEY_UNAVAILABLE, sealpack_tensor_count(bundle_.get(), &count, &error));
}

TEST_F(OpenedModel, ReadsAnyRange) {
  open_and_unlock();
  const ByteVector file = model_.file();
  EXPECT_EQ(read_model(0, file.size()), file);
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{16384},
                                     std::uint64_t{262143}, std::uint64_t{400000}}) {
    for (const std::size_t size : {0U, 1U, 16384U, 16385U, 70000U}) {
      const ByteVector expected(file.begin() + static_cast<std::ptrdiff_t>(offset),
                                file.begin() + static_cast<std::ptrdiff_t>(offset + size));
      EXPECT_EQ(read_model(offset, size), expected) << offset << " + " << size;
    }
  }
  EXPECT_EQ(read_model(file.size(), 0), ByteVector());
  EXPECT_TRUE(all_zero(read_model(file.size(), 1, SEALPACK_USAGE)));
  EXPECT_TRUE(all_zero(read_model(file.size() - 1, 2, SEALPACK_USAGE)));
  EXPECT_TRUE(all_zero(read_model(~std::uint64_t{0}, 2, SEALPACK_USAGE)));
}

TEST_F(OpenedModel, FindsFiles) {
  open();
  std::size_t index = 9;
  ASSERT_CODE(SEALPACK_OK, sealpack_file_find(bundle_.get(), "model.safetensors", &index, &error));
  EXPECT_EQ(index, kModel);
  EXPECT_CODE(SEALPACK_USAGE, sealpack_file_find(bundle_.get(), "model", &index, &error));
  EXPECT_CODE(SEALPACK_USAGE, sealpack_file_find(bundle_.get(), "z", &index, &error));
  sealpack_file file = SEALPACK_INIT(sealpack_file);
  ASSERT_CODE(SEALPACK_OK, sealpack_file_describe(bundle_.get(), kModel, &file, &error));
  EXPECT_STREQ(file.path, "model.safetensors");
  EXPECT_EQ(file.size, model_.file().size());
  EXPECT_EQ(file.sealed_size, file.size);
  ASSERT_CODE(SEALPACK_OK, sealpack_file_describe(bundle_.get(), kConfig, &file, &error));
  EXPECT_EQ(file.sealed_size, 0U);
  EXPECT_CODE(SEALPACK_USAGE, sealpack_file_describe(bundle_.get(), 2, &file, &error));
}

TEST_F(OpenedModel, GivesTensorsAndTheirRows) {
  open_and_unlock();
  std::size_t count = 0;
  ASSERT_CODE(SEALPACK_OK, sealpack_tensor_count(bundle_.get(), &count, &error));
  ASSERT_EQ(count, 3U);
  std::size_t index = 9;
  ASSERT_CODE(SEALPACK_OK, sealpack_tensor_find(bundle_.get(), "b", &index, &error));
  sealpack_tensor tensor = SEALPACK_INIT(sealpack_tensor);
  ASSERT_CODE(SEALPACK_OK, sealpack_tensor_describe(bundle_.get(), index, &tensor, &error));
  EXPECT_STREQ(tensor.dtype, "U8");
  EXPECT_EQ(tensor.size, 400000U);
  EXPECT_EQ(tensor.file, kModel);
  EXPECT_EQ(read_model(tensor.file_offset, 400000), model_.data[1]);

  ByteVector rows(3 * 4000);
  ASSERT_CODE(SEALPACK_OK,
              sealpack_tensor_rows(bundle_.get(), index, 97, 3, rows.data(), rows.size(), &error));
  EXPECT_TRUE(std::equal(rows.begin(), rows.end(), model_.data[1].end() - 12000));
  EXPECT_CODE(SEALPACK_USAGE,
              sealpack_tensor_rows(bundle_.get(), index, 98, 3, rows.data(), rows.size(), &error));
  EXPECT_TRUE(all_zero(rows));
  EXPECT_CODE(SEALPACK_USAGE,
              sealpack_tensor_rows(bundle_.get(), index, 0, 2, rows.data(), rows.size(), &error));
  EXPECT_CODE(SEALPACK_USAGE, sealpack_tensor_rows(bundle_.get(), index, ~std::uint64_t{0}, 2,
                                                   rows.data(), rows.size(), &error));

  ByteVector part(10);
  ASSERT_CODE(SEALPACK_OK, sealpack_tensor_pread(bundle_.get(), 0, 38, part.data(), 10, &error));
  EXPECT_TRUE(std::equal(part.begin(), part.end(), model_.data[0].begin() + 38));
  EXPECT_CODE(SEALPACK_USAGE, sealpack_tensor_pread(bundle_.get(), 0, 39, part.data(), 10, &error));
  EXPECT_TRUE(all_zero(part));
  EXPECT_CODE(SEALPACK_USAGE, sealpack_tensor_pread(bundle_.get(), 3, 0, part.data(), 1, &error));
  EXPECT_CODE(SEALPACK_USAGE, sealpack_tensor_find(bundle_.get(), "c", &index, &error));
}

TEST_F(OpenedModel, RefusesATamperedBlockAndGivesNothing) {
  open_and_unlock();
  memory_.bytes[segment(2) + 100000] ^= 1;
  EXPECT_TRUE(all_zero(read_model(0, model_.file().size(), SEALPACK_NOT_AUTHENTIC)));
  EXPECT_CODE(SEALPACK_NOT_AUTHENTIC, sealpack_bundle_check(bundle_.get(), &error));
  // What lies elsewhere is as good as before.
  const ByteVector file = model_.file();
  EXPECT_EQ(read_model(0, 100), ByteVector(file.begin(), file.begin() + 100));
  memory_.bytes[segment(2) + 100000] ^= 1;
  EXPECT_EQ(read_model(0, model_.file().size()), model_.file());
  EXPECT_CODE(SEALPACK_OK, sealpack_bundle_check(bundle_.get(), &error));
}

// The bytes change between any two reads: what comes out is right, or nothing.
TEST_F(OpenedModel, GivesTheOriginalBytesOrNoneWhileTheSourceChanges) {
  open_and_unlock();
  std::uint64_t reads = 0;
  std::uint64_t chosen = ~std::uint64_t{0};
  memory_.change = [&](std::uint64_t, MutableBytes out) {
    if (reads++ == chosen) out[out.size() / 2] ^= 0x10;
    return 0;
  };
  const ByteVector file = model_.file();
  read_model(0, file.size());
  const std::uint64_t total = reads;
  ASSERT_GT(total, 4U);
  for (chosen = 0; chosen < total; ++chosen) {
    reads = 0;
    ByteVector out(file.size());
    const int code = sealpack_file_pread(bundle_.get(), kModel, 0, out.data(), out.size(), nullptr);
    EXPECT_EQ(code, SEALPACK_NOT_AUTHENTIC) << chosen;
    EXPECT_TRUE(all_zero(out)) << chosen;
  }
}

TEST_F(OpenedModel, PassesOnWhatTheSourceSays) {
  open_and_unlock();
  const auto read_with = [&](int code) {
    memory_.change = [code](auto, auto) { return code; };
    ByteVector out(1000, 1);
    const int got = sealpack_file_pread(bundle_.get(), kModel, 0, out.data(), out.size(), nullptr);
    EXPECT_TRUE(all_zero(out));
    return got;
  };
  EXPECT_EQ(read_with(-1), SEALPACK_IO);
  EXPECT_EQ(read_with(4711), SEALPACK_IO);
  EXPECT_EQ(read_with(SEALPACK_TRY_AGAIN), SEALPACK_TRY_AGAIN);
  EXPECT_EQ(read_with(SEALPACK_LIMIT), SEALPACK_LIMIT);
}

TEST_F(OpenedModel, StopsWhenTheCallerSaysSo) {
  std::atomic<int> left{1 << 20};
  std::vector<std::uint64_t> seen;
  struct Context {
    std::atomic<int>* left;
    std::vector<std::uint64_t>* seen;
  } context{&left, &seen};
  sealpack_hooks hooks = SEALPACK_INIT(sealpack_hooks);
  hooks.context = &context;
  hooks.cancel = [](void* given) {
    return static_cast<Context*>(given)->left->fetch_sub(1) <= 0 ? 1 : 0;
  };
  hooks.progress = [](void* given, std::uint64_t done, std::uint64_t) {
    static_cast<Context*>(given)->seen->push_back(done);
  };
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.hooks = &hooks;
  open_and_unlock(options);
  seen.clear();
  const ByteVector file = model_.file();
  EXPECT_EQ(read_model(0, file.size()), file);
  ASSERT_FALSE(seen.empty());
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.back(), file.size());

  left = 2;
  EXPECT_TRUE(all_zero(read_model(0, file.size(), SEALPACK_CANCELLED)));
  left = 0;
  EXPECT_CODE(SEALPACK_CANCELLED, sealpack_bundle_check(bundle_.get(), &error));
  left = 1 << 20;
  EXPECT_EQ(read_model(0, file.size()), file);
}

// More threads than readers, on one handle.
TEST_F(OpenedModel, ReadsInManyThreads) {
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.max_readers = 3;
  open_and_unlock(options);
  const ByteVector file = model_.file();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned number = 0; number < 8; ++number) {
    threads.emplace_back([&, number] {
      for (std::size_t i = 0; i < 40; ++i) {
        const std::size_t offset = (number * 7919 + i * 104729) % (file.size() - 50000);
        const std::size_t size = 1 + (number * 31 + i * 977) % 50000;
        ByteVector out(size);
        const int code =
            sealpack_file_pread(bundle_.get(), kModel, offset, out.data(), size, nullptr);
        std::size_t count = 0;
        if (code != SEALPACK_OK ||
            !std::equal(out.begin(), out.end(),
                        file.begin() + static_cast<std::ptrdiff_t>(offset)) ||
            sealpack_tensor_count(bundle_.get(), &count, nullptr) != SEALPACK_OK || count != 3) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(OpenedModel, UnlocksWhileOthersRead) {
  open();
  BusyReaders readers(bundle_.get());
  EXPECT_CODE(SEALPACK_KEY_UNAVAILABLE,
              unlock(bundle_.get(), make_key(crypto::KeyType::kX25519), &error));
  EXPECT_CODE(SEALPACK_OK, unlock(bundle_.get(), keys_.recipient, &error));
  EXPECT_EQ(readers.finish(), 0);
  EXPECT_EQ(read_model(0, 10).size(), 10U);
}

TEST_F(OpenedModel, DoesNotMindThatItsDescriptorIsClosed) {
  const TemporaryFolder folder;
  const auto path = folder.put("b.seal", std::string(memory_.bytes.begin(), memory_.bytes.end()));
  session_ = session_with(SEALPACK_INIT(sealpack_session_options), trust_.get());
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  sealpack_bundle* bundle = nullptr;
  ASSERT_CODE(SEALPACK_OK, sealpack_bundle_open_fd(session_.get(), fd, nullptr, &bundle, &error));
  bundle_.reset(bundle);
  ::close(fd);
  ASSERT_CODE(SEALPACK_OK, unlock(bundle, keys_.recipient, &error));
  EXPECT_EQ(read_model(0, model_.file().size()), model_.file());

  // The file shrinks under it.
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(segment(2) + 1000)), 0);
  EXPECT_TRUE(all_zero(read_model(0, model_.file().size(), SEALPACK_IO)));
  EXPECT_EQ(read_model(0, 10).size(), 10U);
}

TEST_F(OpenedModel, ClosesItsSourceOnceWhateverHappens) {
  open_and_unlock();
  bundle_.reset();
  EXPECT_EQ(memory_.closed, 1);
  // In any order.
  bundle_ = open_in(session_.get(), memory_);
  session_.reset();
  ByteVector out(10);
  EXPECT_CODE(SEALPACK_OK, sealpack_file_pread(bundle_.get(), kConfig, 0, out.data(), 10, &error));
  bundle_.reset();
  EXPECT_EQ(memory_.closed, 2);
  // A failure to open closes too.
  memory_.bytes[4096] ^= 1;
  session_ = session_with(SEALPACK_INIT(sealpack_session_options), trust_.get());
  const sealpack_source source = memory_.source();
  auto* bundle = reinterpret_cast<sealpack_bundle*>(1);
  EXPECT_CODE(SEALPACK_MALFORMED,
              sealpack_bundle_open_source(session_.get(), &source, nullptr, &bundle, &error));
  EXPECT_EQ(bundle, nullptr);
  EXPECT_EQ(memory_.closed, 3);
}

TEST_F(OpenedModel, RefusesOtherTrustAndOtherProducts) {
  const TestKeys others = make_keys();
  const Owned<sealpack_trust> stranger = trust_for(others);
  const Owned<sealpack_trust> product = trust_for(keys_, "another product");
  const sealpack_source source = memory_.source();
  sealpack_bundle* bundle = nullptr;
  session_ = session_with(SEALPACK_INIT(sealpack_session_options), stranger.get());
  EXPECT_CODE(SEALPACK_NOT_AUTHENTIC,
              sealpack_bundle_open_source(session_.get(), &source, nullptr, &bundle, &error));
  session_ = session_with(SEALPACK_INIT(sealpack_session_options), product.get());
  EXPECT_CODE(SEALPACK_REFUSED,
              sealpack_bundle_open_source(session_.get(), &source, nullptr, &bundle, &error));
}

TEST_F(OpenedModel, RefusesACardThatLies) {
  Recipe recipe = model_.recipe();
  const auto honest = recipe.edit_content;
  recipe.edit_content = [&](bundle::Content& content) {
    honest(content);
    content.card.tensors[0].name = "A";
  };
  memory_.bytes = build(keys_, recipe).bytes();
  open();
  EXPECT_CODE(SEALPACK_MALFORMED, unlock(bundle_.get(), keys_.recipient, &error));
  EXPECT_CODE(SEALPACK_USAGE, unlock(bundle_.get(), keys_.recipient, &error));
  EXPECT_TRUE(all_zero(read_model(0, 10, SEALPACK_USAGE)));
}

}  // namespace
}  // namespace sealpack::testing
