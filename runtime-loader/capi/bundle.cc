// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <cerrno>

#include "formats/files/file_source.h"
#include "runtime-loader/capi/bundle_state.h"
#include "runtime-loader/capi/handles.h"

namespace sealpack::capi {
namespace {

using SourcePointer = std::shared_ptr<const BlockSource>;

constexpr std::size_t kMaxNonceSize = 64;

template <typename MakeSource>
int open_bundle(sealpack_session* session, const char* owner, sealpack_bundle** bundle,
                sealpack_error* error, const MakeSource& make_source) {
  if (bundle != nullptr) *bundle = nullptr;
  return guarded(error, [&]() -> Status {
    SourcePointer source = TRY(make_source());
    TRY(require(session, "session"));
    TRY(require(bundle, "bundle"));
    auto state = TRY(BundleState::open(session->state, std::move(source), owner));
    *bundle = new sealpack_bundle{std::move(state)};
    return done();
  });
}

Result<SourcePointer> open_descriptor(int fd) {
  FileDescriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  const std::string name = "file descriptor " + std::to_string(fd);
  if (copy.get() < 0) return io_error("cannot duplicate " + name, errno);
  return SourcePointer(TRY(FileSource::adopt(std::move(copy), name)));
}

Result<SourcePointer> make_source(const sealpack_source* source) {
  const sealpack_source taken = TRY(take(source, "source"));
  if (taken.read_at == nullptr) return usage("source: read_at is NULL");
  return SourcePointer(std::make_shared<CallbackSource>(taken));
}

}  // namespace
}  // namespace sealpack::capi

using namespace sealpack;

int sealpack_bundle_open_path(sealpack_session* session, const char* path, const char* owner,
                              sealpack_bundle** bundle, sealpack_error* error) {
  return capi::open_bundle(session, owner, bundle, error, [&]() -> Result<capi::SourcePointer> {
    return capi::SourcePointer(TRY(FileSource::open(TRY(capi::text_of(path, "path")))));
  });
}

int sealpack_bundle_open_fd(sealpack_session* session, int fd, const char* owner,
                            sealpack_bundle** bundle, sealpack_error* error) {
  return capi::open_bundle(session, owner, bundle, error,
                           [&] { return capi::open_descriptor(fd); });
}

int sealpack_bundle_open_source(sealpack_session* session, const sealpack_source* source,
                                const char* owner, sealpack_bundle** bundle,
                                sealpack_error* error) {
  return capi::open_bundle(session, owner, bundle, error,
                           [&] { return capi::make_source(source); });
}

void sealpack_bundle_close(sealpack_bundle* bundle) {
  delete bundle;
}

int sealpack_bundle_check(sealpack_bundle* bundle, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status { return TRY(capi::state_of(bundle))->check(); });
}

int sealpack_bundle_confirm(sealpack_bundle* bundle, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    return state->session().lock()->confirm(state->id());
  });
}

int sealpack_bundle_receipt(sealpack_bundle* bundle, const void* nonce, size_t nonce_size,
                            void* out, size_t* size, sealpack_error* error) {
  return capi::guarded(error, [&]() -> Status {
    capi::BundleState* state = TRY(capi::state_of(bundle));
    if (nonce_size != 0) TRY(capi::require(nonce, "nonce"));
    if (nonce_size > capi::kMaxNonceSize) {
      return Error(ErrorCode::kLimit, "a nonce has at most 64 bytes");
    }
    const Bytes asked(static_cast<const std::uint8_t*>(nonce), nonce_size);
    const ByteVector receipt =
        loader::serialize_receipt(TRY(state->session().lock()->receipt(state->id(), asked)));
    return capi::give_bytes(receipt, out, size, "receipt");
  });
}
