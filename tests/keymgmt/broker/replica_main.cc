// SPDX-License-Identifier: Apache-2.0
// A broker as a process that a test can kill: `broker_replica STORE KEYS`. Requests come on
// standard input, answers go to standard output, in frames of replica_frame.h, in any order.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <thread>

#include "keymgmt/broker/service.h"
#include "keymgmt/crypto/private_key.h"
#include "tests/keymgmt/broker/replica_frame.h"

namespace {

using namespace sealpack;
using namespace sealpack::broker;

crypto::PrivateKey load(const std::filesystem::path& path, crypto::PrivateKey::Use use) {
  std::ifstream file(path, std::ios::binary);
  const std::string der((std::istreambuf_iterator<char>(file)), {});
  return crypto::PrivateKey::from_pkcs8(crypto::SecretBytes::copy_of(as_bytes(der)), use).value();
}

// A database that is slow to answer or still recovers is there in a moment.
std::shared_ptr<Store> open_patiently(const std::string& uri) {
  auto opened = Store::open(uri);
  while (!opened.ok() && opened.error().code() == ErrorCode::kTryAgain) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    opened = Store::open(uri);
  }
  return std::move(opened).value();
}

int serve(const std::string& uri, const std::filesystem::path& folder) {
  ServiceKeys keys;
  keys.recipients.push_back(
      load(folder / "recipient", crypto::PrivateKey::Use::kUnwrap).decryptor().value());
  keys.grants.push_back(load(folder / "grants", crypto::PrivateKey::Use::kSign).signer().value());
  ServiceOptions options;
  options.lab = true;
  options.network_lifetime = 120;
  options.clock = [] { return static_cast<std::uint64_t>(std::time(nullptr)); };
  const auto service =
      Service::create(open_patiently(uri), std::move(keys), std::move(options)).value();
  std::mutex output;
  const auto answer = [&](std::uint32_t number, const Answer& made) {
    const std::lock_guard lock(output);
    testing::write_frame(STDOUT_FILENO, {number, static_cast<std::uint8_t>(made.kind), made.body});
  };
  answer(0, {});
  while (const auto frame = testing::read_frame(STDIN_FILENO)) {
    if (frame->kind == 0) {
      answer(frame->number, service->challenge(frame->body, Transport::kNetwork));
    } else {
      service->release(frame->body, Transport::kNetwork,
                       [&answer, number = frame->number](Answer made) { answer(number, made); });
    }
  }
  service->stop();
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  return serve(arguments[1], arguments[2]);
}
