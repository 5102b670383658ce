// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/provision/floor_store.h"

#include <algorithm>

#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"
#include "formats/files/file_source.h"
#include "formats/files/output_file.h"
#include "keymgmt/crypto/kdf.h"

namespace sealpack::provision {
namespace {

std::filesystem::path next_of(std::filesystem::path path) {
  path += ".next";
  return path;
}

Status write_file(const std::filesystem::path& path, const FloorFile& content) {
  OutputFile file = TRY(OutputFile::create(path, Overwrite::kReplace, 0600));
  TRY(file.write_at(0, serialize_floor_file(content)));
  return file.commit();
}

Result<std::optional<FloorFile>> read_file(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) return std::optional<FloorFile>();
  const auto file = TRY(FileSource::open(path));
  if (file->size() > kMaxMessageSize) {
    return Error(ErrorCode::kLimit, printable(path.string()) + " is too large to hold floors");
  }
  ByteVector bytes(static_cast<std::size_t>(file->size()));
  TRY(file->read_at(0, bytes));
  return std::optional<FloorFile>(TRY(parse_floor_file(bytes).within(printable(path.string()))));
}

// Of this device and this enrolment: what was written or signed for an earlier one is past.
Status check_table(const FloorTable& table, const tpm::KeyBlob& key) {
  if (table.device != key.device || table.index != key.binding->floor_index) {
    return Error(ErrorCode::kRefused, "the floors are those of another device");
  }
  if (table.epoch != key.binding->epoch) {
    return Error(ErrorCode::kRefused, "the floors are from before the device was enrolled again");
  }
  return done();
}

// The vendor signs for a value that an attestation key proved. Were that key not the TPM's, the
// value would be one that somebody chose, to come in useful some day.
Status check_signed(tpm::Tpm& tpm, const FloorTable& table) {
  if (table.attestation == tpm::name_of(TRY(tpm.attestation_key()))) return done();
  return Error(ErrorCode::kRefused, "the floors were signed for another TPM's attestation key");
}

Result<FloorTable> verify_file(const FloorFile& file, tpm::Tpm& tpm, const tpm::KeyBlob& key,
                               const crypto::SecretBytes& floor_key) {
  if (file.statement) {
    FloorTable table =
        TRY(parse_floors(TRY(verify_statement(kFloorType, *file.statement, TRY(grantor_of(key))))));
    TRY(check_signed(tpm, table));
    return table;
  }
  const Digest mac = crypto::hmac_sha256(floor_key.reveal(), file.payload);
  if (!crypto::equal_constant_time(mac.bytes, file.mac.bytes)) {
    return Error(ErrorCode::kNotAuthentic, "the floors were not written by this device");
  }
  return parse_floors(file.payload);
}

Result<std::uint64_t> counter_of(tpm::Tpm& tpm, const tpm::KeyBlob& key) {
  const auto value = TRY(tpm.read_counter(key.binding->floor_index));
  if (value) return *value;
  return Error(ErrorCode::kRefused, "the TPM has lost the counter of its floors");
}

bool is_below(const FloorTable::Entry& entry, const Scope& scope) {
  return std::tie(entry.scope.authority, entry.scope.product) <
         std::tie(scope.authority, scope.product);
}

}  // namespace

ByteVector serialize_floor_file(const FloorFile& file) {
  bundle::MessageWriter out;
  out.u64(1, 1);
  if (file.statement) return out.bytes(2, serialize_signed(*file.statement)).take();
  return out.bytes(3, file.payload).digest(4, file.mac).take();
}

Result<FloorFile> parse_floor_file(Bytes bytes) {
  bundle::MessageReader in(bytes, "floor file");
  const std::uint32_t version = TRY(in.u32(1, "version"));
  if (version != 1) {
    return Error(ErrorCode::kUnsupported, "floor file of version " + std::to_string(version));
  }
  FloorFile out;
  if (TRY(in.at(2))) {
    out.statement = TRY(parse_signed(TRY(in.element(2, "statement"))));
  } else {
    out.payload = to_vector(TRY(in.bytes(3, "floors", kMaxMessageSize)));
    out.mac = TRY(in.digest(4, "mac"));
  }
  TRY(in.finish());
  return out;
}

FloorStore::FloorStore(std::shared_ptr<tpm::Tpm> tpm, crypto::SecretBytes key,
                       std::filesystem::path path, FloorTable table,
                       std::optional<FloorFile> unsettled)
    : tpm_(std::move(tpm)),
      floor_key_(std::move(key)),
      path_(std::move(path)),
      table_(std::move(table)),
      unsettled_(std::move(unsettled)) {}

