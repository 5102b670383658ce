// SPDX-License-Identifier: Apache-2.0
#include "tests/testing/test_bundle.h"

#include <algorithm>
#include <numeric>

#include "formats/bundle/encode.h"
#include "formats/bundle/labels.h"
#include "formats/bundle/tree.h"
#include "keymgmt/crypto/dsse.h"
#include "keymgmt/crypto/random.h"
#include "keymgmt/crypto/segment_cipher.h"
#include "keymgmt/slots/slots.h"

namespace sealpack::testing {
namespace {

using bundle::Content;
using bundle::Segment;
using crypto::SegmentCipher;

ByteVector seal(const SegmentCipher& cipher, Bytes plain) {
  ByteVector sealed(SegmentCipher::sealed_size(plain.size()).value());
  MutableBytes out(sealed);
  const std::uint64_t chunks = SegmentCipher::chunk_count(plain.size());
  for (std::uint64_t i = 0; i < chunks; ++i) {
    const Bytes chunk = plain.first(std::min(plain.size(), SegmentCipher::kPlainChunk));
    const std::size_t size = chunk.size() + SegmentCipher::kTagSize;
    cipher.seal_chunk(i, chunk, out.first(size));
    plain = plain.subspan(chunk.size());
    out = out.subspan(size);
  }
  return sealed;
}

// What sealing gives besides the content manifest.
struct Streams {
  std::vector<BuiltTree> public_trees;
  std::vector<std::vector<ByteVector>> sealed;  // ciphertext per file and segment
  std::vector<std::vector<BuiltTree>> sealed_trees;
};

void seal_files(const TestKeys& keys, const Recipe& recipe, Content& content, Streams& streams) {
  std::uint64_t number = 0;
  for (const TestSealedFile& input : recipe.sealed_files) {
    bundle::SealedFile file{input.path, input.kind, {}};
    auto& sealed = streams.sealed.emplace_back();
    auto& trees = streams.sealed_trees.emplace_back();
    for (const ByteVector& plain : input.segments) {
      Segment segment;
      const bool header = input.kind == bundle::SealedKind::kModel && file.segments.empty();
      segment.kind = header ? bundle::SegmentKind::kHeader : bundle::SegmentKind::kData;
      segment.size = plain.size();
      const SegmentCipher cipher = SegmentCipher::create(
          keys.content, crypto::random_array<24>(),
          bundle::segment_context(content.uuid, number++, segment.kind, segment.size));
      segment.salt = cipher.header().salt;
      segment.commitment = cipher.header().commitment;
      sealed.push_back(seal(cipher, plain));
      trees.push_back(build_tree(sealed.back()));
      segment.root = trees.back().root;
      file.segments.push_back(segment);
    }
    content.sealed_files.push_back(std::move(file));
  }
}

// An original made of the second public and the first sealed file, and a card about both.
void describe(Content& content) {
  content.excluded = {{"notes.md", "not part of the model"}};
  content.card.facts = {{"architecture", "test"}, {"parameters", "12"}};
  content.plan.parameters = {1, 2, 3};
  if (content.public_files.size() < 2 || content.sealed_files.empty()) return;
  const auto sealed = static_cast<std::uint32_t>(content.public_files.size());
  const std::uint64_t public_size = content.public_files[1].size;
  const std::uint64_t sealed_size = content.sealed_files[0].size();
  content.originals = {{"model.safetensors",
                        public_size + sealed_size,
                        {{1, 0, public_size}, {sealed, 0, sealed_size}}}};
  content.card.tensors = {{"embed", "F32", {3, 4}, 1}, {"head", "BF16", {}, sealed}};
  content.card.sealed_parameters = 1;
}

Content make_content(const TestKeys& keys, const Recipe& recipe, Streams& streams) {
  Content content;
  content.uuid = crypto::random_array<16>();
  content.authority = digest_of(keys.authority);
  content.product = "test product";
  for (const TestFile& file : recipe.public_files) {
    streams.public_trees.push_back(build_tree(file.bytes));
    content.public_files.push_back(
        {file.path, file.bytes.size(), streams.public_trees.back().root});
  }
  seal_files(keys, recipe, content, streams);
  describe(content);
  recipe.edit_content(content);
  return content;
}

bundle::Release make_release(const TestKeys& keys, const TestBundle& made) {
  bundle::Release release;
  release.content_digest = crypto::sha256(made.content_bytes);
  release.content_size = made.content_bytes.size();
  release.key_commitment = slots::key_commitment(keys.content);
  release.product = made.content.product;
  release.version = "1.2";
  release.counter = 7;
  release.policy.anyone_because = "a test";
  release.licence = "none";
  return release;
}

bundle::Head make_head(const TestKeys& keys, const Recipe& recipe, const TestBundle& made) {
  bundle::Head head;
  head.release.payload_type = std::string(bundle::kReleaseType);
  head.release.payload = bundle::serialize_release(made.release);
  recipe.edit_payload(head.release.payload);
  recipe.edit_unsigned(head.release);
  const std::vector<const crypto::PrivateKey*> authority = {&keys.authority};
  sign_again(head.release, recipe.signers.empty() ? authority : recipe.signers);
  const slots::Binding binding{made.content.uuid, made.release.content_digest,
                               made.content.authority};
  const auto recipient = crypto::EncryptionKey::from_spki(keys.recipient.spki()).value();
  head.slots.push_back(
      slots::wrap_for(recipient, bundle::SlotClass::kDirect, binding, keys.content).value());
  recipe.edit_head(head);
  return head;
}

void put_tree(SparseSource& source, std::uint64_t offset, const BuiltTree& tree) {
  for (const auto& [at, node] : tree.nodes) source.put(offset + at, node);
}

void assemble(const Recipe& recipe, const Streams& streams, TestBundle& made) {
  const bundle::HeadLayout heads{made.content.head_size};
  SparseSource& source = made.source;
  source.resize(made.layout.file_size);
  for (const bundle::Member& member : made.layout.members) {
    source.put(member.header_offset, bundle::member_headers(member));
  }
  source.put(bundle::kHeadOffset, bundle::head_preamble(heads.head_size, bundle::HeadState::kA));
  source.put(heads.copy_offset(false),
             bundle::head_copy(heads, bundle::serialize_head(made.head)).value());
  source.put(bundle::content_offset(heads.head_size), made.content_bytes);
  for (std::size_t i = 0; i < recipe.public_files.size(); ++i) {
    if (recipe.public_files[i].bytes.empty()) continue;
    source.put(made.layout.public_offsets[i], recipe.public_files[i].bytes);
    put_tree(source, made.layout.public_tree_offsets[i], streams.public_trees[i]);
  }
  for (std::size_t i = 0; i < streams.sealed.size(); ++i) {
    for (std::size_t j = 0; j < streams.sealed[i].size(); ++j) {
      const auto& place = made.layout.segments[i][j];
      source.put(place.data_offset, streams.sealed[i][j]);
      put_tree(source, place.tree_offset, streams.sealed_trees[i][j]);
    }
  }
}

BuiltTree build_from(bundle::TreeBuilder& builder,
                     const std::function<Digest(std::uint64_t)>& leaf) {
  BuiltTree tree;
  const bundle::TreeShape& shape = builder.shape();
  for (std::uint64_t first = 0; first < shape.leaf_count(); first += bundle::kFanOut) {
    std::vector<Digest> leaves;
    const std::uint64_t end = std::min<std::uint64_t>(shape.leaf_count(), first + bundle::kFanOut);
    for (std::uint64_t i = first; i < end; ++i) leaves.push_back(leaf(i));
    const std::uint64_t group = first / bundle::kFanOut;
    const auto node = builder.add_group(group, leaves);
    if (shape.level_count() == 0) continue;
    tree.nodes.emplace_back(shape.node_offset(0, group), to_vector(node));
  }
  const auto finished = builder.finish();
  for (const auto& node : finished.upper_nodes) {
    tree.nodes.emplace_back(node.offset, to_vector(node.bytes));
  }
  tree.root = finished.root;
  return tree;
}

}  // namespace

Status SparseSource::read_at(std::uint64_t offset, MutableBytes out) const {
  if (offset > size_ || out.size() > size_ - offset) {
    return Error(ErrorCode::kIo, "read past the end");
  }
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  auto piece = pieces_.upper_bound(offset);
  if (piece != pieces_.begin()) --piece;
  for (; piece != pieces_.end() && piece->first < offset + out.size(); ++piece) {
    const std::uint64_t begin = std::max(offset, piece->first);
    const std::uint64_t end =
        std::min<std::uint64_t>(offset + out.size(), piece->first + piece->second.size());
    if (begin >= end) continue;
    const Bytes from = Bytes(piece->second).subspan(begin - piece->first, end - begin);
    std::copy(from.begin(), from.end(), out.subspan(begin - offset).begin());
  }
  return done();
}

crypto::PrivateKey make_key(crypto::KeyType type) {
  return crypto::PrivateKey::generate(type).value();
}

TestKeys make_keys() {
  return {make_key(crypto::KeyType::kEd25519), make_key(crypto::KeyType::kX25519),
          crypto::ContentKey::random()};
}

crypto::VerifyingKey verifying_key(const crypto::PrivateKey& key) {
  return crypto::VerifyingKey::from_spki(key.spki()).value();
}

Digest digest_of(const crypto::PrivateKey& key) {
  return crypto::sha256(key.spki());
}

ByteVector pattern(std::size_t size, unsigned seed) {
  ByteVector bytes(size);
  std::uint64_t state = seed * std::uint64_t{0x9e3779b97f4a7c15} + 1;
  for (std::uint8_t& byte : bytes) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<std::uint8_t>(state >> 56U);
  }
  return bytes;
}

