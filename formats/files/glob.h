// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

#include "formats/base/result.h"

namespace sealpack {

// A pattern for paths and tensor names, which must match from end to end:
//   *        any characters but '/', none too    **      any characters, '/' too, none too
//   ?        one character but '/'               **/     at the start or after '/': folders, none
//   too [abc]    one of these                        [a-z]   one of this range
//   [!abc]   one character but these and '/'     {a,b}   either (may be nested, a side may be
//   empty) \x       the character x itself
// '.' is an ordinary character: `layers.*.weight` matches `layers.0.attn.weight`. Letter case
// counts. A character is one of UTF-8; inside [ ] only ASCII is allowed, and never '/'. What has no
// meaning is refused rather than guessed at: an unclosed bracket, `[]`, `[^`, `***`, a ']' or '}'
// that closes nothing. Matching takes time in proportion to pattern size x text size at most.
class Glob {
 public:
  static constexpr std::size_t kMaxSize = 4096;

  // kMalformed, naming the pattern, the byte and the reason.
  static Result<Glob> parse(std::string_view text);
  bool matches(std::string_view text) const;
  const std::string& text() const { return text_; }

 private:
  // A program for a set of positions that advance together, one character of the text at a time.
  enum class Kind { kCharacter, kClass, kAnyButSlash, kAny, kFork, kJump };
  struct Step {
    Kind kind;
    std::string character = {};     // kCharacter
    std::bitset<128> members = {};  // kClass
    bool negated = false;           // kClass
    std::size_t target = 0;         // kJump: only way; kFork: other way than the next step
  };
  class Parser;

  static bool accepts(const Step& step, std::string_view character);

  std::string text_;
  std::vector<Step> steps_;  // the end of it is the accepting position
};

}  // namespace sealpack
