// SPDX-License-Identifier: Apache-2.0
#include "bench/bundle_work.h"

#include <fcntl.h>

#include <cstdio>
#include <random>

#include "formats/files/parallel.h"
#include "packer/core/build.h"
#include "packer/core/head_update.h"
#include "unpacker/core/bundle_check.h"

namespace sealpack::bench {
namespace {

constexpr std::uint64_t kUnit = 128 * crypto::SegmentCipher::kPlainChunk;

void print_milliseconds(double start) {
  std::printf("milliseconds %.3f\n", (seconds_now() - start) * 1e3);
}

}  // namespace

Result<OpenFile> open_file(const std::filesystem::path& path, const Keys& keys) {
  std::shared_ptr<const FileSource> source = TRY(FileSource::open(path));
  auto bundle = TRY(open_bundle(source, keys));
  return OpenFile{std::move(source), std::move(bundle)};
}

Status build(const std::filesystem::path& model, const std::filesystem::path& out, Keys keys,
             unsigned threads) {
  const packer::Assembly assembly = TRY(packer::assemble(TRY(open_inputs(model, {})), {}));
  packer::BuildRequest request;
  request.output = out;
  request.overwrite = Overwrite::kReplace;
  request.authority = keys.signer->public_key().digest();
  request.recipients.push_back({keys.recipient.duplicate(), bundle::SlotClass::kDirect, "bench"});
  request.release.product = "bench";
  request.release.version = "1";
  request.release.counter = 1;
  request.release.policy.anyone_because = "a benchmark";
  request.data.threads = threads;
  request.signers.push_back(std::move(keys.signer));
  TRY(packer::build_bundle(assembly, request));
  return done();
}

Status verify(const std::filesystem::path& bundle, const Keys& keys, unsigned threads) {
  const OpenFile file = TRY(open_file(bundle, keys));
  const unpacker::BundleCheck check(file.bundle.verified());
  return run_parallel(threads, check.unit_count(), [&] {
    return [&, reader = unpacker::FileReader(file.bundle.verified())](std::uint64_t unit) mutable {
      return check.check(unit, reader);
    };
  });
}

Status unseal(const std::filesystem::path& bundle, const std::filesystem::path& out,
              const Keys& keys, unsigned threads) {
  const OpenFile file = TRY(open_file(bundle, keys));
  const bundle::OriginalFile& original = file.bundle.verified().content().originals.at(0);
  OutputFile output = TRY(OutputFile::create(out, Overwrite::kReplace, 0600));
  TRY(output.allocate(original.size));
  TRY(run_parallel(threads, (original.size + kUnit - 1) / kUnit, [&] {
    return [&, reader = unpacker::FileReader(file.bundle),
            buffer = ByteVector(kUnit)](std::uint64_t unit) mutable -> Status {
      const std::uint64_t offset = unit * kUnit;
      const MutableBytes part = MutableBytes(buffer).first(
          static_cast<std::size_t>(std::min(kUnit, original.size - offset)));
      TRY(reader.read_original(original, offset, part));
      TRY(output.write_at(offset, part));
      output.start_writeback(offset, part.size());
      return done();
    };
  }));
  return output.commit();
}

Status read_tensors(const std::filesystem::path& bundle, const Keys& keys, int count) {
  const OpenFile file = TRY(open_file(bundle, keys));
  const auto sealed =
      static_cast<std::uint32_t>(file.bundle.verified().content().public_files.size());
  ByteVector tensor(1U << 20U);
  const std::uint64_t last = file.bundle.verified().content().file_size(sealed) - tensor.size();
  std::mt19937_64 random(1);  // the same places every time
  for (int i = 0; i < count; ++i) {
    const std::uint64_t offset = random() % last;
    (void)::posix_fadvise(file.source->descriptor(), 0, 0, POSIX_FADV_DONTNEED);
    const double start = seconds_now();
    unpacker::FileReader reader(file.bundle);
    TRY(reader.read(sealed, offset, tensor));
    print_milliseconds(start);
  }
  return done();
}

Status reseal(const std::filesystem::path& bundle, Keys keys, int count) {
  const unpacker::Trust trust = trust_in(keys);
  packer::Signers signers;
  signers.push_back(std::move(keys.signer));
  for (int i = 0; i < count; ++i) {
    const double start = seconds_now();
    auto update = TRY(packer::HeadUpdate::open(bundle));
    const auto old =
        TRY(TRY(unpacker::UnverifiedBundle::open(TRY(FileSource::open(bundle)))).verify(trust, {}));
    bundle::Release release = old.release();
    ++release.counter;
    bundle::Head head = update.head().head;
    head.release = TRY(packer::sign_release(release, signers));
    TRY(update.replace(head));
    print_milliseconds(start);
  }
  return done();
}

}  // namespace sealpack::bench