// One empty public file; a sealed file with two segments of one size, a multiple of the chunk size;
// an input file that the bundle keeps as it was.
Recipe::Recipe()
    : public_files{{"empty.txt", {}},
                   {"model.onnx", pattern(700, 1)},
                   {"more/b.bin", pattern(60, 2)}},
      sealed_files{{"extra.bin", bundle::SealedKind::kResidue, {pattern(50, 3)}},
                   {"model.safetensors",
                    bundle::SealedKind::kModel,
                    {pattern(90, 4), pattern(16384, 5), pattern(16384, 6)}}} {}

TestBundle build(const TestKeys& keys, const Recipe& recipe) {
  TestBundle made;
  Streams streams;
  made.content = make_content(keys, recipe, streams);
  made.content_bytes = bundle::serialize_content(made.content);
  made.release = make_release(keys, made);
  recipe.edit_release(made.release);
  made.head = make_head(keys, recipe, made);
  made.layout = bundle::layout_of(made.content, made.content_bytes.size()).value();
  assemble(recipe, streams, made);
  return made;
}

ByteVector TestBundle::bytes() const {
  ByteVector all(static_cast<std::size_t>(source.size()));
  if (!source.read_at(0, all).ok()) die("a test bundle does not read");
  return all;
}

ByteVector TestBundle::plaintext(const Recipe& recipe, std::uint32_t file) const {
  if (file < recipe.public_files.size()) return recipe.public_files[file].bytes;
  ByteVector joined;
  for (const ByteVector& part : recipe.sealed_files[file - recipe.public_files.size()].segments) {
    joined.insert(joined.end(), part.begin(), part.end());
  }
  return joined;
}

