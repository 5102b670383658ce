// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/event_log.h"

#include <algorithm>

#include "attest/verify/tpm/tpm_algorithms.h"
#include "formats/base/byte_reader.h"

namespace sealpack::attest {
namespace {

constexpr std::string_view kSpecSignature("Spec ID Event03\0", 16);
constexpr std::string_view kLocalitySignature("StartupLocality\0", 16);
constexpr std::uint32_t kMaxAlgorithms = 16;
constexpr std::uint16_t kMaxDigest = 64;
constexpr std::size_t kSha1Size = 20;
constexpr std::uint32_t kCcelRegisters = 5;

// EV_… of the TCG PC Client Platform Firmware Profile 1.06, 10.4.1.
constexpr std::uint32_t kTypes[] = {
    0x00000000, 0x00000001, kEvNoAction, kEvSeparator, 0x00000005, 0x00000006, 0x00000007,
    0x00000008, 0x00000009, 0x0000000a,  0x0000000b,   0x0000000c, 0x0000000d, 0x0000000e,
    0x0000000f, 0x00000010, 0x00000011,  0x00000012,   0x00000013, 0x80000001, 0x80000002,
    0x80000003, 0x80000004, 0x80000005,  0x80000006,   0x80000007, 0x80000008, 0x80000009,
    0x8000000a, 0x8000000b, 0x8000000c,  0x8000000d,   0x80000010, 0x800000e0, 0x800000e1,
    0x800000e2, 0x800000e3, 0x800000e4};

struct Algorithm {
  std::uint16_t id = 0;
  std::uint16_t size = 0;
};

class LogParser {
 public:
  LogParser(Bytes bytes, EventLogKind kind) : bytes_(bytes), in_(bytes, "event log") {
    log_.kind = kind;
  }

  Result<EventLog> parse() {
    TRY(parse_first());
    while (!TRY(at_end())) TRY(parse_event());
    return std::move(log_);
  }

 private:
  // TCG_PCR_EVENT around TCG_EfiSpecIdEvent.
  Status parse_first() {
    const std::uint32_t index = TRY(in_.u32("index of the first event"));
    const std::uint32_t type = TRY(in_.u32("type of the first event"));
    const Bytes digest = TRY(in_.bytes(kSha1Size, "digest of the first event"));
    const std::uint32_t size = TRY(in_.u32("size of the first event"));
    const Bytes data = TRY(in_.bytes(size, "first event"));
    const bool zero = std::all_of(digest.begin(), digest.end(), [](auto b) { return b == 0; });
    const std::uint32_t last = log_.kind == EventLogKind::kCcel ? 1 : 0;
    if (type != kEvNoAction || index > last || !zero) {
      return Error(ErrorCode::kUnsupported, "event log that does not begin by describing itself");
    }
    return parse_spec(data);
  }

  Status parse_spec(Bytes data) {
    ByteReader in(data, "TCG_EfiSpecIdEvent");
    if (as_text(TRY(in.bytes(kSpecSignature.size(), "signature"))) != kSpecSignature) {
      return Error(ErrorCode::kUnsupported, "event log of another format than that of TPM 2.0");
    }
    TRY(in.u32("platformClass"));
    TRY(in.u8("specVersionMinor"));
    const std::uint8_t major = TRY(in.u8("specVersionMajor"));
    if (major != 2) {
      return Error(ErrorCode::kUnsupported, "event log of version " + std::to_string(major));
    }
    TRY(in.u8("specErrata"));
    TRY(in.u8("uintnSize"));
    const std::uint32_t count = TRY(in.u32("numberOfAlgorithms"));
    if (count == 0 || count > kMaxAlgorithms) {
      return in.malformed(std::to_string(count) + " algorithms, 1 to 16 are possible");
    }
    for (std::uint32_t i = 0; i < count; ++i) TRY(parse_algorithm(in));
    const std::uint8_t vendor = TRY(in.u8("vendorInfoSize"));
    TRY(in.skip(vendor, "vendorInfo"));
    return in.finish();
  }

  Status parse_algorithm(ByteReader& in) {
    Algorithm algorithm;
    algorithm.id = TRY(in.u16("algorithmId"));
    algorithm.size = TRY(in.u16("digestSize"));
    const auto hash = tpm_hash(algorithm.id);
    const bool fits = hash ? algorithm.size == crypto::hash_size(*hash)
                           : algorithm.size > 0 && algorithm.size <= kMaxDigest;
    if (!fits) {
      return in.malformed("digests of " + std::to_string(algorithm.size) +
                          " bytes for the algorithm " + std::to_string(algorithm.id));
    }
    if (find(algorithm.id) != nullptr) return in.malformed("an algorithm twice");
    algorithms_.push_back(algorithm);
    log_.algorithms.push_back(algorithm.id);
    return done();
  }

  const Algorithm* find(std::uint16_t id) const {
    for (const Algorithm& one : algorithms_) {
      if (one.id == id) return &one;
    }
    return nullptr;
  }

