// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "formats/base/block_source.h"
#include "formats/bundle/content.h"
#include "formats/bundle/head.h"
#include "formats/bundle/layout.h"
#include "formats/bundle/release.h"
#include "keymgmt/crypto/private_key.h"
#include "unpacker/core/trust.h"

// Makes small bundles for tests by the writer functions of the format, with a hook between any two
// steps. Everything that is refused in a test differs from a bundle that is accepted in one edit.
namespace sealpack::testing {

struct TestFile {
  std::string path;
  ByteVector bytes;
};

struct TestSealedFile {
  std::string path;
  bundle::SealedKind kind = bundle::SealedKind::kModel;
  std::vector<ByteVector> segments;  // plaintexts; the first of a kModel file is its header
};

// Zeros but for the pieces put into it: bundles of many GiB without the memory.
class SparseSource : public BlockSource {
 public:
  explicit SparseSource(std::uint64_t size = 0) : size_(size) {}
  void resize(std::uint64_t size) { size_ = size; }
  void put(std::uint64_t offset, Bytes bytes) { pieces_[offset] = to_vector(bytes); }
  const std::map<std::uint64_t, ByteVector>& pieces() const { return pieces_; }

  std::uint64_t size() const override { return size_; }
  Status read_at(std::uint64_t offset, MutableBytes out) const override;

 private:
  std::uint64_t size_;
  std::map<std::uint64_t, ByteVector> pieces_;  // do not overlap
};

struct TestKeys {
  crypto::PrivateKey authority;  // Ed25519; signs the release too
  crypto::PrivateKey recipient;  // X25519
  crypto::ContentKey content;
};
TestKeys make_keys();
crypto::PrivateKey make_key(crypto::KeyType type);
crypto::VerifyingKey verifying_key(const crypto::PrivateKey& key);
Digest digest_of(const crypto::PrivateKey& key);  // of its SPKI

// What a bundle is made of. The default is the small valid bundle.
struct Recipe {
  Recipe();
  std::vector<TestFile> public_files;
  std::vector<TestSealedFile> sealed_files;
  std::vector<const crypto::PrivateKey*> signers;  // empty: the authority

  // In the order in which they run.
  std::function<void(bundle::Content&)> edit_content = [](auto&) {};
  std::function<void(bundle::Release&)> edit_release = [](auto&) {};
  std::function<void(ByteVector&)> edit_payload = [](auto&) {};         // before it is signed
  std::function<void(bundle::Envelope&)> edit_unsigned = [](auto&) {};  // before it is signed
  std::function<void(bundle::Head&)> edit_head = [](auto&) {};          // after it was signed
};

struct TestBundle {
  bundle::Content content;
  bundle::Release release;
  bundle::Head head;
  bundle::Layout layout;
  ByteVector content_bytes;
  SparseSource source;

  ByteVector bytes() const;  // the whole file
  ByteVector plaintext(const Recipe& recipe, std::uint32_t file) const;
};
TestBundle build(const TestKeys& keys, const Recipe& recipe = {});

// The signature of `key` over the envelope's payload and type.
bundle::Signature sign(const crypto::PrivateKey& key, const bundle::Envelope& envelope);
// Replaces the signatures, in their order.
void sign_again(bundle::Envelope& envelope, const std::vector<const crypto::PrivateKey*>& signers);

// Accepts what build(keys) makes.
unpacker::Trust trust_in(const TestKeys& keys);

std::shared_ptr<const BlockSource> memory(ByteVector bytes);
// The bytes with a head whose message is `head`, in copy A.
ByteVector with_head(ByteVector bytes, const bundle::Head& head);
// Bytes that differ at every place and from seed to seed.
ByteVector pattern(std::size_t size, unsigned seed);

// The stored nodes and the root of the tree over a stream.
struct BuiltTree {
  std::vector<std::pair<std::uint64_t, ByteVector>> nodes;  // by offset
  Digest root;
};
BuiltTree build_tree(Bytes stream);
BuiltTree build_zero_tree(std::uint64_t size);  // over a stream of zeros, without reading it

}  // namespace sealpack::testing
