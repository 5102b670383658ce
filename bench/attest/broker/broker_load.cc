// SPDX-License-Identifier: Apache-2.0
// The load generator of bench/attest/run, section `broker`: many TEEs that ask one broker for keys,
// each over a connection of its own that it keeps, as fast as they are answered or at a rate.
//
//   broker_load simulated SIM.key MEASUREMENT | broker_load snp FOLDER
//
// Prints "prepared" once its evidence can be made, then takes lines
//   URL CA GRANTS.pub AUTHORITY CONTENT RELEASE CLIENTS SECONDS RATE
// on standard input (digests in hex; RATE 0: as fast as it goes) and prints a line of figures each.
#include <time.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <thread>

#include "bench/attest/broker/evidence_maker.h"
#include "keymgmt/broker/client/client.h"
#include "keymgmt/crypto/private_key.h"
#include "keymgmt/keystore/key_file.h"

namespace sealpack::bench {
namespace {

using Instant = std::chrono::steady_clock::time_point;

struct Load {
  std::string url;
  std::string ca;
  std::string grants;
  std::string authority;
  std::string content;
  std::string release;
  unsigned clients = 1;
  double seconds = 1;
  double rate = 0;  // releases a second of all clients together
};

// Of one client, then of all.
struct Figures {
  std::vector<double> milliseconds;
  std::uint64_t refused = 0;
  double making_seconds = 0;  // processor time for requests: key, evidence
  std::string first_refusal;
};

double processor_seconds(clockid_t clock) {
  timespec now{};
  if (::clock_gettime(clock, &now) != 0) die("bench: no such clock");
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

Digest digest_of(const std::string& hex) {
  const ByteVector bytes = from_hex(hex).value();
  Digest digest;
  if (bytes.size() != digest.bytes.size()) die("bench: no digest");
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

// One TEE after another on one connection.
class Asking {
 public:
  Asking(const Load& load, const EvidenceMaker& maker) : maker_(maker) {
    broker::ClientOptions options;
    options.url = load.url;
    options.ca_file = load.ca;
    client_ = broker::Client::create(options).value();
    terms_.broker = keystore::load_public_key(load.grants, std::nullopt).value().digest;
    terms_.authority = digest_of(load.authority);
    terms_.content = digest_of(load.content);
    terms_.release = digest_of(load.release);
    terms_.tee = maker.tee();
    terms_.role = "model";
  }

  void ask(Figures& figures) {
    const Instant start = std::chrono::steady_clock::now();
    const auto reply =
        client_->challenge({terms_.authority, terms_.content, terms_.release, terms_.tee});
    if (!reply.ok()) return refused(figures, reply.error());
    const double before = processor_seconds(CLOCK_THREAD_CPUTIME_ID);
    loader::KeyRequest request;
    const auto key = crypto::PrivateKey::generate(crypto::KeyType::kX25519).value();
    request.terms = terms_;
    request.terms.challenge = reply->challenge;
    request.terms.public_key = to_vector(key.spki());
    request.evidence =
        maker_.make(loader::report_data_for(terms_.tee, loader::grant_transcript(request.terms)));
    const broker::ReleaseRequest message{loader::serialize_key_request(request), {}};
    figures.making_seconds += processor_seconds(CLOCK_THREAD_CPUTIME_ID) - before;
    const auto grant = client_->release(message);
    if (!grant.ok()) return refused(figures, grant.error());
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    figures.milliseconds.push_back(took.count());
  }

 private:
  static void refused(Figures& figures, const Error& error) {
    if (figures.refused++ == 0) figures.first_refusal = error.message();
  }
  const EvidenceMaker& maker_;
  std::unique_ptr<broker::Client> client_;
  loader::GrantTerms terms_;
};

// Each client asks in its turn of the common schedule; one that is late does not catch up.
void run_client(Asking& asking, const Load& load, unsigned number, Instant start,
                Figures& figures) {
  const auto length = std::chrono::duration<double>(load.seconds);
  const double step = load.rate == 0 ? 0 : static_cast<double>(load.clients) / load.rate;
  double at = load.rate == 0 ? 0 : static_cast<double>(number) / load.rate;
  while (std::chrono::steady_clock::now() - start < length) {
    if (step != 0) {
      std::this_thread::sleep_until(start + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                                std::chrono::duration<double>(at)));
      at += step;
    }
    asking.ask(figures);
  }
}

double quantile(std::vector<double>& values, double part) {
  if (values.empty()) return 0;
  const auto place = static_cast<std::size_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(place),
                   values.end());
  return values[place];
}

void run_load(const Load& load, const EvidenceMaker& maker) {
  std::vector<Figures> all(load.clients);
  std::vector<std::thread> threads;
  const double before = processor_seconds(CLOCK_PROCESS_CPUTIME_ID);
  Instant start;
  std::barrier ready(load.clients,
                     [&start]() noexcept { start = std::chrono::steady_clock::now(); });
  for (unsigned i = 0; i < load.clients; ++i) {
    threads.emplace_back([&, i] {
      Asking asking(load, maker);
      ready.arrive_and_wait();  // the time begins when all are there, however slow the machine is
      run_client(asking, load, i, start, all[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const double own = processor_seconds(CLOCK_PROCESS_CPUTIME_ID) - before;
  Figures sum;
  for (Figures& one : all) {
    sum.milliseconds.insert(sum.milliseconds.end(), one.milliseconds.begin(),
                            one.milliseconds.end());
    sum.refused += one.refused;
    sum.making_seconds += one.making_seconds;
    if (sum.first_refusal.empty()) sum.first_refusal = one.first_refusal;
  }
  if (!sum.first_refusal.empty()) std::cerr << "refused: " << sum.first_refusal << '\n';
  const auto count = static_cast<double>(sum.milliseconds.size());
  std::printf("%.0f\t%.1f\t%.2f\t%.2f\t%.3f\t%.3f\t%llu\n", count, count / took.count(),
              quantile(sum.milliseconds, 0.5), quantile(sum.milliseconds, 0.99), own,
              sum.making_seconds, static_cast<unsigned long long>(sum.refused));
  (void)std::fflush(stdout);
}

}  // namespace
}  // namespace sealpack::bench

int main(int argc, char** argv) {
  using namespace sealpack;
  const std::string kind = argc > 1 ? argv[1] : "";
  std::unique_ptr<bench::EvidenceMaker> maker;
  if (kind == "simulated" && argc == 4) {
    maker = bench::simulated_maker(argv[2], bench::digest_of(argv[3]));
  } else if (kind == "snp" && argc == 3) {
    maker = bench::snp_maker(argv[2]);
  } else {
    std::cerr << "usage: broker_load simulated SIM.key MEASUREMENT | broker_load snp FOLDER\n";
    return 2;
  }
  std::cout << "prepared" << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
    bench::Load load;
    std::istringstream words(line);
    words >> load.url >> load.ca >> load.grants >> load.authority >> load.content >> load.release >>
        load.clients >> load.seconds >> load.rate;
    if (!words) return 2;
    bench::run_load(load, *maker);
  }
  return 0;
}
