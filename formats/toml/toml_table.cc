// SPDX-License-Identifier: Apache-2.0
#include "formats/toml/toml_table.h"

#include <map>

// toml++ 3.3 asserts what input can break ("[[[", tests/fuzz/corpus/*/parser-assertion-*). Built
// with NDEBUG by clang such an assertion would even be assumed. Here it refuses the text, in every
// build.
namespace {
struct ParserAssertion {};
[[noreturn]] void refuse_text() {
  throw ParserAssertion();
}
}  // namespace
#undef NDEBUG
#define TOML_ASSERT(expr) ((expr) ? void() : refuse_text())
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

namespace sealpack {

namespace {

constexpr std::size_t kMaxText = 4096;

TomlPosition position_of(const toml::source_region& region) {
  return {static_cast<std::uint32_t>(region.begin.line),
          static_cast<std::uint32_t>(region.begin.column)};
}

// The parser's own words, kept to what cannot steer a terminal.
std::string plain(std::string_view text) {
  std::string out(text);
  for (char& letter : out) {
    if (letter < ' ' || letter > '~') letter = '?';
  }
  return out;
}

// toml++ 3.3 has undefined behaviour for many letters beyond ASCII where white space may stand
// (is_non_ascii_horizontal_whitespace, corpus/*/whitespace-table). It is shown each of their bytes
// as a private character, U+E080 to U+E0FF, which it handles; strings and keys are turned back.
std::string shield(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char letter : text) {
    const auto byte = static_cast<std::uint8_t>(letter);
    if (byte < 0x80) {
      out += letter;
    } else {
      out += '\xee';
      out += static_cast<char>(byte < 0xc0 ? 0x82 : 0x83);
      out += static_cast<char>(0x80 | (byte & 0x3fU));
    }
  }
  return out;
}

std::string unshield(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto second = static_cast<std::uint8_t>(i + 2 < text.size() ? text[i + 1] : 0);
    if (text[i] == '\xee' && (second == 0x82 || second == 0x83)) {
      const auto low = static_cast<std::uint8_t>(text[i + 2]) & 0x3fU;
      out += static_cast<char>((second == 0x82 ? 0x80U : 0xc0U) | low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// The private characters themselves, spelled as escapes, would be turned into bytes.
bool spells_a_shield(std::string_view text) {
  for (const char* escape : {"\\uE0", "\\ue0", "\\U0000E0", "\\U0000e0"}) {
    if (text.find(escape) != std::string_view::npos) return true;
  }
  return false;
}

// The parser bounds the nesting of values, but not the parts of a dotted key, each of which is a
// level that it and we go down recursively. Counts dots outside strings, line by line; a line
// inside a multi-line string counts too, which refuses more than it must.
bool has_deep_keys(std::string_view text) {
  constexpr int kMaxDots = 100;
  int dots = 0;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if (letter == '\n') {
      dots = 0;
      quote = 0;
    } else if (quote != 0) {
      if (letter == '\\' && quote == '"') ++i;
      if (letter == quote) quote = 0;
    } else if (letter == '"' || letter == '\'') {
      const bool triple = text.substr(i, 3) == std::string(3, letter);
      if (triple) i += 2;
      if (!triple) quote = letter;
    } else if (letter == '.' && ++dots > kMaxDots) {
      return true;
    }
  }
  return false;
}

// Of UTF-8 or UTF-16, as editors and shells on Windows write them.
bool begins_with_byte_order_mark(std::string_view text) {
  return text.starts_with("\xef\xbb\xbf") || text.starts_with("\xff\xfe") ||
         text.starts_with("\xfe\xff");
}

}  // namespace

// The parsed file without the parser's types.
struct TomlTable::Node {
  using Table = std::map<std::string, Node, std::less<>>;
  using List = std::vector<Node>;
  struct Other {};  // floats, dates: no schema here uses them
  std::variant<Other, bool, std::int64_t, std::string, List, Table> value;
  TomlPosition key_position;
  TomlPosition position;

  static Node from(const toml::node& source);
};

struct TomlTable::Document {
  std::string name;
  Node root;
};

// The depth is bounded by the parser (TOML_MAX_NESTED_VALUES) and has_deep_keys.
TomlTable::Node TomlTable::Node::from(const toml::node& source) {
  Node out;
  out.position = position_of(source.source());
  if (const auto* flag = source.as_boolean()) out.value = flag->get();
  if (const auto* number = source.as_integer()) out.value = number->get();
  if (const auto* text = source.as_string()) out.value = unshield(text->get());
  if (const auto* array = source.as_array()) {
    List list;
    for (const toml::node& element : *array) list.push_back(from(element));
    out.value = std::move(list);
  }
  if (const auto* table = source.as_table()) {
    Table entries;
    for (const auto& [key, value] : *table) {
      Node entry = from(value);
      entry.key_position = position_of(key.source());
      entries.emplace(unshield(key.str()), std::move(entry));
    }
    out.value = std::move(entries);
  }
  return out;
}

TomlTable::TomlTable(std::shared_ptr<const Document> document, const Node* node)
    : document_(std::move(document)), node_(node) {}
TomlTable::TomlTable(TomlTable&&) noexcept = default;
TomlTable& TomlTable::operator=(TomlTable&&) noexcept = default;
TomlTable::~TomlTable() = default;

Result<TomlTable> TomlTable::parse(std::string_view text, const std::string& name) {
  if (text.size() > kMaxSize) {
    return Error(ErrorCode::kLimit, printable(name) + " has " + format_size(text.size()) +
                                        ", more than " + format_size(kMaxSize));
  }
  if (has_deep_keys(text)) {
    return Error(ErrorCode::kLimit,
                 printable(name) + " has a line with more than 100 dots outside strings");
  }
  auto document = std::make_shared<Document>();
  document->name = printable(name).substr(1);
  document->name.pop_back();
  const TomlTable at_root(document, &document->root);
  if (begins_with_byte_order_mark(text)) {
    return at_root.error_at(ErrorCode::kMalformed, TomlPosition{}, "begins with a byte order mark")
        .with_hint("save it as UTF-8 without one");
  }
  if (!is_utf8(text) || spells_a_shield(text)) {
    return at_root.error_at(ErrorCode::kMalformed, TomlPosition{},
                            "not UTF-8, or with escapes for private characters");
  }
  try {
    document->root = Node::from(toml::parse(shield(text)));
  } catch (const toml::parse_error& wrong) {
    return at_root.error_at(ErrorCode::kMalformed, position_of(wrong.source()),
                            plain(wrong.description()));
  } catch (const ParserAssertion&) {
    return at_root.error_at(ErrorCode::kMalformed, TomlPosition{}, "not TOML");
  }
  const Node* root = &document->root;
  return TomlTable(std::move(document), root);
}

bool TomlTable::has(std::string_view key) const {
  return std::get<Node::Table>(node_->value).contains(key);
}

std::vector<std::string> TomlTable::keys() const {
  std::vector<std::string> out;
  for (const auto& [key, node] : std::get<Node::Table>(node_->value)) out.push_back(key);
  return out;
}

const TomlTable::Node* TomlTable::ask(std::string_view key) {
  asked_.emplace(key);
  const auto& table = std::get<Node::Table>(node_->value);
  const auto found = table.find(key);
  return found == table.end() ? nullptr : &found->second;
}

Result<std::optional<std::string>> TomlTable::text(std::string_view key) {
  const Node* node = ask(key);
  if (node == nullptr) return std::optional<std::string>();
  const auto* text = std::get_if<std::string>(&node->value);
  if (text == nullptr) {
    return error_at(ErrorCode::kMalformed, key, std::string(key) + " is a text in quotes");
  }
  if (text->size() > kMaxText) {
    return error_at(ErrorCode::kLimit, key,
                    std::string(key) + " has more than " + std::to_string(kMaxText) + " bytes");
  }
  return std::optional<std::string>(*text);
}

Result<std::optional<std::uint64_t>> TomlTable::number(std::string_view key) {
  const Node* node = ask(key);
  if (node == nullptr) return std::optional<std::uint64_t>();
  const auto* number = std::get_if<std::int64_t>(&node->value);
  if (number == nullptr || *number < 0) {
    return error_at(ErrorCode::kMalformed, key, std::string(key) + " is a whole number from 0 up");
  }
  return std::optional<std::uint64_t>(static_cast<std::uint64_t>(*number));
}

Result<std::optional<bool>> TomlTable::boolean(std::string_view key) {
  const Node* node = ask(key);
  if (node == nullptr) return std::optional<bool>();
  const auto* flag = std::get_if<bool>(&node->value);
  if (flag == nullptr) {
    return error_at(ErrorCode::kMalformed, key, std::string(key) + " is true or false");
  }
  return std::optional<bool>(*flag);
}

Result<std::optional<TomlTable>> TomlTable::table(std::string_view key) {
  const Node* node = ask(key);
  if (node == nullptr) return std::optional<TomlTable>();
  if (!std::holds_alternative<Node::Table>(node->value)) {
    return error_at(ErrorCode::kMalformed, key, std::string(key) + " is a table");
  }
  return std::optional<TomlTable>(TomlTable(document_, node));
}

Result<std::optional<std::vector<TomlScalar>>> TomlTable::list(std::string_view key) {
  const Node* node = ask(key);
  if (node == nullptr) return std::optional<std::vector<TomlScalar>>();
  const auto* list = std::get_if<Node::List>(&node->value);
  if (list == nullptr) return error_at(ErrorCode::kMalformed, key, std::string(key) + " is a list");
  std::vector<TomlScalar> out;
  for (const Node& element : *list) {
    TomlScalar scalar{{}, element.position};
    if (const auto* flag = std::get_if<bool>(&element.value)) {
      scalar.value = *flag;
    } else if (const auto* text = std::get_if<std::string>(&element.value);
               text != nullptr && text->size() <= kMaxText) {
      scalar.value = *text;
    } else if (const auto* number = std::get_if<std::int64_t>(&element.value);
               number != nullptr && *number >= 0) {
      scalar.value = static_cast<std::uint64_t>(*number);
    } else {
      return error_at(ErrorCode::kMalformed, element.position,
                      "an element of " + std::string(key) +
                          " is a text, a whole number from 0 up, or true or false");
    }
    out.push_back(std::move(scalar));
  }
  return std::optional<std::vector<TomlScalar>>(std::move(out));
}

Result<std::optional<std::vector<std::string>>> TomlTable::text_list(std::string_view key) {
  auto scalars = TRY(list(key));
  if (!scalars) return std::optional<std::vector<std::string>>();
  std::vector<std::string> out;
  for (TomlScalar& scalar : *scalars) {
    auto* text = std::get_if<std::string>(&scalar.value);
    if (text == nullptr) {
      return error_at(ErrorCode::kMalformed, scalar.position,
                      "an element of " + std::string(key) + " is a text in quotes");
    }
    out.push_back(std::move(*text));
  }
  return std::optional<std::vector<std::string>>(std::move(out));
}

Result<std::vector<TomlTable>> TomlTable::tables(std::string_view key) {
  const Node* node = ask(key);
  std::vector<TomlTable> out;
  if (node == nullptr) return out;
  const auto* list = std::get_if<Node::List>(&node->value);
  if (list == nullptr) {
    return error_at(ErrorCode::kMalformed, key, "write [[" + std::string(key) + "]]");
  }
  for (const Node& element : *list) {
    if (!std::holds_alternative<Node::Table>(element.value)) {
      return error_at(ErrorCode::kMalformed, element.position,
                      "write [[" + std::string(key) + "]]");
    }
    out.push_back(TomlTable(document_, &element));
  }
  return out;
}

Status TomlTable::finish() const {
  for (const auto& [key, node] : std::get<Node::Table>(node_->value)) {
    if (!asked_.contains(key)) {
      return error_at(ErrorCode::kMalformed, key, "unknown key " + printable(key));
    }
  }
  return done();
}

Error TomlTable::error_at(ErrorCode code, std::string_view key, const std::string& why) const {
  const auto& table = std::get<Node::Table>(node_->value);
  const auto found = table.find(key);
  if (found == table.end()) return error_at(code, node_->position, why);
  return error_at(code, found->second.key_position, why);
}

Error TomlTable::error_at(ErrorCode code, TomlPosition position, const std::string& why) const {
  std::string where = document_->name;
  if (position.line != 0) {
    where += ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
  }
  return Error(code, where + ": " + why);
}

}  // namespace sealpack
