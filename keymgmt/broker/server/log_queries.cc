// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/server/log_queries.h"

#include <mutex>
#include <nlohmann/json.hpp>

#include "keymgmt/broker/log.h"

namespace sealpack::broker {
namespace {

using Json = nlohmann::ordered_json;
using Instant = std::chrono::steady_clock::time_point;

// One signature serves all who ask within a moment.
class CheckpointMaker {
 public:
  CheckpointMaker(std::shared_ptr<Store> store, std::shared_ptr<const crypto::Signer> signer,
                  std::chrono::seconds fresh)
      : store_(std::move(store)), signer_(std::move(signer)), fresh_(fresh) {}

  Result<std::string> get() {
    const std::lock_guard lock(mutex_);
    const Instant now = Instant::clock::now();
    if (!text_.empty() && now - made_ < fresh_) return text_;
    text_ = TRY(make_checkpoint(*store_, *signer_)).text;
    made_ = now;
    return text_;
  }

 private:
  std::shared_ptr<Store> store_;
  std::shared_ptr<const crypto::Signer> signer_;
  std::chrono::seconds fresh_;
  std::mutex mutex_;
  std::string text_;
  Instant made_;
};

Json hex_list(const std::vector<Digest>& digests) {
  Json list = Json::array();
  for (const Digest& digest : digests) list.push_back(to_hex(digest.bytes));
  return list;
}

Result<std::string> entries(Store& store, std::uint64_t start, std::uint64_t end) {
  if (start >= end) return Error(ErrorCode::kUsage, "start is below end, which is not included");
  const std::uint64_t count = std::min(end - start, kMaxEntriesInAnswer);
  Json list = Json::array();
  std::size_t size = 0;
  for (const ByteVector& entry : TRY(store.log_entries(start, count))) {
    size += entry.size();
    if (size > kMaxEntryBytesInAnswer && !list.empty()) break;
    list.push_back(to_hex(entry));
  }
  return Json{{"start", start}, {"entries", list}}.dump() + "\n";
}

}  // namespace

LogQueries log_queries(std::shared_ptr<Store> store, std::shared_ptr<const crypto::Signer> signer,
                       std::chrono::seconds fresh) {
  auto maker = std::make_shared<CheckpointMaker>(store, std::move(signer), fresh);
  LogQueries queries;
  queries.checkpoint = [maker] { return maker->get(); };
  queries.entries = [store](std::uint64_t start, std::uint64_t end) {
    return entries(*store, start, end);
  };
  queries.inclusion = [store](std::uint64_t index, std::uint64_t size) -> Result<std::string> {
    const std::vector<Digest> proof = TRY(inclusion_proof(*store, index, size));
    return Json{{"index", index}, {"size", size}, {"proof", hex_list(proof)}}.dump() + "\n";
  };
  queries.consistency = [store](std::uint64_t first, std::uint64_t second) -> Result<std::string> {
    const std::vector<Digest> proof = TRY(consistency_proof(*store, first, second));
    return Json{{"first", first}, {"second", second}, {"proof", hex_list(proof)}}.dump() + "\n";
  };
  return queries;
}

Result<std::string> keys_json(const State& state, std::uint64_t now, bool lab) {
  Json out = {{"protocol", kProtocolVersion}, {"epoch", state.epoch}, {"lab", lab}};
  out["log"] = log_origin(state);
  Json keys = Json::array();
  for (const BrokerKey& key : state.keys) {
    const bool in_use = key.not_before <= now && (key.not_after == 0 || now < key.not_after);
    Json entry = {{"use", to_string(key.use)},
                  {"digest", to_hex(key.digest().bytes)},
                  {"spki", to_hex(key.spki)},
                  {"not_before", key.not_before},
                  {"in_use", in_use}};
    if (key.not_after != 0) entry["not_after"] = key.not_after;
    if (key.use == KeyUse::kLog) {
      const auto verifying = TRY(crypto::VerifyingKey::from_spki(key.spki));
      entry["verifier_key"] = TRY(verifier_key(log_origin(state), verifying));
    }
    keys.push_back(std::move(entry));
  }
  out["keys"] = std::move(keys);
  return out.dump() + "\n";
}

}  // namespace sealpack::broker
