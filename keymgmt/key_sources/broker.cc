// SPDX-License-Identifier: Apache-2.0
#include <sealpack/key_sources.h>

#include <mutex>

#include "keymgmt/broker/client/client.h"
#include "runtime-loader/capi/boundary.h"

namespace sealpack::key_sources {
namespace {

Result<broker::ClientOptions> client_options(const sealpack_broker_options& given) {
  broker::ClientOptions options;
  options.url = TRY(capi::text_of(given.url, "url"));
  if (given.ca_file != nullptr) options.ca_file = given.ca_file;
  if (given.connect_milliseconds != 0) {
    options.connect_time = std::chrono::milliseconds(given.connect_milliseconds);
  }
  if (given.request_milliseconds != 0) {
    options.request_time = std::chrono::milliseconds(given.request_milliseconds);
  }
  if (given.tries != 0) options.tries = given.tries;
  return options;
}

Digest digest_at(const std::uint8_t bytes[Digest::kSize]) {
  Digest digest;
  std::copy_n(bytes, Digest::kSize, digest.bytes.begin());
  return digest;
}

// Copies `bytes` to `out`, whose room is `*size`; false where that is too small.
bool copy_out(Bytes bytes, void* out, std::size_t* size) {
  if (bytes.size() > *size) return false;
  std::copy(bytes.begin(), bytes.end(), static_cast<std::uint8_t*>(out));
  *size = bytes.size();
  return true;
}

}  // namespace

// One exchange as a sealpack_key_source. What went wrong in a callback is kept whole: through the C
// interface goes a code alone.
class Exchange {
 public:
  Exchange(broker::Client& client, broker::ChallengeRequest about)
      : client_(client), about_(std::move(about)) {}

  sealpack_key_source source() {
    sealpack_key_source source{};
    source.struct_size = sizeof source;
    source.context = this;
    source.challenge = challenge;
    source.grant = grant;
    return source;
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  int fail(Error error) {
    const int code = static_cast<int>(error.code());
    error_ = std::move(error);
    return code;
  }

  static int challenge(void* context, void* nonce, std::size_t* nonce_size, void* id,
                       std::size_t* id_size) {
    auto* self = static_cast<Exchange*>(context);
    auto reply = self->client_.challenge(self->about_);
    if (!reply.ok()) return self->fail(std::move(reply).take_error());
    if (copy_out(reply->challenge.nonce, nonce, nonce_size) &&
        copy_out(reply->challenge.id, id, id_size)) {
      return SEALPACK_OK;
    }
    return self->fail(Error(ErrorCode::kMalformed, "the broker's challenge is too long"));
  }

  static std::int64_t grant(void* context, const void* request, std::size_t request_size,
                            void* grant, std::size_t capacity) {
    auto* self = static_cast<Exchange*>(context);
    const Bytes sent(static_cast<const std::uint8_t*>(request), request_size);
    auto answer = self->client_.release({to_vector(sent), {}});
    if (!answer.ok()) return -std::int64_t{self->fail(std::move(answer).take_error())};
    std::size_t size = capacity;
    if (!copy_out(loader::serialize_key_grant(*answer), grant, &size)) {
      return -std::int64_t{self->fail(Error(ErrorCode::kLimit, "the broker's grant is too long"))};
    }
    return static_cast<std::int64_t>(size);
  }

  broker::Client& client_;
  broker::ChallengeRequest about_;
  std::optional<Error> error_;
};

}  // namespace sealpack::key_sources

// NOLINTNEXTLINE: its name in the C interface
struct sealpack_broker {
  std::mutex mutex;
  std::unique_ptr<sealpack::broker::Client> client;
};

using namespace sealpack;

int sealpack_broker_open(const sealpack_broker_options* options, sealpack_broker** broker,
                         sealpack_error* error) {
  if (broker != nullptr) *broker = nullptr;
  return capi::guarded(error, [&]() -> Status {
    TRY(capi::require(broker, "broker"));
    const auto given = TRY(capi::take(options, "options"));
    auto client = TRY(sealpack::broker::Client::create(TRY(key_sources::client_options(given))));
    auto made = std::make_unique<sealpack_broker>();
    made->client = std::move(client);
    *broker = made.release();
    return done();
  });
}

void sealpack_broker_close(sealpack_broker* broker) {
  delete broker;
}

int sealpack_bundle_unlock_broker(sealpack_bundle* bundle, sealpack_broker* broker, const char* tee,
                                  sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    TRY(capi::require(bundle, "bundle"));
    TRY(capi::require(broker, "broker"));
    sealpack_error told{};
    sealpack_bundle_info info{};
    info.struct_size = sizeof info;
    int code = sealpack_bundle_get_info(bundle, &info, &told);
    if (code == SEALPACK_OK) {
      sealpack::broker::ChallengeRequest about;
      about.authority = key_sources::digest_at(info.authority);
      about.content = key_sources::digest_at(info.content_digest);
      about.release = key_sources::digest_at(info.release_digest);
      about.tee = TRY(capi::text_of(tee, "tee"));
      const std::lock_guard lock(broker->mutex);
      key_sources::Exchange exchange(*broker->client, std::move(about));
      const sealpack_key_source source = exchange.source();
      code = sealpack_bundle_unlock_source(bundle, &source, &told);
      if (code != SEALPACK_OK && exchange.error()) return Error(*exchange.error());
    }
    if (code == SEALPACK_OK) return done();
    Error failed(static_cast<ErrorCode>(code), told.message);
    return told.hint[0] == '\0' ? failed : std::move(failed).with_hint(told.hint);
  });
}
