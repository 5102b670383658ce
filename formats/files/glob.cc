// SPDX-License-Identifier: Apache-2.0
#include "formats/files/glob.h"

#include "formats/base/bytes.h"

namespace sealpack {
namespace {

// Takes one character off `text`: a byte and the UTF-8 continuation bytes after it.
std::string_view take_character(std::string_view& text) {
  std::size_t size = 1;
  while (size < text.size() && size < 4 &&
         (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80) {
    ++size;
  }
  const std::string_view character = text.substr(0, size);
  text.remove_prefix(size);
  return character;
}

}  // namespace

class Glob::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text), rest_(text) {}

  Result<std::vector<Step>> parse() {
    if (text_.empty()) return bad("is empty");
    if (text_.size() > kMaxSize)
      return bad("is longer than " + std::to_string(kMaxSize) + " bytes");
    if (!is_utf8(text_)) return bad("is not UTF-8");
    TRY(sequence(0));
    if (!rest_.empty()) return bad_here("'}' closes nothing");  // ',' is only special in braces
    return std::move(steps_);
  }

 private:
  static constexpr int kMaxDepth = 16;

  Error bad(const std::string& why) const {
    return {ErrorCode::kMalformed, "pattern " + printable(text_.substr(0, 200)) + " " + why};
  }
  Error bad_here(const std::string& why) const {
    return Error(ErrorCode::kMalformed, "pattern " + printable(text_.substr(0, 200)) + ", byte " +
                                            std::to_string(text_.size() - rest_.size()) + ": " +
                                            why)
        .with_hint("put a backslash before a character that stands for itself");
  }
  bool take(std::string_view what) {
    if (!rest_.starts_with(what)) return false;
    rest_.remove_prefix(what.size());
    return true;
  }
  std::size_t add(Step step) {
    steps_.push_back(std::move(step));
    return steps_.size() - 1;
  }

  // Up to the end, or inside braces up to ',' or '}'.
  Status sequence(int depth) {
    while (!rest_.empty() && rest_.front() != '}' && !(depth > 0 && rest_.front() == ',')) {
      TRY(item(depth));
    }
    return done();
  }

  Status item(int depth) {
    if (rest_.starts_with("***")) return bad_here("more than two '*' in a row");
    if (rest_.starts_with("**/") && at_component_start()) return any_folders();
    if (take("**")) return repeat(Kind::kAny);
    if (take("*")) return repeat(Kind::kAnyButSlash);
    if (take("?")) return add({Kind::kAnyButSlash}), done();
    if (take("{")) return alternatives(depth + 1);
    if (take("[")) return character_class();
    if (rest_.front() == ']') return bad_here("']' closes nothing");
    if (take("\\") && rest_.empty()) return bad_here("ends after a backslash");
    add({Kind::kCharacter, std::string(take_character(rest_))});
    return done();
  }

  bool at_component_start() const {
    const std::size_t position = text_.size() - rest_.size();
    return position == 0 || text_[position - 1] == '/';
  }

  Status repeat(Kind kind) {
    const std::size_t fork = add({Kind::kFork});
    add({kind});
    add({Kind::kJump, {}, {}, false, fork});
    steps_[fork].target = steps_.size();
    return done();
  }

  Status any_folders() {
    (void)take("**/");
    const std::size_t fork = add({Kind::kFork});
    TRY(repeat(Kind::kAny));
    add({Kind::kCharacter, "/"});
    steps_[fork].target = steps_.size();
    return done();
  }

  Status alternatives(int depth) {
    if (depth > kMaxDepth) return bad_here("braces are nested too deep");
    std::vector<std::size_t> ends;
    for (;;) {
      const std::size_t fork = add({Kind::kFork});
      TRY(sequence(depth));
      if (rest_.empty()) return bad_here("'{' is not closed");
      const bool last = rest_.front() == '}';
      rest_.remove_prefix(1);
      ends.push_back(add({Kind::kJump}));
      // The last side has no other to fork to: fork to itself.
      steps_[fork].target = last ? fork + 1 : steps_.size();
      if (last) break;
    }
    for (const std::size_t end : ends) steps_[end].target = steps_.size();
    return done();
  }

  Result<unsigned> class_member() {
    if (take("\\") && rest_.empty()) return bad_here("ends after a backslash");
    if (rest_.empty()) return bad_here("'[' is not closed");
    const auto member = static_cast<unsigned char>(rest_.front());
    if (member >= 128) return bad_here("only ASCII is allowed inside [ ]");
    if (member == '/') return bad_here("'/' is not allowed inside [ ]");
    rest_.remove_prefix(1);
    return unsigned{member};
  }

  Status character_class() {
    Step step{Kind::kClass};
    step.negated = take("!");
    if (rest_.starts_with("^")) return bad_here("'^' is not allowed first inside [ ]: use '!'");
    if (rest_.starts_with("]")) return bad_here("[ ] is empty");
    while (!take("]")) {
      const unsigned first = TRY(class_member());
      unsigned last = first;
      if (rest_.starts_with("-") && !rest_.starts_with("-]")) {
        rest_.remove_prefix(1);
        last = TRY(class_member());
      }
      if (last < first) return bad_here("the range ends before it starts");
      for (unsigned member = first; member <= last; ++member) step.members.set(member);
    }
    add(std::move(step));
    return done();
  }

  std::string_view text_;
  std::string_view rest_;
  std::vector<Step> steps_;
};

Result<Glob> Glob::parse(std::string_view text) {
  Glob glob;
  glob.steps_ = TRY(Parser(text).parse());
  glob.text_ = text;
  return glob;
}

bool Glob::accepts(const Step& step, std::string_view character) {
  switch (step.kind) {
    case Kind::kCharacter:
      return character == step.character;
    case Kind::kAny:
      return true;
    case Kind::kAnyButSlash:
      return character != "/";
    case Kind::kClass: {
      if (character == "/") return false;
      const auto byte = static_cast<unsigned char>(character.front());
      return (character.size() == 1 && byte < 128 && step.members.test(byte)) != step.negated;
    }
    case Kind::kFork:
    case Kind::kJump:
      break;
  }
  return false;
}

bool Glob::matches(std::string_view text) const {
  std::vector<std::size_t> now;
  std::vector<std::size_t> next;
  std::vector<std::size_t> pending;
  std::vector<std::size_t> reached(steps_.size() + 1, 0);  // round in which a position was added
  std::size_t round = 0;
  // Adds a position and all that forks and jumps lead to from it, each once a round.
  const auto add = [&](std::vector<std::size_t>& positions, std::size_t start) {
    pending.push_back(start);
    while (!pending.empty()) {
      const std::size_t at = pending.back();
      pending.pop_back();
      if (reached[at] == round) continue;
      reached[at] = round;
      const bool end = at == steps_.size();
      if (!end && (steps_[at].kind == Kind::kFork || steps_[at].kind == Kind::kJump)) {
        pending.push_back(steps_[at].target);
        if (steps_[at].kind == Kind::kFork) pending.push_back(at + 1);
      } else {
        positions.push_back(at);
      }
    }
  };
  ++round;
  add(now, 0);
  while (!text.empty() && !now.empty()) {
    const std::string_view character = take_character(text);
    ++round;
    next.clear();
    for (const std::size_t at : now) {
      if (at < steps_.size() && accepts(steps_[at], character)) add(next, at + 1);
    }
    now.swap(next);
  }
  return text.empty() && !now.empty() && reached[steps_.size()] == round;
}

}  // namespace sealpack
