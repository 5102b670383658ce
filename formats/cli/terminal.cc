// SPDX-License-Identifier: Apache-2.0
#include "formats/cli/terminal.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <ostream>

#include "formats/cli/json_output.h"

namespace sealpack::cli {
namespace {

constexpr std::size_t kBarWidth = 24;

// Characters that a cell takes on the screen: UTF-8 continuation bytes take none.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80;
  }));
}

bool looks_numeric(const std::string& cell) {
  return cell.empty() || (cell[0] >= '0' && cell[0] <= '9') || cell == "-";
}

}  // namespace

void Terminal::note(const std::string& text) {
  if (!quiet_) err_ << "sealpack: note: " << text << '\n';
}
void Terminal::warning(const std::string& text) {
  err_ << "sealpack: warning: " << text << '\n';
}
void Terminal::error(const Error& error) {
  err_ << "sealpack: error: " << error.message() << '\n';
  for (const Reason& reason : reasons_) {
    err_ << "sealpack: reason: " << reason.code << ": " << reason.text << '\n';
  }
  if (!error.hint().empty()) err_ << "sealpack: hint: " << error.hint() << '\n';
  err_.flush();
  if (!json_) return;
  Json json = {{"code", to_string(error.code())},
               {"exit_status", static_cast<int>(error.code())},
               {"message", error.message()},
               {"hint", error.hint()}};
  if (!reasons_.empty()) json["reasons"] = reasons_json(reasons_);
  if (!other_reasons_.empty()) json["other_reasons"] = reasons_json(other_reasons_);
  print_json(*this, {{"error", json}});
}

Progress::Progress(Terminal& terminal, std::string what, std::uint64_t total)
    : terminal_(terminal),
      what_(std::move(what)),
      total_(total),
      start_(std::chrono::steady_clock::now()) {
  if (!terminal_.shows_progress() || total_ == 0) return;
  thread_ = std::jthread([this] {
    while (!stop_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(150));
      if (!stop_) draw();
    }
  });
}

Progress::~Progress() {
  finish();
}

void Progress::finish() {
  if (!thread_.joinable()) return;
  stop_ = true;
  thread_.join();
  terminal_.err() << "\r\x1b[K" << std::flush;
}

void Progress::draw() {
  const std::uint64_t current = std::min(current_.load(std::memory_order_relaxed), total_);
  const double part = static_cast<double>(current) / static_cast<double>(total_);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(current) / seconds : 0;
  const auto filled = static_cast<std::size_t>(part * kBarWidth);
  std::string line =
      "\r" + what_ + " [" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "] " +
      std::to_string(static_cast<int>(part * 100)) + "%  " + format_size(current) + " of " +
      format_size(total_) + "  " + format_size(static_cast<std::uint64_t>(rate)) + "/s";
  if (rate > 0 && current > 0) {
    const auto left = static_cast<std::uint64_t>(static_cast<double>(total_ - current) / rate);
    line += "  " + std::to_string(left) + " s left";
  }
  terminal_.err() << line << "\x1b[K" << std::flush;
}

void Table::print(std::ostream& out, const std::string& indent) const {
  std::vector<std::size_t> widths;
  std::vector<bool> numeric;
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    for (std::size_t column = 0; column < rows_[row].size(); ++column) {
      if (column == widths.size()) widths.push_back(0), numeric.push_back(true);
      widths[column] = std::max(widths[column], width(rows_[row][column]));
      if (row != 0 && !looks_numeric(rows_[row][column])) numeric[column] = false;
    }
  }
  for (const auto& row : rows_) {
    std::string line = indent;
    for (std::size_t column = 0; column < row.size(); ++column) {
      const std::string padding(widths[column] - width(row[column]), ' ');
      if (column != 0) line += "  ";
      line += numeric[column] ? padding + row[column] : row[column] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
}

Result<std::uint64_t> parse_time(const std::string& text) {
  const auto bad = [&] {
    return Error(ErrorCode::kUsage, printable(text) + " is not a time")
        .with_hint("write 2027-01-31, 2027-01-31T12:00:00Z or Unix seconds");
  };
  if (!text.empty() && text.size() <= 15 &&
      text.find_first_not_of("0123456789") == std::string::npos) {
    return std::stoull(text);
  }
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') {
    parts = {};
    end = ::strptime(text.c_str(), "%Y-%m-%d", &parts);
  }
  if (end == nullptr || *end != '\0') return bad();
  const std::tm wanted = parts;
  const std::time_t seconds = ::timegm(&parts);
  // timegm mends impossible dates such as 31 February; we refuse them.
  if (seconds < 0 || parts.tm_mday != wanted.tm_mday || parts.tm_mon != wanted.tm_mon) return bad();
  return static_cast<std::uint64_t>(seconds);
}

Result<std::uint64_t> parse_size(const std::string& text, const std::string& option) {
  constexpr std::pair<std::string_view, unsigned> kUnits[] = {
      {"", 0}, {"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::string_view unit = std::string_view(text).substr(digits);
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const auto& [name, shift] : kUnits) {
    if (unit != name || digits == 0 || digits > 15) continue;
    const auto size = checked_multiply(std::stoull(text), std::uint64_t{1} << shift);
    if (size) return *size;
  }
  return Error(ErrorCode::kUsage, option + ": " + printable(text) + " is not a size")
      .with_hint("write 16MiB, 512KiB or bytes");
}

Result<std::uint64_t> parse_cap(const std::string& text, const std::string& option) {
  if (text == "none") return std::uint64_t{0};
  const std::uint64_t size = TRY(parse_size(text, option));
  if (size != 0) return size;
  return Error(ErrorCode::kUsage, option + " 0: nothing runs in that")
      .with_hint("for no cap, write " + option + " none");
}

}  // namespace sealpack::cli
