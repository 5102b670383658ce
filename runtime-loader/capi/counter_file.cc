// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/capi/counter_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "formats/bundle/limits.h"
#include "formats/files/file_source.h"
#include "formats/files/output_file.h"

namespace sealpack::capi {
namespace {

constexpr std::string_view kHeading = "sealpack-counters 1\n";

Error malformed(std::size_t line, const std::string& why) {
  return {ErrorCode::kMalformed, "counter file, line " + std::to_string(line) + ": " + why};
}

// Lower-case hex alone: one text per content.
Result<ByteVector> parse_hex(std::string_view text) {
  ByteVector bytes = TRY(from_hex(text));
  if (to_hex(bytes) != text) return Error(ErrorCode::kMalformed, "hex in upper case");
  return bytes;
}

Result<Digest> parse_digest(std::string_view text) {
  const ByteVector bytes = TRY(parse_hex(text));
  if (bytes.size() != Digest::kSize) return Error(ErrorCode::kMalformed, "a digest has 32 bytes");
  Digest digest;
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

Result<std::uint64_t> parse_counter(std::string_view text) {
  std::uint64_t counter = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), counter);
  if (failure != std::errc() || end != text.data() + text.size() ||
      std::to_string(counter) != text || counter == 0) {
    return Error(ErrorCode::kMalformed, "a counter is a number of at least 1");
  }
  return counter;
}

// The four words of a line.
Result<std::array<std::string_view, 4>> split(std::string_view line) {
  std::array<std::string_view, 4> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t end = i + 1 < words.size() ? line.find(' ') : line.size();
    if (end == std::string_view::npos) return Error(ErrorCode::kMalformed, "fewer than 4 words");
    words[i] = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

Result<Floors::value_type> parse_line(std::string_view line) {
  const auto words = TRY(split(line));
  const Digest authority = TRY(parse_digest(words[0]));
  const ByteVector product = TRY(parse_hex(words[1]));
  if (product.empty() || product.size() > bundle::kMaxTextSize) {
    return Error(ErrorCode::kMalformed, "a product has 1 to 4096 bytes");
  }
  loader::Floor floor;
  floor.counter = TRY(parse_counter(words[2]));
  if (words[3] != "-") floor.release = TRY(parse_digest(words[3]));
  return Floors::value_type({authority, std::string(as_text(product))}, floor);
}

// Held while a file is read and replaced, so that no process undoes what another wrote.
Result<FileDescriptor> lock(const std::filesystem::path& path) {
  const std::filesystem::path name = path.string() + ".lock";
  FileDescriptor file(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return io_error("cannot open " + printable(name.string()), errno);
  while (::flock(file.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return io_error("cannot lock " + printable(name.string()), errno);
  }
  return file;
}

}  // namespace

Result<Floors> parse_floors(std::string_view text) {
  if (!text.starts_with(kHeading)) return malformed(1, "not 'sealpack-counters 1'");
  text.remove_prefix(kHeading.size());
  Floors floors;
  for (std::size_t line = 2; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return malformed(line, "it does not end");
    auto parsed = parse_line(text.substr(0, end));
    if (!parsed.ok()) return malformed(line, parsed.error().message());
    if (!floors.empty() && parsed->first <= floors.rbegin()->first) {
      return malformed(line, "lines are not in order");
    }
    if (floors.size() == kMaxFloors) {
      return Error(ErrorCode::kLimit, "a counter file has at most 4096 floors");
    }
    floors.insert(std::move(parsed).value());
    text.remove_prefix(end + 1);
  }
  return floors;
}

std::string serialize_floors(const Floors& floors) {
  std::string text(kHeading);
  for (const auto& [key, floor] : floors) {
    text += to_hex(key.first.bytes) + ' ' + to_hex(as_bytes(key.second)) + ' ' +
            std::to_string(floor.counter) + ' ' +
            (floor.release ? to_hex(floor.release->bytes) : "-") + '\n';
  }
  return text;
}

Result<Floors> CounterFile::load() const {
  std::error_code failure;
  if (!std::filesystem::exists(path_, failure) && !failure) return Floors();
  const ByteVector bytes = TRY(load_file(path_, kMaxCounterFileSize));
  return parse_floors(as_text(bytes)).within(printable(path_.string()));
}

Result<loader::Floor> CounterFile::floor(const Digest& authority, const std::string& product) {
  const Floors floors = TRY(load());
  const auto found = floors.find({authority, product});
  return found == floors.end() ? loader::Floor{} : found->second;
}

Status CounterFile::raise(const Digest& authority, const std::string& product,
                          const loader::Floor& floor) {
  const FileDescriptor held = TRY(lock(path_));
  Floors floors = TRY(load());
  loader::Floor& kept = floors[{authority, product}];
  if (floor.counter < kept.counter || (floor.counter == kept.counter && kept.release)) {
    return done();  // never lower, and never another release in place of one
  }
  kept = floor;
  if (floors.size() > kMaxFloors) {
    return Error(ErrorCode::kLimit, "a counter file has at most 4096 floors");
  }
  OutputFile file = TRY(OutputFile::create(path_, Overwrite::kReplace, 0600));
  TRY(file.write_at(0, as_bytes(serialize_floors(floors))));
  return file.commit();
}

}  // namespace sealpack::capi
