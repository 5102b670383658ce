// SPDX-License-Identifier: Apache-2.0
// libipsec-mb: AES-GCM with vector AES, SHA-256 over many buffers at once. Compiled only where the
// library is found; used only where its self-test passes and the processor has AES instructions.
#define NO_COMPAT_IMB_API_053  // old names that are macros and collide with OpenSSL's
#include <intel-ipsec-mb.h>

#include <algorithm>
#include <bitset>
#include <cstring>
#include <new>

#include "keymgmt/crypto/bulk_engine.h"
#include "keymgmt/crypto/openssl_handles.h"

namespace sealpack::crypto::internal {
namespace {

using ManagerPtr = std::unique_ptr<IMB_MGR, FreeWith<free_mb_mgr>>;

struct Manager {
  ManagerPtr handle;
  IMB_ARCH architecture = IMB_ARCH_NONE;
};

// An empty handle where the library cannot serve: no memory, no AES instructions (its emulation
// looks tables up, which leaks keys through the cache), or a failed self-test.
Manager make_manager() {
  Manager manager{ManagerPtr(alloc_mb_mgr(0)), IMB_ARCH_NONE};
  if (manager.handle == nullptr) return {};
  init_mb_mgr_auto(manager.handle.get(), &manager.architecture);
  constexpr std::uint64_t kNeeded = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ |
                                    IMB_FEATURE_SELF_TEST | IMB_FEATURE_SELF_TEST_PASS;
  const bool serves = imb_get_errno(manager.handle.get()) == 0 &&
                      manager.architecture >= IMB_ARCH_SSE &&
                      (manager.handle->features & kNeeded) == kNeeded &&
                      (manager.handle->features & IMB_FEATURE_AESNI_EMU) == 0;
  if (!serves) return {};
  return manager;
}

// Read-only after construction: the direct AES-GCM calls take from it function pointers only, so
// every thread may share it. Hashing does change its manager; see MultiBufferHash.
const Manager& shared_manager() {
  static const Manager manager = make_manager();
  return manager;
}

class IpsecMbAead final : public ChunkAead {
 public:
  explicit IpsecMbAead(Bytes key) : memory_(sizeof(gcm_key_data)) {
    // Blocks of the secure heap are aligned to their size, a power of two.
    void* place = memory_.reveal_for_writing().data();
    require(reinterpret_cast<std::uintptr_t>(place) % alignof(gcm_key_data) == 0,
            "the secure heap does not align its blocks");
    key_ = new (place) gcm_key_data;
    IMB_AES256_GCM_PRE(shared_manager().handle.get(), key.data(), key_);
  }

  void seal(const Nonce& nonce, Bytes plain, MutableBytes sealed) const override {
    gcm_context_data context;
    IMB_AES256_GCM_ENC(shared_manager().handle.get(), key_, &context, sealed.data(),
                       plain.empty() ? nonce.data() : plain.data(), plain.size(), nonce.data(),
                       nonce.data(), 0, sealed.data() + plain.size(), SegmentCipher::kTagSize);
    wipe_object(context);
  }

  bool open(const Nonce& nonce, Bytes sealed, MutableBytes plain) const override {
    gcm_context_data context;
    std::array<std::uint8_t, SegmentCipher::kTagSize> tag;
    std::uint8_t nothing = 0;
    std::array<std::uint8_t, SegmentCipher::kTagSize> wanted;
    std::copy(sealed.end() - SegmentCipher::kTagSize, sealed.end(), wanted.begin());
    IMB_AES256_GCM_DEC(shared_manager().handle.get(), key_, &context,
                       plain.empty() ? &nothing : plain.data(), sealed.data(), plain.size(),
                       nonce.data(), nonce.data(), 0, tag.data(), SegmentCipher::kTagSize);
    wipe_object(context);
    const bool holds = equal_constant_time(tag, wanted);
    // The right tag of a forged chunk would be the forger's next attempt.
    wipe(tag);
    return holds;
  }

 private:
  // The context holds the last block of key stream.
  static void wipe_object(gcm_context_data& context) {
    wipe({reinterpret_cast<std::uint8_t*>(&context), sizeof context});
  }

  SecretBytes memory_;
  gcm_key_data* key_ = nullptr;  // inside memory_
};

class MultiBufferHash final : public HashMany {
 public:
  MultiBufferHash() : manager_(make_manager()) {
    require(manager_.handle != nullptr, "libipsec-mb stopped being usable");
  }

  void hash(std::span<const Bytes> messages, std::span<Digest> digests) override {
    while (!messages.empty()) {
      const std::size_t count = std::min(messages.size(), kRound);
      hash_round(messages.first(count), digests.first(count));
      messages = messages.subspan(count);
      digests = digests.subspan(count);
    }
  }

 private:
  // Rounds bound the record of what is finished, so that no call allocates.
  static constexpr std::size_t kRound = 1024;
  // From 65,535 bytes on the library returns wrong digests and no error.
  static constexpr std::size_t kLongestJob = 65534;

  void hash_round(std::span<const Bytes> messages, std::span<Digest> digests) {
    std::bitset<kRound> finished;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (messages[i].empty() || messages[i].size() > kLongestJob) continue;
      note(submit(messages[i], digests[i]), digests, finished);
    }
    while (IMB_JOB* job = IMB_FLUSH_JOB(manager_.handle.get())) note(job, digests, finished);
    // Too long, empty, or a job whose status is not "completed".
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (!finished.test(i)) digests[i] = sha256(messages[i]);
    }
  }

  IMB_JOB* submit(Bytes message, Digest& digest) const {
    IMB_JOB* job = IMB_GET_NEXT_JOB(manager_.handle.get());
    std::memset(job, 0, sizeof *job);
    job->cipher_mode = IMB_CIPHER_NULL;
    job->cipher_direction = IMB_DIR_ENCRYPT;
    job->chain_order = IMB_ORDER_HASH_CIPHER;
    job->hash_alg = IMB_AUTH_SHA_256;
    job->src = message.data();
    job->msg_len_to_hash_in_bytes = message.size();
    job->auth_tag_output = digest.bytes.data();
    job->auth_tag_output_len_in_bytes = Digest::kSize;
    job->user_data = &digest;
    return IMB_SUBMIT_JOB(manager_.handle.get());
  }

  // A manager returns at most one finished job a submission, not always the one submitted.
  void note(const IMB_JOB* job, std::span<Digest> digests, std::bitset<kRound>& finished) const {
    while (job != nullptr) {
      if (job->status == IMB_STATUS_COMPLETED) {
        finished.set(
            static_cast<std::size_t>(static_cast<Digest*>(job->user_data) - digests.data()));
      }
      job = IMB_GET_COMPLETED_JOB(manager_.handle.get());
    }
  }

  Manager manager_;
};

}  // namespace

bool ipsec_mb_is_usable() {
  return shared_manager().handle != nullptr;
}

const char* ipsec_mb_architecture() {
  switch (shared_manager().architecture) {
    case IMB_ARCH_SSE:
      return "libipsec-mb sse";
    case IMB_ARCH_AVX:
      return "libipsec-mb avx";
    case IMB_ARCH_AVX2:
      return "libipsec-mb avx2";
    case IMB_ARCH_AVX512:
      return "libipsec-mb avx512";
    default:
      return "";
  }
}

std::unique_ptr<ChunkAead> make_ipsec_mb_aead(Bytes key) {
  return std::make_unique<IpsecMbAead>(key);
}

std::unique_ptr<HashMany> make_ipsec_mb_hash() {
  return std::make_unique<MultiBufferHash>();
}

}  // namespace sealpack::crypto::internal
