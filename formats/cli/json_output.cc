// SPDX-License-Identifier: Apache-2.0
#include "formats/cli/json_output.h"

#include <ostream>

namespace sealpack::cli {

namespace {

constexpr int kIndent = 2;

std::string text_of(const Json& value) {
  return value.dump(kIndent, ' ', true, Json::error_handler_t::replace);
}

// As deep as it stands; texts have no line breaks of their own.
std::string indented(const std::string& text, std::size_t depth) {
  const std::string start(depth * kIndent, ' ');
  std::string out = start;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += start;
  }
  return out;
}

}  // namespace

void print_json(Terminal& terminal, const Json& value) {
  terminal.out() << text_of(value) << '\n' << std::flush;
}

Status print_json_list(Terminal& terminal, const std::function<Status(const JsonSink&)>& give) {
  std::ostream& out = terminal.out();
  bool empty = true;
  out << '[';
  TRY(give([&](const Json& element) {
    out << (empty ? "\n" : ",\n") << indented(text_of(element), 1);
    empty = false;
  }));
  out << (empty ? "]\n" : "\n]\n") << std::flush;
  return done();
}

void print_json(Terminal& terminal, const Json& object, const std::string& key, std::size_t count,
                const std::function<Json(std::size_t)>& element) {
  std::ostream& out = terminal.out();
  std::string start = text_of(object);
  start.resize(start.size() - 2);  // "\n}"
  out << start << ",\n" << indented(text_of(Json(key)), 1) << ": [";
  for (std::size_t i = 0; i < count && out; ++i) {
    out << (i == 0 ? "\n" : ",\n") << indented(text_of(element(i)), 2);
  }
  out << (count == 0 ? "]\n}\n" : "\n  ]\n}\n") << std::flush;
}

Json reasons_json(const std::vector<Reason>& reasons) {
  Json json = Json::array();
  for (const Reason& one : reasons) json.push_back({{"code", one.code}, {"text", one.text}});
  return json;
}

std::string json_digest(const Digest& digest) {
  return "sha256:" + to_hex(digest.bytes);
}

}  // namespace sealpack::cli
