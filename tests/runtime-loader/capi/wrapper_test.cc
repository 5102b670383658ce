// SPDX-License-Identifier: Apache-2.0
// The C++ wrapper against the shared library, with a released bundle. wrapper_test VECTORS
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sealpack/loader.hpp>
#include <type_traits>

namespace {

namespace api = sealpack::loader_api;

static_assert(std::is_move_constructible_v<api::Bundle> &&
              !std::is_copy_constructible_v<api::Bundle>);
static_assert(std::is_move_constructible_v<api::Session> &&
              !std::is_copy_constructible_v<api::Session>);
static_assert(std::is_move_constructible_v<api::Trust> &&
              !std::is_copy_constructible_v<api::Trust>);

int failures = 0;

void check(bool condition, const char* what) {
  if (condition) return;
  ++failures;
  std::fprintf(stderr, "not true: %s\n", what);
}
#define CHECK(condition) check((condition), #condition)

std::vector<char> load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void read_everything(api::Bundle& bundle) {
  const auto file = bundle.file(0);
  CHECK(file.ok());
  std::vector<std::uint8_t> whole(file->size);
  CHECK(bundle.pread(0, 0, whole).ok());
  std::vector<std::uint8_t> collected;
  auto sink = api::make<sealpack_sink>();
  sink.context = &collected;
  sink.deliver = [](void* context, std::uint64_t, void* block, std::size_t size) {
    const auto* bytes = static_cast<const std::uint8_t*>(block);
    auto* out = static_cast<std::vector<std::uint8_t>*>(context);
    out->insert(out->end(), bytes, bytes + size);
    return 0;
  };
  CHECK(bundle.stream(0, 0, file->size, sink).ok());
  CHECK(collected == whole);

  const auto count = bundle.tensor_count();
  CHECK(count.ok() && *count > 0);
  for (std::size_t i = 0; i < *count; ++i) {
    const auto tensor = bundle.tensor(i);
    CHECK(tensor.ok());
    CHECK(*bundle.find_tensor(tensor->name) == i);
    std::vector<std::uint8_t> bytes(tensor->size);
    CHECK(bundle.read_tensor(i, 0, bytes).ok());
    CHECK(std::memcmp(bytes.data(), whole.data() + tensor->file_offset, bytes.size()) == 0);
    if (tensor->rank == 0) continue;
    CHECK(bundle.read_rows(i, 0, tensor->shape[0], bytes).ok());
    collected.clear();
    CHECK(bundle.stream_tensor(i, 0, tensor->size, sink).ok());
    CHECK(collected == bytes);
  }
}

void use(const std::string& folder) {
  const auto trust = api::Trust::load(folder + "/keys/NOT-A-SECRET-vendor-ed25519.pub");
  CHECK(trust.ok());
  auto session = api::Session::create(*trust);
  CHECK(session.ok());
  const auto missing = session->open("/nowhere");
  CHECK(!missing.ok() && missing.failure().code == SEALPACK_IO);
  CHECK(missing.failure().message.find("/nowhere") != std::string::npos);

  auto opened = session->open(folder + "/golden/tiny.seal");
  CHECK(opened.ok());
  api::Bundle bundle = std::move(*opened);
  CHECK(std::string(bundle.info()->product) == "tiny");
  CHECK(bundle.card_tensor(0).ok());
  CHECK(bundle.tensor_count().failure().code == SEALPACK_KEY_UNAVAILABLE);
  const auto no_file = bundle.find_file("nothing");
  CHECK(!no_file && no_file.failure().code == SEALPACK_USAGE);
  CHECK(bundle.unlock_aes256({}).code == SEALPACK_KEY_UNAVAILABLE);
  CHECK(bundle.add_grant(std::string("garbage")).code == SEALPACK_MALFORMED);
  CHECK(bundle.unlock_source(api::make<sealpack_key_source>()).code == SEALPACK_USAGE);
  CHECK(bundle.unlock_key_file("/nowhere").code == SEALPACK_IO);
  const std::vector<char> key = load(folder + "/keys/NOT-A-SECRET-recipient-x25519.key");
  CHECK(bundle.unlock_key_bytes(key).ok());
  CHECK(bundle.check().ok());
  read_everything(bundle);
  CHECK(bundle.receipt(std::string("nonce")).ok());
  CHECK(bundle.confirm().code == SEALPACK_UNSUPPORTED);
  CHECK(bundle.load_model().failure().code == SEALPACK_UNSUPPORTED);
  std::vector<sealpack_value> outputs;
  CHECK(bundle.run({}, outputs).failure().code == SEALPACK_USAGE);
  CHECK(session->launch_digest().ok());
  CHECK(*session->peak_memory() == 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  use(argv[1]);
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
