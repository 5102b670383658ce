// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <set>
#include <variant>

#include "formats/base/bytes.h"

namespace sealpack {

struct TomlPosition {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

// One element of an array of plain values.
struct TomlScalar {
  std::variant<bool, std::uint64_t, std::string> value;
  TomlPosition position;
};

// A table of a TOML 1.0 file under a closed schema: callers ask for the keys they know, `finish`
// refuses the rest. Messages start with "FILE:LINE:COLUMN: ". Failures are kMalformed: the text is
// not TOML, a value has the wrong type, a key is unknown. Tables own what they need.
class TomlTable {
 public:
  static constexpr std::size_t kMaxSize = 1U << 20U;

  // `name` stands for the file in messages. kLimit above kMaxSize.
  static Result<TomlTable> parse(std::string_view text, const std::string& name);

  TomlTable(TomlTable&&) noexcept;
  TomlTable& operator=(TomlTable&&) noexcept;
  ~TomlTable();

  // nullopt where the key is absent. Numbers are integers from 0 to 2^63 - 1; texts are at most
  // 4096 bytes.
  Result<std::optional<std::string>> text(std::string_view key);
  Result<std::optional<std::uint64_t>> number(std::string_view key);
  Result<std::optional<bool>> boolean(std::string_view key);
  Result<std::optional<TomlTable>> table(std::string_view key);
  Result<std::optional<std::vector<TomlScalar>>> list(std::string_view key);
  Result<std::optional<std::vector<std::string>>> text_list(std::string_view key);
  // The tables of [[key]], empty where there are none.
  Result<std::vector<TomlTable>> tables(std::string_view key);

  bool has(std::string_view key) const;
  // All keys, ascending. Does not count as asking for them.
  std::vector<std::string> keys() const;

  // Refuses keys that no call above asked for.
  Status finish() const;

  // An error at a key (where the key is absent, at the table) or at another place of the same file.
  Error error_at(ErrorCode code, std::string_view key, const std::string& why) const;
  Error error_at(ErrorCode code, TomlPosition position, const std::string& why) const;

 private:
  struct Node;
  struct Document;
  TomlTable(std::shared_ptr<const Document> document, const Node* node);
  const Node* ask(std::string_view key);

  std::shared_ptr<const Document> document_;
  const Node* node_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace sealpack