  // A CCEL is the whole memory that was set aside for it.
  Result<bool> at_end() const {
    if (in_.remaining() == 0) return true;
    if (log_.kind == EventLogKind::kTpm) return false;
    const Bytes rest = bytes_.subspan(static_cast<std::size_t>(in_.position()));
    const std::size_t head = std::min<std::size_t>(rest.size(), 8);
    const auto filled = [&](std::size_t size, std::uint8_t with) {
      return std::all_of(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(size),
                         [&](auto byte) { return byte == with; });
    };
    for (const std::uint8_t padding : {std::uint8_t{0xff}, std::uint8_t{0}}) {
      if (!filled(head, padding)) continue;
      if (!filled(rest.size(), padding)) return in_.malformed("bytes behind the end of the log");
      return true;
    }
    return false;
  }

  Status parse_event() {
    LoggedEvent event;
    event.index = TRY(in_.u32("index"));
    event.type = TRY(in_.u32("type"));
    if (std::find(std::begin(kTypes), std::end(kTypes), event.type) == std::end(kTypes)) {
      return Error(ErrorCode::kUnsupported,
                   "event log: event of the unknown type " + std::to_string(event.type));
    }
    TRY(check_register(event));
    TRY(parse_digests(event));
    const std::uint32_t size = TRY(in_.u32("size of the data"));
    event.data = TRY(in_.bytes(size, "data"));
    if (event.type == kEvNoAction) TRY(note_locality(event));
    log_.events.push_back(std::move(event));
    return done();
  }

  // What extends no register is noted under any number: under handles of NV indices, say.
  Status check_register(const LoggedEvent& event) const {
    if (event.type == kEvNoAction) return done();
    const bool ccel = log_.kind == EventLogKind::kCcel;
    if (event.index >= (ccel ? kCcelRegisters : kPcrCount)) {
      return in_.malformed("event for the register " + std::to_string(event.index));
    }
    if (ccel && event.index == 0) return in_.malformed("event for MRTD, which nothing extends");
    return done();
  }

  Status parse_digests(LoggedEvent& event) {
    const std::uint32_t count = TRY(in_.u32("count of digests"));
    if (count != algorithms_.size()) {
      return in_.malformed("event with " + std::to_string(count) + " digests in a log of " +
                           std::to_string(algorithms_.size()) + " algorithms");
    }
    for (std::uint32_t i = 0; i < count; ++i) {
      EventDigest digest;
      digest.algorithm = TRY(in_.u16("algorithm of a digest"));
      const Algorithm* algorithm = find(digest.algorithm);
      if (algorithm == nullptr) {
        return in_.malformed("digest of the algorithm " + std::to_string(digest.algorithm) +
                             ", which the log does not list");
      }
      const bool twice = std::any_of(event.digests.begin(), event.digests.end(),
                                     [&](auto& one) { return one.algorithm == digest.algorithm; });
      if (twice) return in_.malformed("event with two digests of one algorithm");
      digest.digest = TRY(in_.bytes(algorithm->size, "digest"));
      event.digests.push_back(digest);
    }
    return done();
  }

  // PCR 0 starts with the locality that started the TPM (Firmware Profile 10.4.5.3).
  Status note_locality(const LoggedEvent& event) {
    const std::string_view data = as_text(event.data);
    if (data.substr(0, kLocalitySignature.size()) != kLocalitySignature) return done();
    const bool late =
        locality_known_ || std::any_of(log_.events.begin(), log_.events.end(), [](const auto& one) {
          return one.index == 0 && one.type != kEvNoAction;
        });
    const bool fits = log_.kind == EventLogKind::kTpm && event.index == 0 &&
                      event.data.size() == kLocalitySignature.size() + 1;
    const std::uint8_t locality = fits ? event.data.back() : 0xff;
    if (late || !fits || (locality != 0 && locality != 3 && locality != 4)) {
      return in_.malformed("startup locality that is none, or out of place");
    }
    locality_known_ = true;
    log_.startup_locality = locality;
    return done();
  }

  Bytes bytes_;
  ByteReader in_;
  EventLog log_;
  std::vector<Algorithm> algorithms_;
  bool locality_known_ = false;
};

}  // namespace

std::optional<Bytes> LoggedEvent::digest(crypto::HashAlgorithm hash) const {
  for (const EventDigest& one : digests) {
    if (one.algorithm == tpm_id(hash)) return one.digest;
  }
  return std::nullopt;
}

bool EventLog::extends(std::uint32_t index) const {
  return std::any_of(events.begin(), events.end(), [&](const LoggedEvent& event) {
    return event.index == index && event.type != kEvNoAction;
  });
}

Result<EventLog> parse_event_log(Bytes bytes, EventLogKind kind) {
  return LogParser(bytes, kind).parse();
}

}  // namespace sealpack::attest