bundle::Signature sign(const crypto::PrivateKey& key, const bundle::Envelope& envelope) {
  const ByteVector message = crypto::dsse_pae(envelope.payload_type, envelope.payload);
  return {digest_of(key), key.signer().value()->sign(message).value()};
}

void sign_again(bundle::Envelope& envelope, const std::vector<const crypto::PrivateKey*>& signers) {
  envelope.signatures.clear();
  for (const crypto::PrivateKey* key : signers) envelope.signatures.push_back(sign(*key, envelope));
  std::sort(envelope.signatures.begin(), envelope.signatures.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
}

unpacker::Trust trust_in(const TestKeys& keys) {
  unpacker::Trust trust;
  trust.authorities = {digest_of(keys.authority)};
  trust.signers = {{"authority", {verifying_key(keys.authority)}, 1}};
  trust.product = "test product";
  return trust;
}

std::shared_ptr<const BlockSource> memory(ByteVector bytes) {
  return std::make_shared<MemorySource>(std::move(bytes));
}

ByteVector with_head(ByteVector bytes, const bundle::Head& head) {
  const bundle::HeadLayout layout;
  const ByteVector copy = bundle::head_copy(layout, bundle::serialize_head(head)).value();
  std::copy(copy.begin(), copy.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(layout.copy_offset(false)));
  return bytes;
}

BuiltTree build_tree(Bytes stream) {
  bundle::TreeBuilder builder(stream.size());
  return build_from(builder, [&](std::uint64_t i) {
    return bundle::leaf_digest(stream.subspan(i * bundle::kLeafSize, builder.shape().leaf_size(i)));
  });
}

BuiltTree build_zero_tree(std::uint64_t size) {
  bundle::TreeBuilder builder(size);
  const ByteVector zeros(bundle::kLeafSize);
  const Digest whole = bundle::leaf_digest(zeros);
  return build_from(builder, [&](std::uint64_t i) {
    const std::size_t leaf = builder.shape().leaf_size(i);
    return leaf == zeros.size() ? whole : bundle::leaf_digest(Bytes(zeros).first(leaf));
  });
}

}  // namespace sealpack::testing
