// SPDX-License-Identifier: Apache-2.0
#include "bench/bundle_setup.h"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

namespace sealpack::bench {
namespace {

constexpr const char* kSignerName = "signer.key";
constexpr const char* kRecipientName = "recipient.key";

Status store_secret(const std::filesystem::path& path, Bytes secret) {
  std::ofstream file(path, std::ios::binary);
  const std::string_view text = as_text(secret);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) return Error(ErrorCode::kIo, "cannot write " + printable(path.string()));
  return done();
}

Result<crypto::SecretBytes> load_secret(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) return Error(ErrorCode::kIo, "cannot read " + printable(path.string()));
  return crypto::SecretBytes::copy_of(as_bytes(text));
}

}  // namespace

Status store_new_keys(const std::filesystem::path& folder) {
  const auto signer = TRY(crypto::PrivateKey::generate(crypto::KeyType::kEd25519));
  TRY(store_secret(folder / kSignerName, signer.to_pkcs8().reveal()));
  return store_secret(folder / kRecipientName, crypto::WrappingKey::random().reveal());
}

Result<Keys> load_keys(const std::filesystem::path& folder) {
  const auto der = TRY(load_secret(folder / kSignerName));
  const auto key = TRY(crypto::PrivateKey::from_pkcs8(der, crypto::PrivateKey::Use::kSign));
  auto signer = TRY(key.signer());
  auto recipient = TRY(crypto::WrappingKey::from(TRY(load_secret(folder / kRecipientName))));
  return Keys{std::move(signer), std::move(recipient)};
}

unpacker::Trust trust_in(const Keys& keys) {
  unpacker::Trust trust;
  trust.authorities = {keys.signer->public_key().digest()};
  trust.signers = {{"authority", {keys.signer->public_key()}, 1}};
  return trust;
}

Result<unpacker::OpenBundle> open_bundle(std::shared_ptr<const BlockSource> source,
                                         const Keys& keys) {
  auto unverified = TRY(unpacker::UnverifiedBundle::open(std::move(source)));
  auto verified = TRY(std::move(unverified).verify(trust_in(keys), {}));
  auto key = TRY(verified.admit(verified.slots().at(0), keys.recipient));
  return std::move(verified).open(std::move(key));
}

std::uint64_t memory_kib(std::string_view name) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with(std::string(name) + ":")) return std::stoull(line.substr(name.size() + 1));
  }
  return 0;
}

double seconds_now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

int exit_status(const Status& status) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "error: %s\n", status.error().message().c_str());
  return 1;
}

}  // namespace sealpack::bench
