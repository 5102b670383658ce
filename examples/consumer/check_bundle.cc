// SPDX-License-Identifier: Apache-2.0
// Proves every byte of a bundle against a key this program was told to trust, and lists what is in
// it. The exit status is the code of the error, as with the sealpack tool.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "unpacker/core/bundle.h"
#include "unpacker/core/bundle_check.h"

namespace {

using sealpack::Error;
using sealpack::ErrorCode;
using sealpack::Result;
using sealpack::Status;

Result<sealpack::ByteVector> load_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error(ErrorCode::kIo, "cannot open " + sealpack::printable(path.string()));
  const std::istreambuf_iterator<char> begin(file);
  return sealpack::ByteVector(begin, {});
}

// The product's root key, and with it the one key that may sign releases.
Result<sealpack::unpacker::Trust> trust_in(const std::filesystem::path& authority) {
  const sealpack::ByteVector der = TRY(load_file(authority));
  const auto key = TRY(sealpack::crypto::VerifyingKey::from_spki(der));
  sealpack::unpacker::Trust trust;
  trust.authorities = {key.digest()};
  trust.signers = {{.role = "authority", .keys = {key}, .threshold = 1}};
  return trust;
}

sealpack::unpacker::Clock system_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count())};
}

Status check_bundle(const std::filesystem::path& path, const std::filesystem::path& authority) {
  const sealpack::unpacker::Trust trust = TRY(trust_in(authority));
  // A program with large bundles gives a BlockSource that reads the file piece by piece.
  auto source = std::make_shared<sealpack::MemorySource>(TRY(load_file(path)));
  auto unverified = TRY(sealpack::unpacker::UnverifiedBundle::open(std::move(source)));
  const auto bundle = TRY(std::move(unverified).verify(trust, system_clock()));

  sealpack::unpacker::FileReader reader(bundle);
  const sealpack::unpacker::BundleCheck check(bundle);
  for (std::uint64_t unit = 0; unit < check.unit_count(); ++unit) TRY(check.check(unit, reader));

  std::cout << bundle.release().product << ' ' << bundle.release().version << ", release "
            << bundle.release().counter << ": every byte is as signed\n";
  for (const auto& file : bundle.content().public_files) {
    std::cout << "  public " << sealpack::printable(file.path) << '\n';
  }
  for (const auto& file : bundle.content().sealed_files) {
    std::cout << "  sealed " << sealpack::printable(file.path) << '\n';
  }
  return sealpack::done();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: check_bundle BUNDLE AUTHORITY.der\n";
    return static_cast<int>(ErrorCode::kUsage);
  }
  const Status status = check_bundle(argv[1], argv[2]);
  if (status.ok()) return 0;
  std::cerr << "check_bundle: " << status.error().message() << '\n';
  return static_cast<int>(status.error().code());
}
