// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "formats/files/file_source.h"
#include "runtime-loader/host/tee_client.h"
#include "runtime-loader/tee/process/process_backend.h"
#include "tests/runtime-loader/core/model_bundle.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::tee {

// A bundle with a small model in a file, and the program `sealpack-tee` of this build.
class ProcessCase : public ::testing::Test {
 protected:
  ProcessCase() {
    write_bundle();
    config = setting.config;
  }

  void write_bundle() {
    ByteVector bytes(setting.source->size());
    if (!setting.source->read_at(0, bytes).ok()) die("cannot read the test bundle");
    path = folder.put("m.seal", std::string(as_text(bytes)));
  }

  ProcessOptions options(std::uint64_t cap = 0) {
    ProcessOptions how;
    how.program = SEALPACK_TEE_PROGRAM;
    how.cap = cap;
    how.threads = 2;
    how.shared_bytes = std::uint64_t{1} << 20U;
    how.spill_bytes = std::uint64_t{1} << 20U;
    file = *FileSource::open(path);
    how.bundles = {file->descriptor()};
    return how;
  }

  Status start(std::uint64_t cap = 0) { return start(options(cap)); }
  Status start(const ProcessOptions& how) {
    client.reset();
    backend = TRY(ProcessBackend::launch(how));
    client.emplace(*backend);
    return done();
  }
  // Up to a bundle that is verified inside.
  Status add() {
    (void)TRY(client->launch(config));
    return client->add_bundle({0, file->size(), "vendor", "model", 1700000000}, *file);
  }
  Status unlock() {
    return client->unlock(0, setting.challenge, [this](const loader::KeyRequest& request) {
      return loader::make_key_grant(request, setting.keys.content, {}, nullptr);
    });
  }
  Result<loader::ModelInfo> load(std::uint64_t limit = ~std::uint64_t{0}) {
    loader::LoadOptions how;
    how.memory_limit = std::min(limit, TRY(backend->secure_room()).available);
    return client->load(0, how);
  }
  Result<ByteVector> run(const std::vector<float>& x) {
    const ByteVector bytes = loader::testing::bytes_of(x);
    const loader::InputTensor input = loader::testing::input_of(bytes);
    const host::HostTensor tensor{{input.name, input.type}, bytes};
    return TRY(client->run(0, {tensor}, nullptr)).tensors.at(0).bytes;
  }
  // The whole way.
  Result<ByteVector> answer(std::uint64_t cap, const std::vector<float>& x) {
    TRY(start(cap));
    TRY(add());
    TRY(unlock());
    (void)TRY(load());
    return run(x);
  }
  bool is_right(const ByteVector& answer, const std::vector<float>& x) const {
    const std::vector<float> expected = setting.model.answer(x);
    const std::vector<float> got = loader::testing::floats_of(answer);
    if (got.size() != expected.size()) return false;
    for (std::size_t i = 0; i < got.size(); ++i) {
      if (std::abs(got[i] - expected[i]) > 1e-3F * (1 + std::abs(expected[i]))) return false;
    }
    return true;
  }
  void flip(std::uint64_t offset) const {
    const FileDescriptor writer(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    std::uint8_t byte = 0;
    ASSERT_EQ(::pread(writer.get(), &byte, 1, static_cast<off_t>(offset)), 1);
    byte ^= 1U;
    ASSERT_EQ(::pwrite(writer.get(), &byte, 1, static_cast<off_t>(offset)), 1);
  }

  loader::testing::Setting setting;
  loader::LaunchConfig config;
  sealpack::testing::TemporaryFolder folder;
  std::filesystem::path path;
  std::unique_ptr<FileSource> file;
  std::unique_ptr<ProcessBackend> backend;
  std::optional<host::TeeClient> client;
};

}  // namespace sealpack::tee
