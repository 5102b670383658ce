// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/log.h"

#include <charconv>
#include <map>
#include <set>
#include <unordered_set>

#include "keymgmt/broker/merkle.h"

namespace sealpack::broker {
namespace {

constexpr std::size_t kEntriesAtOnce = 1024;
constexpr std::size_t kNonceHashSize = 16;  // enough to tell any two apart

merkle::Nodes nodes_of(Store& store) {
  return [&store](unsigned level, std::uint64_t first, std::size_t count) {
    return store.log_nodes(level, first, count);
  };
}

std::string origin_stem(const State& state) {
  return "sealpack-log/" + to_hex(Bytes(state.log_id.bytes).first(16)) + "/";
}

// The epoch that an origin of this log names.
struct NamedEpoch {
  std::uint64_t number = 0;
  std::string id;  // in hex
};
Result<NamedEpoch> epoch_of(const State& state, const std::string& origin) {
  const std::string stem = origin_stem(state);
  NamedEpoch epoch;
  if (origin.starts_with(stem)) {
    const char* first = origin.data() + stem.size();
    const char* last = origin.data() + origin.size();
    const auto [end, error] = std::from_chars(first, last, epoch.number);
    if (error == std::errc() && end != last) epoch.id.assign(end + 1, last);
    if (stem + std::to_string(epoch.number) + "/" + epoch.id == origin) return epoch;
  }
  return Error(ErrorCode::kNotAuthentic, "the checkpoint is of another log, " + printable(origin));
}

// Goes through a log from its first entry. Takes nothing from the stored nodes: whoever changed
// entries may have changed these too.
class LogReader {
 public:
  explicit LogReader(std::set<std::uint64_t> wanted) : wanted_(std::move(wanted)) { note_root(); }

  Status add(Bytes bytes) {
    const std::uint64_t index = frontier_.size();
    const std::string where = "log entry " + std::to_string(index);
    const LogEntry entry = TRY(parse_log_entry(bytes).within(where));
    TRY(check_epoch(entry).within(where));
    const bool decision = entry.kind == EntryKind::kGrant || entry.kind == EntryKind::kRefusal;
    if (decision) {
      const Bytes nonce = Bytes(entry.nonce.bytes).first(kNonceHashSize);
      if (!nonces_.emplace(as_text(nonce)).second) {
        return Error(ErrorCode::kNotAuthentic, where + " answers a challenge a second time");
      }
    }
    ++(decision ? (entry.kind == EntryKind::kGrant ? out_.grants : out_.refusals) : out_.changes);
    frontier_.append(merkle::leaf_hash(bytes));
    note_root();
    return done();
  }

  VerifiedLog finish() {
    out_.head = {frontier_.size(), frontier_.root()};
    return out_;
  }

  // Sizes at which each epoch was left, the first epoch first.
  const std::vector<std::uint64_t>& epoch_ends() const { return epoch_ends_; }
  const std::vector<EpochId>& epoch_ids() const { return epoch_ids_; }
  // The root that the log had with each of the wanted sizes that it reached.
  const std::map<std::uint64_t, Digest>& roots() const { return roots_; }

 private:
  void note_root() {
    if (wanted_.contains(frontier_.size())) roots_[frontier_.size()] = frontier_.root();
  }
  Status check_epoch(const LogEntry& entry) {
    if (entry.kind != EntryKind::kOpened) {
      if (entry.epoch == out_.epoch) return done();
      return Error(ErrorCode::kNotAuthentic, "epoch " + std::to_string(entry.epoch) + " in epoch " +
                                                 std::to_string(out_.epoch));
    }
    if (entry.epoch != out_.epoch + 1) {
      return Error(ErrorCode::kNotAuthentic, "epoch " + std::to_string(entry.epoch) +
                                                 " follows epoch " + std::to_string(out_.epoch));
    }
    if (out_.epoch != 0) epoch_ends_.push_back(frontier_.size());
    out_.epoch = entry.epoch;
    epoch_ids_.push_back(entry.epoch_id.value_or(EpochId{}));
    return done();
  }