Result<std::unique_ptr<FloorStore>> FloorStore::open(std::shared_ptr<tpm::Tpm> tpm,
                                                     const tpm::KeyBlob& key,
                                                     const crypto::SecretBytes& floor_key,
                                                     std::filesystem::path path) {
  TRY(grantor_of(key));
  const std::uint64_t value = TRY(counter_of(*tpm, key));
  std::string found;
  for (const std::filesystem::path& candidate : {path, next_of(path)}) {
    auto file = TRY(read_file(candidate));
    if (!file) continue;
    const auto table = verify_file(*file, *tpm, key, floor_key);
    const Status fits = table.ok() ? check_table(*table, key) : Status(table.error());
    if (!fits.ok()) {
      found += "; " + fits.error().message();
    } else if (table->value != value) {
      found += "; a file is of " + std::to_string(table->value);
    } else {
      if (candidate == path) file.reset();
      return std::unique_ptr<FloorStore>(
          new FloorStore(std::move(tpm), crypto::SecretBytes::copy_of(floor_key.reveal()),
                         std::move(path), *table, std::move(file)));
    }
  }
  return Error(ErrorCode::kRefused, "no floors for the TPM's counter, which is at " +
                                        std::to_string(value) +
                                        (found.empty() ? "; there is no file" : found))
      .with_hint(
          "the file was turned back, removed or copied: have the vendor sign new floors "
          "(`sealpack provision floors`)");
}

Result<loader::Floor> FloorStore::floor(const Digest& authority, const std::string& product) {
  for (const FloorTable::Entry& entry : table_.entries) {
    if (entry.scope == Scope{authority, product}) return entry.floor;
  }
  return loader::Floor{};
}

Status FloorStore::raise(const Digest& authority, const std::string& product,
                         const loader::Floor& floor) {
  const Scope scope{authority, product};
  FloorTable next = table_;
  auto place = std::find_if(next.entries.begin(), next.entries.end(),
                            [&](const auto& entry) { return !is_below(entry, scope); });
  if (place == next.entries.end() || place->scope != scope) {
    if (next.entries.size() == kMaxFloors) {
      return Error(ErrorCode::kLimit, "floors of " + std::to_string(kMaxFloors) +
                                          " products are kept, and one more is needed");
    }
    place = next.entries.insert(place, {scope, {}});
  }
  if (place->floor.counter > floor.counter) {
    return Error(ErrorCode::kRefused,
                 "floors do not sink: " + std::to_string(place->floor.counter) + " to " +
                     std::to_string(floor.counter));
  }
  if (place->floor == floor || (place->floor.counter == floor.counter && place->floor.release)) {
    return done();  // never another release in place of one
  }
  place->floor = floor;
  // A rise that was cut off leaves a file for the counter's next value, which could later be put in
  // the place of what that value came to mean. So the counter first goes on with the floors as they
  // are: for the value after that nobody has a file.
  FloorTable same = table_;
  ++same.value;
  TRY(store(same));
  table_ = std::move(same);
  next.value = table_.value + 1;
  TRY(store(next));
  table_ = std::move(next);
  return done();
}

// Whenever the power fails, one of the two files fits the counter.
Status FloorStore::store(const FloorTable& table) {
  const Error moved(ErrorCode::kTryAgain, "somebody else increments the counter of floors");
  // It may have gone on in a rise whose end is not known. Another step would leave it where no file
  // fits; who opens the floors anew finds the one that does.
  if (TRY(tpm_->read_counter(table.index)) != table_.value) return moved;
  if (unsettled_) {
    TRY(write_file(path_, *unsettled_));  // before its other name is taken
    unsettled_.reset();
  }
  FloorFile file;
  file.payload = serialize_floors(table);
  file.mac = crypto::hmac_sha256(floor_key_.reveal(), file.payload);
  TRY(write_file(next_of(path_), file));
  TRY(tpm_->increment_counter(table.index));
  if (TRY(tpm_->read_counter(table.index)) != table.value) return moved;
  TRY(write_file(path_, file));
  std::error_code ignored;
  std::filesystem::remove(next_of(path_), ignored);
  return done();
}

Status install_floors(tpm::Tpm& tpm, const tpm::KeyBlob& key, const SignedStatement& statement,
                      const std::filesystem::path& path) {
  const FloorTable table =
      TRY(parse_floors(TRY(verify_statement(kFloorType, statement, TRY(grantor_of(key))))));
  TRY(check_table(table, key));
  TRY(check_signed(tpm, table));
  const std::uint64_t value = TRY(counter_of(tpm, key));
  if (value != table.value && value + 1 != table.value) {
    return Error(ErrorCode::kRefused, "the floors are for counter " + std::to_string(table.value) +
                                          ", the TPM's is at " + std::to_string(value))
        .with_hint("each statement serves once: ask for a new one with a new request");
  }
  FloorFile file;
  file.statement = statement;
  TRY(write_file(next_of(path), file));
  if (value != table.value) TRY(tpm.increment_counter(table.index));
  TRY(write_file(path, file));
  std::error_code ignored;
  std::filesystem::remove(next_of(path), ignored);
  return done();
}

}  // namespace sealpack::provision
