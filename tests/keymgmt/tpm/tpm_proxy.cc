// SPDX-License-Identifier: Apache-2.0
#include "tests/keymgmt/tpm/tpm_proxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>

namespace sealpack::testing {
namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

// One command or response; empty at the end.
ByteVector receive(int line) {
  ByteVector out;
  std::array<std::uint8_t, 4096> piece{};
  while (out.size() < 10 || out.size() < (std::size_t{out[4]} << 8U | out[5])) {
    const ssize_t got = ::read(line, piece.data(), piece.size());
    if (got <= 0) return {};
    out.insert(out.end(), piece.begin(), piece.begin() + got);
  }
  return out;
}

bool send(int line, Bytes bytes) {
  return ::write(line, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
}

}  // namespace

ByteVector tpm_refusal(std::uint32_t code) {
  ByteVector out = {0x80, 0x01, 0, 0, 0, 10};
  for (unsigned shift = 32; shift > 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(code >> (shift - 8)));
  }
  return out;
}

TpmProxy::TpmProxy(const SoftwareTpm& device, Answer answer)
    : device_(device.socket()), answer_(std::move(answer)) {
  std::filesystem::create_symlink(device_ + ".ctrl", folder_ / "tpm.ctrl");
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of((folder_ / "tpm").string());
  EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(listener_, 4), 0);
  EXPECT_EQ(::pipe(stop_), 0);
  thread_ = std::thread([this] { serve(); });
}

TpmProxy::~TpmProxy() {
  ::close(stop_[1]);
  thread_.join();
  ::close(stop_[0]);
  ::close(listener_);
}

std::string TpmProxy::crossed() const {
  const std::lock_guard lock(mutex_);
  return crossed_;
}
std::vector<ByteVector> TpmProxy::commands() const {
  const std::lock_guard lock(mutex_);
  return commands_;
}

void TpmProxy::serve() {
  for (;;) {
    pollfd waiting[] = {{listener_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0 || waiting[1].revents != 0) return;
    const int client = ::accept(listener_, nullptr, nullptr);
    if (client < 0) return;
    serve_one(client);
    ::close(client);
  }
}

void TpmProxy::serve_one(int client) {
  const int device = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(device_);
  if (::connect(device, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    for (;;) {
      pollfd waiting[] = {{client, POLLIN, 0}, {stop_[0], POLLIN, 0}};
      if (::poll(waiting, 2, -1) < 0 || waiting[1].revents != 0) break;
      const ByteVector command = receive(client);
      if (command.empty()) break;
      auto response = answer_ ? answer_(command) : std::nullopt;
      if (!response) {
        if (!send(device, command)) break;
        response = receive(device);
      }
      {
        const std::lock_guard lock(mutex_);
        commands_.push_back(command);
        crossed_ += std::string(as_text(command)) + std::string(as_text(*response));
      }
      if (response->empty() || !send(client, *response)) break;
    }
  }
  ::close(device);
}

}  // namespace sealpack::testing