  VerifiedLog out_;
  merkle::Frontier frontier_;
  std::vector<std::uint64_t> epoch_ends_;
  std::vector<EpochId> epoch_ids_;
  std::unordered_set<std::string> nonces_;
  std::set<std::uint64_t> wanted_;
  std::map<std::uint64_t, Digest> roots_;
};

Status check_checkpoint(const Checkpoint& checkpoint, const State& state, const VerifiedLog& log,
                        const LogReader& reader) {
  const NamedEpoch named = TRY(epoch_of(state, checkpoint.origin));
  const std::uint64_t epoch = named.number;
  const std::uint64_t size = checkpoint.head.size;
  if (epoch == 0 || epoch > log.epoch) {
    return Error(ErrorCode::kNotAuthentic, "the checkpoint is of epoch " + std::to_string(epoch) +
                                               ", the log has reached " +
                                               std::to_string(log.epoch));
  }
  const auto place = static_cast<std::size_t>(epoch) - 1;
  const bool same = named.id == to_hex(reader.epoch_ids()[place]);
  if (!same && epoch > 1) {
    return Error(ErrorCode::kNotAuthentic, "the checkpoint is of epoch " + std::to_string(epoch) +
                                               " of another restore of the same backup: two "
                                               "brokers went on from one log, or this one was "
                                               "rewritten");
  }
  const std::uint64_t end = epoch == log.epoch ? log.head.size : reader.epoch_ends()[place];
  if (size > end) {
    return Error(ErrorCode::kNotAuthentic, "the checkpoint has " + std::to_string(size) +
                                               " entries, of epoch " + std::to_string(epoch) +
                                               " the log has " + std::to_string(end) + ": " +
                                               std::to_string(size - end) + " are lost");
  }
  if (same && reader.roots().at(size) == checkpoint.head.root) return done();
  return Error(ErrorCode::kNotAuthentic, "the log is not the one of the checkpoint with " +
                                             std::to_string(size) + " entries");
}

// Whoever can write the store can list a key of his own in it: those that were kept elsewhere count
// alone.
Result<std::vector<crypto::VerifyingKey>> log_keys(const State& state,
                                                   std::span<const crypto::VerifyingKey> given) {
  if (!given.empty()) return std::vector(given.begin(), given.end());
  std::vector<crypto::VerifyingKey> keys;
  for (const BrokerKey& key : state.keys) {
    if (key.use == KeyUse::kLog) keys.push_back(TRY(crypto::VerifyingKey::from_spki(key.spki)));
  }
  return keys;
}

}  // namespace

std::string log_origin(const State& state) {
  return origin_stem(state) + std::to_string(state.epoch) + "/" + to_hex(state.epoch_id);
}

Result<Checkpoint> make_checkpoint(Store& store, const crypto::Signer& signer) {
  const auto state = TRY(store.state());
  return sign_checkpoint(log_origin(*state), TRY(store.log_head()), signer);
}

Result<std::vector<Digest>> inclusion_proof(Store& store, std::uint64_t index, std::uint64_t size) {
  TRY(check_log_size(store, size));
  return merkle::inclusion_proof(nodes_of(store), index, size);
}

Result<std::vector<Digest>> consistency_proof(Store& store, std::uint64_t old_size,
                                              std::uint64_t new_size) {
  TRY(check_log_size(store, new_size));
  return merkle::consistency_proof(nodes_of(store), old_size, new_size);
}

Status check_log_size(Store& store, std::uint64_t size) {
  const LogHead head = TRY(store.log_head());
  if (size <= head.size) return done();
  return Error(ErrorCode::kUsage, "the log has " + std::to_string(head.size) + " entries, not " +
                                      std::to_string(size));
}

Status for_each_entry(Store& store, std::uint64_t first, std::uint64_t count,
                      const std::function<Status(std::uint64_t index, Bytes entry)>& visit) {
  const std::uint64_t size = TRY(store.log_head()).size;
  const std::uint64_t end = first + std::min(count, size - std::min(first, size));
  for (std::uint64_t at = first; at < end;) {
    const std::uint64_t wanted = std::min<std::uint64_t>(kEntriesAtOnce, end - at);
    const auto entries = TRY(store.log_entries(at, static_cast<std::size_t>(wanted)));
    if (entries.empty()) {
      return Error(ErrorCode::kNotAuthentic, "the log ends at entry " + std::to_string(at) +
                                                 ", its head says " + std::to_string(size));
    }
    for (const ByteVector& entry : entries) TRY(visit(at++, entry));
  }
  return done();
}

Result<VerifiedLog> verify_log(Store& store, std::span<const std::string> checkpoints,
                               std::span<const crypto::VerifyingKey> keys) {
  const auto state = TRY(store.state());
  const LogHead stored = TRY(store.log_head());
  const auto all_keys = TRY(log_keys(*state, keys));
  std::vector<Checkpoint> kept;
  std::set<std::uint64_t> sizes;
  for (const std::string& text : checkpoints) {
    kept.push_back(TRY(verify_checkpoint(text, all_keys)));
    sizes.insert(kept.back().head.size);
  }
  LogReader reader(std::move(sizes));
  TRY(for_each_entry(store, 0, stored.size,
                     [&](std::uint64_t /*index*/, Bytes entry) { return reader.add(entry); }));
  const VerifiedLog log = reader.finish();
  if (log.head.root != stored.root) {
    return Error(ErrorCode::kNotAuthentic, "the entries of the log are not those of its head");
  }
  if (TRY(merkle::root_at(nodes_of(store), stored.size)) != stored.root) {
    return Error(ErrorCode::kNotAuthentic, "the nodes of the log are not those of its entries");
  }
  for (const Checkpoint& checkpoint : kept) {
    TRY(check_checkpoint(checkpoint, *state, log, reader));
  }
  return log;
}

}  // namespace sealpack::broker
