// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/sealed_output.h"

#include <algorithm>

#include "formats/bundle/labels.h"
#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"
#include "formats/bundle/tree.h"
#include "keymgmt/crypto/dsse.h"
#include "keymgmt/crypto/random.h"
#include "keymgmt/crypto/segment_cipher.h"
#include "runtime-loader/core/labels.h"
#include "runtime-loader/core/names.h"

namespace sealpack::loader {
namespace {

using bundle::LengthPrefixed;
using bundle::MessageReader;
using bundle::MessageWriter;
using crypto::SegmentCipher;

constexpr std::array<std::uint8_t, 16> kMagic = {'s', 'e', 'a', 'l', 'p', 'a', 'c', 'k',
                                                 ' ', 'o', 'u', 't', 'p', 'u', 't', 0};
constexpr std::uint32_t kOutputVersion = 1;
constexpr std::size_t kMaxHeaderSize = 8192;
constexpr std::size_t kMaxKeySize = 1024;

struct Header {
  OutputLabel label;
  Digest owner;
  Digest tee_key;
  ByteVector enc;
  ByteVector wrapped;
  std::uint64_t size = 0;  // of the plaintext
  crypto::SegmentHeader segment;
  Digest root;
};

// What the wrapped key and the segment are bound to.
ByteVector bound(std::string_view label, const Header& header) {
  return LengthPrefixed()
      .add(label)
      .add(std::string_view(header.label.kind))
      .add(Bytes(header.label.release.bytes))
      .add(header.label.number)
      .add(header.size)
      .add(Bytes(header.owner.bytes))
      .add(Bytes(header.tee_key.bytes))
      .bytes();
}

ByteVector serialize_payload(const Header& header) {
  return MessageWriter()
      .u64(1, kOutputVersion)
      .text(2, header.label.kind)
      .digest(3, header.label.release)
      .u64(4, header.label.number)
      .u64(5, header.size)
      .digest(6, header.owner)
      .digest(7, header.tee_key)
      .bytes(8, header.enc)
      .bytes(9, header.wrapped)
      .element(10, header.segment.salt)
      .element(11, header.segment.commitment)
      .digest(12, header.root)
      .take();
}

Result<Header> parse_payload(Bytes bytes) {
  MessageReader in(bytes, "sealed output header");
  const std::uint32_t version = TRY(in.u32(1, "version"));
  if (version != kOutputVersion) {
    return Error(ErrorCode::kUnsupported,
                 "sealed output of version " + std::to_string(version) + ", known is 1");
  }
  Header header;
  header.label.kind = TRY(in.text(2, "kind", kMaxLabelSize));
  header.label.release = TRY(in.digest(3, "release digest"));
  header.label.number = TRY(in.u64(4, "number"));
  header.size = TRY(in.u64(5, "size"));
  header.owner = TRY(in.digest(6, "owner's key"));
  header.tee_key = TRY(in.digest(7, "TEE's key"));
  header.enc = to_vector(TRY(in.bytes(8, "encapsulated key", kMaxKeySize)));
  header.wrapped = to_vector(TRY(in.bytes(9, "wrapped key", kMaxKeySize)));
  header.segment.salt = TRY(in.array<crypto::SegmentHeader::kSaltSize>(10, "salt"));
  header.segment.commitment =
      TRY(in.array<crypto::SegmentHeader::kCommitmentSize>(11, "commitment"));
  header.root = TRY(in.digest(12, "root"));
  TRY(in.finish());
  TRY(check_label(header.label.kind, "kind of a sealed output"));
  if (header.size > kMaxSealedOutputSize) {
    return Error(ErrorCode::kLimit, "sealed output of " + std::to_string(header.size) + " bytes");
  }
  return header;
}

// Root of the tree over `stream` (FORMAT.md §4); its nodes are not stored.
Digest root_of(Bytes stream) {
  bundle::TreeBuilder builder(stream.size());
  const std::uint64_t leaves = builder.shape().leaf_count();
  for (std::uint64_t first = 0; first < leaves; first += bundle::kFanOut) {
    std::vector<Digest> group;
    for (std::uint64_t i = first; i < std::min(leaves, first + bundle::kFanOut); ++i) {
      group.push_back(bundle::leaf_digest(stream.subspan(
          static_cast<std::size_t>(i) * bundle::kLeafSize, builder.shape().leaf_size(i))));
    }
    builder.add_group(first / bundle::kFanOut, group);
  }
  return builder.finish().root;
}

ByteVector seal_chunks(const SegmentCipher& cipher, Bytes plain) {
  ByteVector sealed(static_cast<std::size_t>(*SegmentCipher::sealed_size(plain.size())));
  MutableBytes rest(sealed);
  const std::uint64_t count = SegmentCipher::chunk_count(plain.size());
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t size = std::min(plain.size(), SegmentCipher::kPlainChunk);
    cipher.seal_chunk(i, plain.first(size), rest.first(size + SegmentCipher::kTagSize));
    plain = plain.subspan(size);
    rest = rest.subspan(size + SegmentCipher::kTagSize);
  }
  return sealed;
}

Status open_chunks(const SegmentCipher& cipher, Bytes sealed, MutableBytes plain) {
  const std::uint64_t count = SegmentCipher::chunk_count(plain.size());
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t size = std::min(plain.size(), SegmentCipher::kPlainChunk);
    TRY(cipher.open_chunk(i, sealed.first(size + SegmentCipher::kTagSize), plain.first(size)));
    plain = plain.subspan(size);
    sealed = sealed.subspan(size + SegmentCipher::kTagSize);
  }
  return done();
}

