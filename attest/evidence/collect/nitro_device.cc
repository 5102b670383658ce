// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/collect/nitro_device.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "formats/base/byte_reader.h"
#include "formats/files/file_source.h"

namespace sealpack::attest {
namespace {

constexpr const char* kDevice = "/dev/nsm";
// The driver's own limit for answers.
constexpr std::size_t kMaxResponse = 0x3000;

constexpr std::uint8_t kCborBytes = 0x40;
constexpr std::uint8_t kCborText = 0x60;
constexpr std::uint8_t kCborMap = 0xa0;
constexpr std::uint8_t kCborNull = 0xf6;

void put_head(ByteVector& out, std::uint8_t major, std::size_t size) {
  if (size < 24) {
    out.push_back(static_cast<std::uint8_t>(major | size));
    return;
  }
  out.push_back(static_cast<std::uint8_t>(major | 24U));
  out.push_back(static_cast<std::uint8_t>(size));  // report data are shorter than 256 bytes
}

void put_text(ByteVector& out, std::string_view text) {
  put_head(out, kCborText, text.size());
  out.insert(out.end(), text.begin(), text.end());
}

// The head of an item of that major type, in its shortest form.
Result<std::uint64_t> take_head(ByteReader& in, std::uint8_t major, std::string_view field) {
  const std::uint8_t first = TRY(in.u8(field));
  const std::uint8_t info = first & 0x1fU;
  if ((first & 0xe0U) != major || info > 26)
    return in.malformed(std::string(field) + " is missing");
  if (info < 24) return std::uint64_t{info};
  const std::size_t size = std::size_t{1} << (info - 24U);
  std::uint64_t value = 0;
  for (const std::uint8_t byte : TRY(in.bytes(size, field))) value = (value << 8U) | byte;
  return value;
}

Result<std::string> take_text(ByteReader& in, std::string_view field) {
  const std::uint64_t size = TRY(take_head(in, kCborText, field));
  return std::string(as_text(TRY(in.bytes(size, field))));
}

// struct nsm_message of the driver (drivers/misc/nsm.c, include/uapi/linux/nsm.h).
struct NsmMessage {
  iovec request;
  iovec response;
};

}  // namespace

ByteVector nsm_attestation_request(Bytes nonce) {
  ByteVector out;
  put_head(out, kCborMap, 1);
  put_text(out, "Attestation");
  put_head(out, kCborMap, 3);
  put_text(out, "user_data");
  out.push_back(kCborNull);
  put_text(out, "nonce");
  put_head(out, kCborBytes, nonce.size());
  out.insert(out.end(), nonce.begin(), nonce.end());
  put_text(out, "public_key");
  out.push_back(kCborNull);
  return out;
}

Result<ByteVector> parse_nsm_response(Bytes response) {
  ByteReader in(response, "answer of the Nitro Secure Module");
  if (TRY(take_head(in, kCborMap, "answer")) != 1) return in.malformed("no answer to one question");
  const std::string kind = TRY(take_text(in, "kind"));
  if (kind == "Error") {
    return Error(ErrorCode::kIo,
                 "the Nitro Secure Module refuses: " + printable(TRY(take_text(in, "error"))));
  }
  if (kind != "Attestation" || TRY(take_head(in, kCborMap, "attestation")) != 1 ||
      TRY(take_text(in, "field")) != "document") {
    return in.malformed("no attestation document");
  }
  const std::uint64_t size = TRY(take_head(in, kCborBytes, "document"));
  ByteVector document = to_vector(TRY(in.bytes(size, "document")));
  TRY(in.finish());
  return document;
}

Result<ByteVector> ask_nsm(Bytes request) {
  const FileDescriptor device(::open(kDevice, O_RDWR | O_CLOEXEC));
  if (device.get() < 0) {
    if (errno == ENOENT) {
      return Error(ErrorCode::kUnsupported, std::string("this machine has no ") + kDevice)
          .with_hint("only AWS Nitro enclaves have");
    }
    return io_error(std::string("cannot open ") + kDevice, errno);
  }
  ByteVector question = to_vector(request);
  ByteVector answer(kMaxResponse);
  NsmMessage message = {{question.data(), question.size()}, {answer.data(), answer.size()}};
  constexpr unsigned kMagic = 0x0a;
  if (::ioctl(device.get(), _IOWR(kMagic, 0, NsmMessage), &message) != 0) {
    return io_error(std::string("cannot ask ") + kDevice, errno);
  }
  if (message.response.iov_len > answer.size()) {
    return Error(ErrorCode::kIo, std::string(kDevice) + " answers more than there is room for");
  }
  answer.resize(message.response.iov_len);
  return answer;
}

}  // namespace sealpack::attest
