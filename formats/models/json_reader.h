// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "formats/base/bytes.h"

namespace sealpack::models {

// Pull reader for untrusted JSON (RFC 8259): the caller asks for what it expects next and no tree
// is built. Stricter than the RFC: no byte order mark, well-formed UTF-8 only, no unpaired
// surrogate in an escape, at most kMaxDepth containers inside each other (kLimit). Keys are handed
// out as they come: a caller that stores them refuses duplicates. All other failures are kMalformed
// and name the byte. After a failure the reader is not used again.
class JsonReader {
 public:
  static constexpr unsigned kMaxDepth = 16;
  static constexpr std::size_t kMaxSkippedKeys = std::size_t{1} << 16U;
  static constexpr std::string_view kSpace = " \t\r\n";
  enum class Kind { kObject, kArray, kString, kNumber, kBool, kNull };

  // `what` names the text in messages ("safetensors header") and must outlive the reader, as must
  // `text`.
  JsonReader(Bytes text, std::string_view what) : text_(as_text(text)), what_(what) {}

  // Kind of the value that comes next, by its first byte, at which position() then stands.
  Result<Kind> peek();

  // begin_object, then for every key that next_key returns one value; nullopt ends the object.
  Status begin_object(std::string_view field);
  Result<std::optional<std::string>> next_key();

  // begin_array, then one value each time next_element returns true; false ends the array.
  Status begin_array(std::string_view field);
  Result<bool> next_element();

  Result<std::string> string(std::string_view field);
  // The digits of a number as they stand; a view into the text.
  Result<std::string_view> number(std::string_view field);
  // A number written as digits only ("12", not "12.0", "1e1" or "-1") of at most 64 bits.
  Result<std::uint64_t> integer(std::string_view field);
  Result<bool> boolean(std::string_view field);
  Status null(std::string_view field);

  std::size_t position() const { return position_; }

  // Checks and passes over one value of any kind; refuses duplicate keys at every level. kLimit for
  // an object of more than 2^16 keys.
  Status skip_value();

  // Ends the text: only characters of `permitted` may be left.
  Status finish(std::string_view permitted = kSpace);

  // "<what>, byte <position>: <why>", kMalformed.
  Error malformed(const std::string& why) const;

 private:
  void skip_space();
  bool take(char c);
  bool take_digits();
  Status begin(char c, std::string_view field);
  void end();
  Status literal(std::string_view word, std::string_view field);
  Status escape(std::string& out);
  Result<std::uint32_t> hex4();
  Error beyond_limit(const std::string& why) const;
  Error expected(const std::string& what) const;
  Status skip_object();

  std::string_view text_;
  std::string_view what_;
  std::size_t position_ = 0;
  unsigned depth_ = 0;
  bool fresh_ = false;  // the container was just opened: no comma before its first member
};

}  // namespace sealpack::models
