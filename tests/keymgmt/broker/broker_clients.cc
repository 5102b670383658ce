// SPDX-License-Identifier: Apache-2.0
// Simulated TEEs that ask a broker for keys over HTTPS, each request twice and side by side, until
// standard input ends:
//
//   broker_clients URL CA GRANTS.pub AUTHORITY CONTENT RELEASE SIM.key MEASUREMENT CLIENTS
//
// Then it prints a line for each challenge that was had: SHA-256 of its nonce, in hex, as the
// broker's log has it, and what came of the two requests: "grant" for a key that the TEE opened,
// the codes of a refusal, or "none" where nobody answered.
#include <unistd.h>

#include <atomic>
#include <future>
#include <iostream>
#include <mutex>
#include <thread>

#include "attest/evidence/simulated.h"
#include "keymgmt/broker/client/client.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/keystore/key_ref.h"
#include "runtime-loader/core/grant.h"

namespace sealpack::broker {
namespace {

using namespace std::chrono_literals;

struct Setting {
  ClientOptions options;
  keystore::PublicKey grants;
  loader::GrantTerms terms;  // what is the same in all of them
  std::unique_ptr<crypto::Signer> root;
  Digest measurement;
};

Digest digest_of(const std::string& hex) {
  const ByteVector bytes = from_hex(hex).value();
  Digest digest;
  if (bytes.size() != digest.bytes.size()) die("broker_clients: no digest");
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

Setting setting_of(char** words) {
  Setting out;
  out.options.url = words[1];
  out.options.ca_file = words[2];
  out.options.tries = 1;
  out.grants = keystore::load_public_key(words[3], std::nullopt).value();
  out.terms.broker = out.grants.digest;
  out.terms.authority = digest_of(words[4]);
  out.terms.content = digest_of(words[5]);
  out.terms.release = digest_of(words[6]);
  out.terms.tee = "simulated";
  out.terms.role = "model";
  keystore::FilePassphrase none("/none");
  out.root = keystore::open_signer(words[7], {keystore::Role::kSimulatedRoot}, none).value();
  out.measurement = digest_of(words[8]);
  return out;
}

// One TEE after another, on two connections.
class Asking {
 public:
  explicit Asking(const Setting& setting)
      : setting_(setting),
        first_(Client::create(setting.options).value()),
        second_(Client::create(setting.options).value()) {}

  // A line of the report; nothing where there was no challenge.
  std::optional<std::string> ask() {
    loader::GrantTerms terms = setting_.terms;
    const auto reply =
        first_->challenge({terms.authority, terms.content, terms.release, terms.tee});
    if (!reply.ok()) return std::nullopt;
    const auto exchange = crypto::PrivateKey::generate(crypto::KeyType::kX25519).value();
    terms.challenge = reply->challenge;
    terms.public_key = to_vector(exchange.spki());
    const ByteVector data = loader::report_data_for(terms.tee, loader::grant_transcript(terms));
    loader::KeyRequest request{
        terms, attest::make_simulated_evidence(setting_.measurement, data, *setting_.root).value()};
    const ReleaseRequest message{loader::serialize_key_request(request), {}};
    auto other =
        std::async(std::launch::async, [&] { return release(*second_, message, terms, exchange); });
    const std::string mine = release(*first_, message, terms, exchange);
    return to_hex(crypto::sha256(terms.challenge.nonce).bytes) + " " + mine + " " + other.get();
  }

 private:
  std::string release(Client& client, const ReleaseRequest& message,
                      const loader::GrantTerms& terms, const crypto::PrivateKey& exchange) const {
    const auto grant = client.release(message);
    if (grant.ok()) {
      const auto opened = loader::open_key_grant(*grant, terms, *exchange.decryptor().value(),
                                                 setting_.grants.verifying_key());
      return opened.ok() ? "grant" : "not-opened";
    }
    if (!client.last_refusal()) return "none";
    std::string codes;
    for (const Reason& reason : client.last_refusal()->reasons) {
      codes += (codes.empty() ? "" : ",") + reason.code;
    }
    return codes;
  }

  const Setting& setting_;
  std::unique_ptr<Client> first_;
  std::unique_ptr<Client> second_;
};

int run(const Setting& setting, unsigned clients) {
  std::atomic<bool> over{false};
  std::mutex mutex;
  std::vector<std::string> lines;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < clients; ++i) {
    threads.emplace_back([&] {
      Asking asking(setting);
      while (!over) {
        if (auto line = asking.ask()) {
          const std::lock_guard lock(mutex);
          lines.push_back(*std::move(line));
        } else {
          std::this_thread::sleep_for(10ms);
        }
      }
    });
  }
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) continue;
  over = true;
  for (std::thread& thread : threads) thread.join();
  for (const std::string& line : lines) std::cout << line << '\n';
  return 0;
}

}  // namespace
}  // namespace sealpack::broker

int main(int count, char** words) {
  if (count != 10) {
    std::cerr << "usage: broker_clients URL CA GRANTS.pub AUTHORITY CONTENT RELEASE SIM.key "
                 "MEASUREMENT CLIENTS\n";
    return 2;
  }
  return sealpack::broker::run(sealpack::broker::setting_of(words),
                               static_cast<unsigned>(std::stoul(words[9])));
}
