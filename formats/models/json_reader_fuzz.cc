// SPDX-License-Identifier: Apache-2.0
// Whatever the reader accepts has one canonical form, which it accepts again and which stays.
#include <cstdlib>

#include "formats/models/json_reader.h"

namespace {

using namespace sealpack;
using models::JsonReader;

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte < 0x20 || c == '"' || c == '\\') {
      out += "\\u00" + to_hex(Bytes(&byte, 1));
    } else {
      out += c;
    }
  }
  return out + '"';
}

Status rewrite(JsonReader& in, std::string& out);

Status rewrite_object(JsonReader& in, std::string& out) {
  TRY(in.begin_object("an object"));
  out += '{';
  const char* separator = "";
  while (const auto key = TRY(in.next_key())) {
    if (!is_utf8(*key)) std::abort();
    out += separator + quoted(*key) + ':';
    TRY(rewrite(in, out));
    separator = ",";
  }
  out += '}';
  return done();
}

Status rewrite_array(JsonReader& in, std::string& out) {
  TRY(in.begin_array("an array"));
  out += '[';
  const char* separator = "";
  while (TRY(in.next_element())) {
    out += separator;
    TRY(rewrite(in, out));
    separator = ",";
  }
  out += ']';
  return done();
}

Status rewrite(JsonReader& in, std::string& out) {
  switch (TRY(in.peek())) {
    case JsonReader::Kind::kObject:
      return rewrite_object(in, out);
    case JsonReader::Kind::kArray:
      return rewrite_array(in, out);
    case JsonReader::Kind::kString:
      out += quoted(TRY(in.string("a string")));
      break;
    case JsonReader::Kind::kNumber:
      out += TRY(in.number("a number"));
      break;
    case JsonReader::Kind::kBool:
      out += TRY(in.boolean("a boolean")) ? "true" : "false";
      break;
    case JsonReader::Kind::kNull:
      out += "null";
      return in.null("null");
  }
  return done();
}

Result<std::string> canonical(Bytes text) {
  JsonReader in(text, "text");
  std::string out;
  TRY(rewrite(in, out));
  TRY(in.finish());
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes text(data, size);
  const auto once = canonical(text);
  JsonReader in(text, "text");
  const bool skipped = in.skip_value().ok() && in.finish().ok();
  // skip_value refuses duplicate keys, a caller that takes the members does so itself.
  if (skipped && !once.ok()) std::abort();
  if (!once.ok()) return 0;
  const auto twice = canonical(as_bytes(*once));
  if (!twice.ok() || *twice != *once) std::abort();
  JsonReader number(text, "text");
  const auto integer = number.integer("a number");
  if (integer.ok() && number.finish().ok() && std::to_string(*integer) != *once) std::abort();
  return 0;
}
