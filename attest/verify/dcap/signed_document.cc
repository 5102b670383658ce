// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/signed_document.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace sealpack::attest::dcap {
namespace {

constexpr std::size_t kSignatureSize = 64;
constexpr std::size_t kMaxAdvisories = 256;
constexpr std::size_t kMaxAdvisorySize = 64;

// Digits of `text` as a number; nullopt for anything else.
std::optional<unsigned> digits(std::string_view text) {
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

}  // namespace

Result<SignedDocument> split_document(Bytes json, std::string_view name) {
  if (json.size() > kMaxDocumentSize) {
    return Error(ErrorCode::kLimit, std::string(name) + ": " + format_size(json.size()) +
                                        ", at most " + format_size(kMaxDocumentSize) + " are read");
  }
  models::JsonReader in(json, name);
  SignedDocument document;
  TRY(read_object(in, "document", [&](std::string_view key) -> Result<bool> {
    if (key == name) {
      if (TRY(in.peek()) != models::JsonReader::Kind::kObject) {
        return in.malformed("the signed value is not an object");
      }
      const std::size_t start = in.position();
      TRY(in.skip_value());
      document.inner = json.subspan(start, in.position() - start);
      return true;
    }
    if (key != "signature") {
      return in.malformed("a member " + printable(key) + " beside what is signed");
    }
    document.signature.resize(kSignatureSize);
    TRY(read_hex(in, "signature", document.signature));
    return true;
  }));
  TRY(in.finish());
  if (document.inner.empty() || document.signature.empty()) {
    return in.malformed("lacks what is signed or its signature");
  }
  return document;
}

Status read_hex(models::JsonReader& in, std::string_view field, MutableBytes out) {
  const auto bytes = from_hex(TRY(in.string(field)));
  if (!bytes.ok() || bytes->size() != out.size()) {
    return in.malformed(std::string(field) + " is not base 16 of " + std::to_string(out.size()) +
                        " bytes");
  }
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return done();
}

Result<std::uint32_t> read_number(models::JsonReader& in, std::string_view field,
                                  std::uint32_t largest) {
  const std::uint64_t value = TRY(in.integer(field));
  if (value > largest) {
    return in.malformed(std::string(field) + " is " + std::to_string(value) + ", at most " +
                        std::to_string(largest) + " can be");
  }
  return static_cast<std::uint32_t>(value);
}

std::optional<std::uint64_t> parse_time(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00Z";
  if (text.size() != kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] != '0' && text[i] != kForm[i]) return std::nullopt;
  }
  const auto year = digits(text.substr(0, 4));
  const auto month = digits(text.substr(5, 2));
  const auto day = digits(text.substr(8, 2));
  const auto hour = digits(text.substr(11, 2));
  const auto minute = digits(text.substr(14, 2));
  const auto second = digits(text.substr(17, 2));
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(*month), std::chrono::day(*day)};
  if (!date.ok() || *year < 1970 || *hour > 23 || *minute > 59 || *second > 59) {
    return std::nullopt;
  }
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return static_cast<std::uint64_t>(days) * 86400 + *hour * 3600U + *minute * 60U + *second;
}

Result<std::uint64_t> read_time(models::JsonReader& in, std::string_view field) {
  const std::string text = TRY(in.string(field));
  const auto time = parse_time(text);
  if (!time) return in.malformed(std::string(field) + " is not a time: " + printable(text));
  return *time;
}

Result<std::vector<std::string>> read_advisories(models::JsonReader& in) {
  std::vector<std::string> out;
  TRY(in.begin_array("advisoryIDs"));
  while (TRY(in.next_element())) {
    std::string id = TRY(in.string("advisory"));
    if (id.empty() || id.size() > kMaxAdvisorySize || out.size() == kMaxAdvisories) {
      return in.malformed("more or longer advisories than 256 of 64 bytes, or an empty one");
    }
    out.push_back(std::move(id));
  }
  return out;
}

Result<bool> HeaderReader::member(models::JsonReader& in, std::string_view key) {
  if (key == "version") {
    version_ = TRY(in.integer(key));
  } else if (key == "issueDate") {
    issue_date_ = TRY(read_time(in, key));
  } else if (key == "nextUpdate") {
    next_update_ = TRY(read_time(in, key));
  } else if (key == "tcbEvaluationDataNumber") {
    evaluation_ = TRY(read_number(in, key, 0xffffffff));
  } else {
    return false;
  }
  return true;
}

Result<DocumentHeader> HeaderReader::finish(const models::JsonReader& in,
                                            std::uint64_t version) const {
  if (!version_ || !issue_date_ || !next_update_ || !evaluation_) {
    return in.malformed("lacks version, issueDate, nextUpdate or tcbEvaluationDataNumber");
  }
  if (*version_ != version) {
    return in.malformed("has version " + std::to_string(*version_) + ", known is " +
                        std::to_string(version));
  }
  return DocumentHeader{*version_, *issue_date_, *next_update_, *evaluation_};
}

namespace internal {

Status check_new_key(const models::JsonReader& in, const std::string& key,
                     std::vector<std::string>& keys) {
  if (keys.size() == kMaxMembers) return in.malformed("an object of more than 64 members");
  if (std::find(keys.begin(), keys.end(), key) != keys.end()) {
    return in.malformed("duplicate key " + printable(key));
  }
  keys.push_back(key);
  return done();
}

}  // namespace internal
}  // namespace sealpack::attest::dcap