struct Parts {
  Header header;
  Bytes sealed;
};

// Signature and root are proven before anything is opened.
Result<Parts> verify_parts(Bytes file, const crypto::VerifyingKey& tee_key) {
  ByteReader in(file, "sealed output");
  if (TRY(in.array<kMagic.size()>("magic")) != kMagic) return in.malformed("no magic");
  const std::uint32_t header_size = TRY(in.u32("header size"));
  if (header_size > kMaxHeaderSize) return in.malformed("the header is too large");
  MessageReader envelope(TRY(in.bytes(header_size, "header")), "sealed output envelope");
  const Bytes payload = TRY(envelope.bytes(1, "payload", kMaxHeaderSize));
  const Bytes signature = TRY(envelope.bytes(2, "signature", kMaxKeySize));
  TRY(envelope.finish());
  TRY(tee_key.verify(crypto::dsse_pae(kOutputType, payload), signature).within("sealed output"));

  Parts parts{TRY(parse_payload(payload)), {}};
  if (parts.header.tee_key != tee_key.digest()) {
    return Error(ErrorCode::kNotAuthentic, "sealed output: made by another TEE");
  }
  parts.sealed = TRY(in.bytes(*SegmentCipher::sealed_size(parts.header.size), "chunks"));
  TRY(in.finish());
  if (root_of(parts.sealed) != parts.header.root) {
    return Error(ErrorCode::kNotAuthentic,
                 "sealed output: its bytes are not those that were signed");
  }
  return parts;
}

}  // namespace

Result<ByteVector> seal_output(Bytes plain, const OutputLabel& label,
                               const crypto::EncryptionKey& owner, const crypto::Signer& tee_key) {
  if (plain.size() > kMaxSealedOutputSize) {
    return Error(ErrorCode::kLimit, "a sealed output of " + std::to_string(plain.size()) +
                                        " bytes, at most " + std::to_string(kMaxSealedOutputSize));
  }
  if (!is_label(label.kind)) return Error(ErrorCode::kUsage, "a sealed output needs a kind");
  Header header;
  header.label = label;
  header.owner = owner.digest();
  header.tee_key = tee_key.public_key().digest();
  header.size = plain.size();
  const auto key = crypto::ContentKey::random();
  crypto::HpkeSealed wrapped =
      TRY(crypto::hpke_seal(owner, bound(kOutputKeyLabel, header), {}, key.reveal()));
  header.enc = std::move(wrapped.enc);
  header.wrapped = std::move(wrapped.ciphertext);
  const auto cipher =
      SegmentCipher::create(key, crypto::random_array<crypto::SegmentHeader::kSaltSize>(),
                            bound(kOutputSegmentLabel, header));
  header.segment = cipher.header();
  const ByteVector sealed = seal_chunks(cipher, plain);
  header.root = root_of(sealed);

  const ByteVector payload = serialize_payload(header);
  const ByteVector envelope =
      MessageWriter()
          .bytes(1, payload)
          .bytes(2, TRY(tee_key.sign(crypto::dsse_pae(kOutputType, payload))))
          .take();
  ByteVector file(kMagic.begin(), kMagic.end());
  for (std::size_t i = 0; i < 4; ++i) {
    file.push_back(static_cast<std::uint8_t>(envelope.size() >> (8 * i)));
  }
  file.insert(file.end(), envelope.begin(), envelope.end());
  file.insert(file.end(), sealed.begin(), sealed.end());
  return file;
}

Result<OpenedOutput> open_sealed_output(Bytes file, const crypto::Decryptor& owner,
                                        const crypto::VerifyingKey& tee_key) {
  const Parts parts = TRY(verify_parts(file, tee_key));
  const Header& header = parts.header;
  const Error not_for_this_key(ErrorCode::kKeyUnavailable,
                               "the sealed output does not open with this key");
  if (owner.public_key().digest() != header.owner) return not_for_this_key;
  auto opened = owner.hpke_open(header.enc, bound(kOutputKeyLabel, header), {}, header.wrapped);
  if (!opened.ok() || opened->size() != crypto::ContentKey::kSize) return not_for_this_key;
  const auto key = TRY(crypto::ContentKey::from(*std::move(opened)));
  const auto cipher =
      TRY(SegmentCipher::open(key, header.segment, bound(kOutputSegmentLabel, header)));
  OpenedOutput out{header.label, ByteVector(static_cast<std::size_t>(header.size))};
  const Status status = open_chunks(cipher, parts.sealed, out.plain);
  if (!status.ok()) {
    crypto::wipe(out.plain);
    return status.error();
  }
  return out;
}

}  // namespace sealpack::loader
