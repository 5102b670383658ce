// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <random>

#include "formats/models/safetensors.h"
#include "keymgmt/crypto/private_key.h"
#include "packer/core/build.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/temporary_folder.h"
#include "unpacker/core/bundle_check.h"

// Small models, keys, and the way from a model to a bundle and back.
namespace sealpack::packer::testing {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::sealpack::testing::TemporaryFolder;
using ::testing::HasSubstr;

using Files = std::map<std::string, ByteVector>;

inline ByteVector bytes_of(std::string_view text) {
  return to_vector(as_bytes(text));
}

// Looks random, and no 16 bytes of it occur twice.
inline ByteVector noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  ByteVector bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

// U8 tensors of the given sizes in the given order.
inline ByteVector safetensors(
    const std::vector<std::pair<std::string, std::uint64_t>>& tensors, std::uint64_t seed = 1,
    const std::vector<std::pair<std::string, std::string>>& metadata = {}) {
  std::vector<models::SafetensorsEntry> entries;
  std::uint64_t total = 0;
  for (const auto& [name, size] : tensors) {
    entries.push_back({name, "U8", {size}, 0, 0});
    total += size;
  }
  ByteVector file = models::serialize_safetensors_header(entries, metadata);
  const ByteVector data = noise(static_cast<std::size_t>(total), seed);
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

inline InputTree tree_of(const Files& files) {
  InputTree tree;
  for (const auto& [path, bytes] : files) {
    tree.files.push_back({path, std::make_shared<MemorySource>(bytes)});
  }
  return tree;
}

// All keys that a test needs.
struct Keys {
  Keys()
      : authority(make(crypto::KeyType::kEd25519)),
        recipient(make(crypto::KeyType::kX25519)),
        signer(authority.signer().value()),
        decryptor(recipient.decryptor().value()) {}

  static crypto::PrivateKey make(crypto::KeyType type) {
    return crypto::PrivateKey::generate(type).value();
  }

  unpacker::Trust trust() const {
    unpacker::Trust trust;
    trust.authorities = {signer->public_key().digest()};
    trust.signers = {{"authority", {signer->public_key()}, 1}};
    return trust;
  }

  crypto::PrivateKey authority;
  crypto::PrivateKey recipient;
  std::unique_ptr<crypto::Signer> signer;
  std::unique_ptr<crypto::Decryptor> decryptor;
};

inline Recipient recipient_of(const crypto::EncryptionKey& key) {
  return {key, bundle::SlotClass::kDirect, "'r.pub'", false};
}

inline bundle::Release plain_release() {
  bundle::Release release;
  release.product = "acme/test";
  release.version = "1";
  release.counter = 7;
  release.policy.anyone_because = "a test";
  return release;
}

inline BuildRequest request_for(const Keys& keys, const std::filesystem::path& output,
                                unsigned threads = 1) {
  BuildRequest request;
  request.output = output;
  request.signers.push_back(keys.authority.signer().value());
  request.authority = keys.signer->public_key().digest();
  request.recipients.push_back(recipient_of(keys.decryptor->public_key()));
  request.release = plain_release();
  request.data.threads = threads;
  return request;
}

inline Result<unpacker::VerifiedBundle> verify(const Keys& keys,
                                               const std::filesystem::path& path) {
  std::shared_ptr<const BlockSource> source = TRY(FileSource::open(path));
  auto unverified = TRY(unpacker::UnverifiedBundle::open(std::move(source)));
  return std::move(unverified).verify(keys.trust(), {1'800'000'000});
}

// Every byte of a bundle, and its content key.
inline Result<unpacker::OpenBundle> open_whole(const Keys& keys,
                                               const std::filesystem::path& path) {
  auto verified = TRY(verify(keys, path));
  const unpacker::BundleCheck check(verified);
  unpacker::FileReader reader(verified);
  for (std::uint64_t unit = 0; unit < check.unit_count(); ++unit) TRY(check.check(unit, reader));
  if (verified.slots().empty()) return Error(ErrorCode::kKeyUnavailable, "no slot");
  auto key = TRY(verified.admit(verified.slots().back(), *keys.decryptor));
  return std::move(verified).open(std::move(key));
}

inline Result<Files> read_originals(const unpacker::OpenBundle& bundle) {
  unpacker::FileReader reader(bundle);
  Files files;
  for (const bundle::OriginalFile& original : bundle.verified().content().originals) {
    ByteVector bytes(static_cast<std::size_t>(original.size));
    TRY(reader.read_original(original, 0, bytes));
    files[original.path] = std::move(bytes);
  }
  return files;
}

// Builds `files`, opens the bundle again and gives its originals.
inline Result<Files> round_trip(const Files& files, const Selection& selection, const Keys& keys,
                                const std::filesystem::path& output, unsigned threads) {
  const Assembly assembly = TRY(assemble(tree_of(files), selection));
  TRY(build_bundle(assembly, request_for(keys, output, threads)));
  return read_originals(TRY(open_whole(keys, output)));
}

inline bool contains(Bytes text, Bytes word) {
  return as_text(text).find(as_text(word)) != std::string_view::npos;
}

}  // namespace sealpack::packer::testing
