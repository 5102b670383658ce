// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/capi/callbacks.h"

#include "keymgmt/crypto/random.h"

namespace sealpack::capi {
namespace {

constexpr std::size_t kMaxNonceSize = 64;
constexpr std::size_t kMinNonceSize = 16;
constexpr std::size_t kMaxChallengeIdSize = 256;

// What a callback wrote into `buffer`, by what it returned: a size, or minus a code.
Status check_written(std::int64_t written, ByteVector& buffer, const char* what) {
  if (written < 0) {
    const int code = written > -256 ? static_cast<int>(-written) : int{SEALPACK_IO};
    return callback_status(code, what);
  }
  if (static_cast<std::uint64_t>(written) > buffer.size()) {
    return usage(std::string(what) + " of the caller wrote " + std::to_string(written) +
                 " bytes, there was room for " + std::to_string(buffer.size()));
  }
  buffer.resize(static_cast<std::size_t>(written));
  return done();
}

Result<loader::Challenge> ask_for_challenge(const sealpack_key_source& source) {
  loader::Challenge challenge;
  if (source.challenge == nullptr) {
    challenge.nonce = to_vector(crypto::random_array<32>());
    return challenge;
  }
  challenge.nonce.resize(kMaxNonceSize);
  challenge.id.resize(kMaxChallengeIdSize);
  std::size_t nonce_size = challenge.nonce.size();
  std::size_t id_size = challenge.id.size();
  TRY(callback_status(source.challenge(source.context, challenge.nonce.data(), &nonce_size,
                                       challenge.id.data(), &id_size),
                      "challenge"));
  if (nonce_size < kMinNonceSize || nonce_size > kMaxNonceSize || id_size > kMaxChallengeIdSize) {
    return usage("a challenge has a nonce of 16 to 64 bytes and an id of at most 256, not of " +
                 std::to_string(nonce_size) + " and " + std::to_string(id_size));
  }
  challenge.nonce.resize(nonce_size);
  challenge.id.resize(id_size);
  return challenge;
}

}  // namespace

Result<std::unique_ptr<CallbackCounters>> CallbackCounters::make(
    const sealpack_counters* counters) {
  const sealpack_counters taken = TRY(take(counters, "counters"));
  if (taken.kind < SEALPACK_COUNTER_NONE || taken.kind > SEALPACK_COUNTER_BROKER) {
    return usage("counters: there is no kind " + std::to_string(taken.kind));
  }
  if (taken.get == nullptr || taken.raise == nullptr)
    return usage("counters: get or raise is NULL");
  return std::unique_ptr<CallbackCounters>(new CallbackCounters(taken));
}

Result<loader::Floor> CallbackCounters::floor(const Digest& authority, const std::string& product) {
  sealpack_floor found{};
  TRY(callback_status(
      counters_.get(counters_.context, authority.bytes.data(), product.c_str(), &found),
      "counters.get"));
  loader::Floor floor;
  floor.counter = found.counter;
  if (found.has_release != 0) {
    floor.release.emplace();
    std::copy(std::begin(found.release), std::end(found.release), floor.release->bytes.begin());
  }
  return floor;
}

Status CallbackCounters::raise(const Digest& authority, const std::string& product,
                               const loader::Floor& floor) {
  sealpack_floor wanted{};
  wanted.counter = floor.counter;
  if (floor.release) {
    wanted.has_release = 1;
    std::copy(floor.release->bytes.begin(), floor.release->bytes.end(), std::begin(wanted.release));
  }
  return callback_status(
      counters_.raise(counters_.context, authority.bytes.data(), product.c_str(), &wanted),
      "counters.raise");
}

Status CallbackSpill::write(std::uint64_t offset, Bytes bytes) {
  return callback_status(spill_.write(spill_.context, offset, bytes.data(), bytes.size()),
                         "spill.write");
}

Status CallbackSpill::read(std::uint64_t offset, MutableBytes out) {
  return callback_status(spill_.read(spill_.context, offset, out.data(), out.size()), "spill.read");
}

Result<ByteVector> CallbackEvidence::collect(Bytes report_data) {
  ByteVector evidence(static_cast<std::size_t>(loader::kMaxEvidenceSize));
  TRY(check_written(environment_.evidence(environment_.context, report_data.data(),
                                          report_data.size(), evidence.data(), evidence.size()),
                    evidence, "evidence"));
  return evidence;
}

Result<crypto::SecretBytes> CallbackDeviceKey::hpke_open(Bytes enc, Bytes info, Bytes aad,
                                                         Bytes ciphertext) const {
  if (ciphertext.empty()) return Error(ErrorCode::kKeyUnavailable, "the slot is empty");
  crypto::SecretBytes room(ciphertext.size());
  std::size_t size = room.size();
  const MutableBytes plain = room.reveal_for_writing();
  TRY(callback_status(
      environment_.device_open(environment_.context, enc.data(), enc.size(), info.data(),
                               info.size(), aad.data(), aad.size(), ciphertext.data(),
                               ciphertext.size(), plain.data(), &size),
      "device_open"));
  if (size == 0 || size > plain.size()) {
    return Error(ErrorCode::kIo, "device_open wrote more than there was room for, or nothing");
  }
  return crypto::SecretBytes::copy_of(plain.first(size));
}

Result<crypto::SecretBytes> CallbackDeviceKey::rsa_oaep_unwrap(Bytes) const {
  return Error(ErrorCode::kUnsupported, "keys of devices are X25519 or P-256");
}

Status exchange_key(loader::Session& session, loader::BundleId bundle,
                    const sealpack_key_source& source) {
  const loader::KeyRequest request =
      TRY(session.request_key(bundle, TRY(ask_for_challenge(source))));
  const ByteVector sent = loader::serialize_key_request(request);
  ByteVector answer(static_cast<std::size_t>(loader::kMaxKeyGrantSize));
  TRY(check_written(
      source.grant(source.context, sent.data(), sent.size(), answer.data(), answer.size()), answer,
      "grant"));
  return session.accept_grant(bundle, TRY(loader::parse_key_grant(answer)));
}

}  // namespace sealpack::capi
