// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/message_parts.h"

namespace sealpack::loader::internal {

using bundle::MessageReader;
using bundle::MessageWriter;

ByteVector envelope(std::uint32_t kind, Bytes body) {
  return MessageWriter().u64(1, kProtocol).u64(2, kind).bytes(3, body).take();
}

Result<Opened> open_envelope(Bytes bytes) {
  if (bytes.size() > kMaxMessageSize) {
    return Error(ErrorCode::kLimit, "a message of " + std::to_string(bytes.size()) +
                                        " bytes, at most " + std::to_string(kMaxMessageSize) +
                                        " are allowed");
  }
  MessageReader in(bytes, "message");
  const std::uint32_t protocol = TRY(in.u32(1, "protocol"));
  if (protocol == 0) return in.malformed("no protocol");
  if (protocol != kProtocol) {
    return Error(ErrorCode::kUnsupported, "a message of protocol " + std::to_string(protocol) +
                                              ", this loader speaks " + std::to_string(kProtocol));
  }
  Opened opened;
  opened.kind = TRY(in.u32(2, "kind"));
  opened.body = TRY(in.bytes(3, "body", kMaxMessageSize));
  TRY(in.finish());
  return opened;
}

ByteVector serialize_port(const Port& port) {
  std::vector<std::uint64_t> dims;
  for (const std::int64_t dim : port.type.shape.dims()) {
    dims.push_back(static_cast<std::uint64_t>(dim));
  }
  return MessageWriter()
      .text(1, port.name)
      .u64(2, static_cast<std::uint64_t>(port.type.dtype))
      .packed(3, dims)
      .take();
}

Result<Port> parse_port(Bytes bytes) {
  MessageReader in(bytes, "tensor");
  Port port;
  port.name = TRY(in.text(1, "name", kMaxNameSize));
  port.type.dtype = TRY(nn::to_dtype(TRY(in.u64(2, "element type"))));
  const auto sizes = TRY(in.packed(3, "dimensions", nn::kMaxRank));
  TRY(in.finish());
  std::vector<std::int64_t> dims;
  for (const std::uint64_t size : sizes) {
    if (size > static_cast<std::uint64_t>(nn::kMaxElements)) {
      return in.malformed("a dimension of " + std::to_string(size));
    }
    dims.push_back(static_cast<std::int64_t>(size));
  }
  port.type.shape = TRY(nn::Shape::make(dims));
  if (port.name.empty()) return in.malformed("a tensor without a name");
  return port;
}

ByteVector serialize_tensor(const BufferTensor& tensor) {
  return MessageWriter().element(1, serialize_port(tensor.port)).u64(2, tensor.range.at).take();
}

Result<BufferTensor> parse_tensor(Bytes bytes) {
  MessageReader in(bytes, "tensor in the buffer");
  BufferTensor tensor;
  tensor.port = TRY(parse_port(TRY(in.element(1, "type"))));
  tensor.range.at = TRY(in.u64(2, "place"));
  tensor.range.size = tensor.port.type.size();
  TRY(in.finish());
  return tensor;
}

}  // namespace sealpack::loader::internal
