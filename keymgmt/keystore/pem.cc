// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/pem.h"

#include <algorithm>
#include <array>

namespace sealpack::keystore {

namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";
constexpr std::size_t kLine = 64;
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Error malformed(const std::string& why) {
  return Error(ErrorCode::kMalformed, why);
}

// Cuts the first line, without its LF, off `text`.
Result<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return malformed("PEM text ends inside a line");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (line.ends_with('\r')) {
    return Error(ErrorCode::kMalformed, "PEM lines end with CR LF")
        .with_hint("convert the file to Unix line ends");
  }
  return line;
}

Result<std::string_view> label_of(std::string_view line, std::string_view start) {
  if (!line.starts_with(start) || !line.ends_with(kDashes) ||
      line.size() <= start.size() + kDashes.size()) {
    return malformed("no line '" + std::string(start) + "...-----' where a PEM block has one");
  }
  line.remove_prefix(start.size());
  line.remove_suffix(kDashes.size());
  return line;
}

// Value of one base64 character, 64 for any other.
std::uint32_t sextet(char letter) {
  const std::size_t at = kAlphabet.find(letter);
  return at == std::string_view::npos ? 64U : static_cast<std::uint32_t>(at);
}

// One group of four characters to `size` bytes (1 to 3).
bool decode_group(const std::array<char, 4>& group, std::size_t size, MutableBytes out) {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const bool padding = i > size;
    const std::uint32_t value = padding ? 0U : sextet(group[i]);
    if ((padding && group[i] != '=') || value > 63U) return false;
    bits = (bits << 6U) | value;
  }
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<std::uint8_t>((bits >> (16U - 8U * i)) & 0xffU);
  }
  // Padding bits that are not zero would be a second text for the same bytes.
  const std::uint32_t unused = (1U << (8U * (3U - static_cast<std::uint32_t>(size)))) - 1U;
  return (bits & unused) == 0U;
}

}  // namespace

Result<PemBlock> parse_pem(std::string_view text) {
  const std::string_view first = TRY(take_line(text));
  PemBlock block;
  block.label = TRY(label_of(first, kBegin));
  std::size_t letters = 0;
  std::size_t padding = 0;
  bool last_seen = false;
  const std::string_view body_start = text;
  std::string_view line = TRY(take_line(text));
  while (!line.starts_with(kDashes)) {
    if (line.empty() || line.size() > kLine || last_seen) {
      return malformed("PEM lines have 64 characters, only the last one fewer");
    }
    last_seen = line.size() < kLine;
    letters += line.size();
    padding = line.ends_with("==") ? 2 : line.ends_with('=') ? 1 : 0;
    line = TRY(take_line(text));
  }
  const std::string_view end_label = TRY(label_of(line, kEnd));
  if (end_label != block.label) return malformed("PEM block ends with another label");
  if (!text.empty()) return malformed("text follows the PEM block");
  if (letters == 0 || letters % 4 != 0) return malformed("PEM block with an incomplete group");
  const std::size_t body_size = static_cast<std::size_t>(line.data() - body_start.data());
  block.body = body_start.substr(0, body_size);
  block.size = letters / 4 * 3 - padding;
  return block;
}

Status decode_pem(const PemBlock& block, MutableBytes out) {
  if (out.size() != block.size) die("decode_pem: wrong buffer size");
  std::array<char, 4> group{};
  std::size_t filled = 0;
  std::size_t written = 0;
  for (const char letter : block.body) {
    if (letter == '\n') continue;
    group[filled++] = letter;
    if (filled < 4) continue;
    filled = 0;
    const std::size_t size = std::min<std::size_t>(3, out.size() - written);
    if (size == 0 || !decode_group(group, size, out.subspan(written, size))) {
      return malformed("PEM block with characters that are not canonical base64");
    }
    written += size;
  }
  return done();
}

std::size_t pem_size(std::string_view label, std::size_t content_size) {
  const std::size_t letters = (content_size + 2) / 3 * 4;
  const std::size_t frame = kBegin.size() + kEnd.size() + 2 * (label.size() + kDashes.size() + 1);
  return frame + letters + (letters + kLine - 1) / kLine;
}

void encode_pem(std::string_view label, Bytes content, MutableBytes out) {
  if (out.size() != pem_size(label, content.size())) die("encode_pem: wrong buffer size");
  std::size_t at = 0;
  const auto put = [&](std::string_view piece) {
    std::copy(piece.begin(), piece.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
    at += piece.size();
  };
  put(kBegin), put(label), put(kDashes), put("\n");
  std::size_t column = 0;
  for (std::size_t i = 0; i < content.size(); i += 3) {
    const std::size_t size = std::min<std::size_t>(3, content.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = (bits << 8U) | (k < size ? content[i + k] : 0U);
    for (std::size_t k = 0; k < 4; ++k) {
      const char letter = kAlphabet[(bits >> (18U - 6U * k)) & 63U];
      out[at++] = static_cast<std::uint8_t>(k > size ? '=' : letter);
    }
    column += 4;
    if (column == kLine || i + 3 >= content.size()) {
      out[at++] = '\n';
      column = 0;
    }
  }
  put(kEnd), put(label), put(kDashes), put("\n");
}

}  // namespace sealpack::keystore
