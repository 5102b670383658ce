// SPDX-License-Identifier: Apache-2.0
// What `inspect --json` makes of a manifest.
#include "unpacker/verbs/bundle_report.h"

#include <malloc.h>

#include <ostream>
#include <sstream>
#include <streambuf>

#include "tests/testing/result_matchers.h"

namespace sealpack::unpacker {
namespace {

// Counts what is written and keeps none of it; notes how much memory there was meanwhile.
class CountingBuffer : public std::streambuf {
 public:
  std::uint64_t written = 0;
  std::size_t most_heap = 0;

 protected:
  int_type overflow(int_type c) override {
    note(1);
    return c == traits_type::eof() ? 0 : c;
  }
  std::streamsize xsputn(const char*, std::streamsize size) override {
    note(static_cast<std::uint64_t>(size));
    return size;
  }

 private:
  void note(std::uint64_t size) {
    if (calls_++ % 1024 == 0) {
      const auto info = ::mallinfo2();
      most_heap = std::max(most_heap, info.uordblks + info.hblkhd);
    }
    written += size;
  }
  std::uint64_t calls_ = 0;
};

InspectedBundle with_tensors(std::size_t count, bool own_dtypes) {
  InspectedBundle inspected;
  inspected.path = "b.seal";
  inspected.content.public_files.push_back({"public/net.onnx", 1000, {}});
  for (std::size_t i = 0; i < count; ++i) {
    bundle::CardTensor tensor;
    tensor.name = "t" + std::to_string(i);
    tensor.dtype = own_dtypes ? "D" + std::to_string(i) : "F32";
    tensor.shape = {3, 4};
    inspected.content.card.tensors.push_back(std::move(tensor));
  }
  return inspected;
}

std::string json_of(const InspectedBundle& inspected) {
  std::ostringstream out;
  cli::Terminal terminal(out, out, false);
  print_bundle_json(inspected, true, terminal);
  return out.str();
}

TEST(BundleJson, ListsEveryTensorInOneDocument) {
  for (const std::size_t count : {0U, 1U, 3U}) {
    const std::string text = json_of(with_tensors(count, false));
    const cli::Json json = cli::Json::parse(text);
    ASSERT_EQ(json["tensors"].size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(json["tensors"][i]["name"], "t" + std::to_string(i));
      EXPECT_EQ(json["tensors"][i]["shape"], cli::Json({3, 4}));
      EXPECT_EQ(json["tensors"][i]["place"], "public");
    }
    // As if it were printed in one piece.
    EXPECT_EQ(text, json.dump(2, ' ', true) + "\n");
  }
}

TEST(BundleJson, TakesLittleMemoryForAManifestOfMillions) {
  const InspectedBundle inspected = with_tensors(bundle::kMaxTensors, false);
  const auto before = ::mallinfo2();
  CountingBuffer counted;
  std::ostream out(&counted);
  cli::Terminal terminal(out, out, false);
  print_bundle_json(inspected, true, terminal);
  EXPECT_GT(counted.written, std::uint64_t{100} << 20U);
  EXPECT_LT(counted.most_heap, before.uordblks + before.hblkhd + (std::size_t{16} << 20U));
}

TEST(BundleJson, CountsNoMoreElementTypesThanModelsHave) {
  const InspectedBundle inspected = with_tensors(100000, true);
  const BundleSums sums = sums_of(inspected.content);
  EXPECT_EQ(sums.dtypes.size(), 65U);
  EXPECT_EQ(sums.dtypes.at("other").tensors, 100000U - 64);
  EXPECT_EQ(sums.public_parameters, 1200000U);
}

}  // namespace
}  // namespace sealpack::unpacker
