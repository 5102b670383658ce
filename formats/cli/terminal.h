// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "formats/base/bytes.h"
#include "formats/base/reason.h"

namespace sealpack::cli {

// Where a verb writes: results to out(), everything else to err(), which says whether it is a
// terminal that can show progress.
class Terminal {
 public:
  Terminal(std::ostream& out, std::ostream& err, bool err_is_terminal)
      : out_(out), err_(err), err_is_terminal_(err_is_terminal) {}

  std::ostream& out() { return out_; }
  std::ostream& err() { return err_; }
  bool shows_progress() const { return err_is_terminal_ && !quiet_; }
  void set_quiet(bool quiet) { quiet_ = quiet; }
  // What a verb did, for people: out(), and nowhere when quiet. Answers that were asked for go to
  // out().
  std::ostream& report() { return quiet_ ? nowhere_ : out_; }
  // The same where out() carries the answer itself.
  std::ostream& report_aside() { return quiet_ ? nowhere_ : err_; }
  // Results as JSON on stdout, errors too: a program that reads stdout alone learns what went
  // wrong.
  bool json() const { return json_; }
  void set_json(bool json) { json_ = json; }

  // "sealpack: note: …", left out when quiet; "sealpack: warning: …" always.
  void note(const std::string& text);
  void warning(const std::string& text);
  // "sealpack: error: …" and "sealpack: hint: …"; with JSON {"error": {…}} on stdout besides.
  void error(const Error& error);
  // All reasons for the error that the verb is about to return: "sealpack: reason: CODE: …" behind
  // it, a list in its JSON.
  // `others` are in the JSON alone: "other_reasons".
  void give_reasons(std::vector<Reason> reasons, std::vector<Reason> others = {}) {
    reasons_ = std::move(reasons);
    other_reasons_ = std::move(others);
  }

 private:
  std::ostream& out_;
  std::ostream& err_;
  std::ostream nowhere_{nullptr};
  bool err_is_terminal_;
  bool quiet_ = false;
  bool json_ = false;
  std::vector<Reason> reasons_;
  std::vector<Reason> other_reasons_;
};

// A progress bar with rate and time left, drawn by a thread of its own a few times a second, and
// only on a terminal. `add` may be called from any thread.
class Progress {
 public:
  Progress(Terminal& terminal, std::string what, std::uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void add(std::uint64_t amount) { current_.fetch_add(amount, std::memory_order_relaxed); }
  // Takes the bar away. Called by the destructor too.
  void finish();

 private:
  void draw();
  Terminal& terminal_;
  std::string what_;
  std::uint64_t total_;
  std::atomic<std::uint64_t> current_{0};
  std::atomic<bool> stop_{false};
  std::chrono::steady_clock::time_point start_;
  std::jthread thread_;
};

// Columns aligned for people. The first row is the heading; columns whose cells all look like
// numbers or sizes are aligned right.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print(std::ostream& out, const std::string& indent = "") const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// RFC 3339 ("2026-11-20T09:50:00Z", "2026-11-20") or Unix seconds.
Result<std::uint64_t> parse_time(const std::string& text);

// "16MiB", "512KiB", "2GiB" or bytes: what format_size writes, without fractions. kUsage; `option`
// is for the message.
Result<std::uint64_t> parse_size(const std::string& text, const std::string& option);

// The same for a limit, of which "none" is one: 0. Nothing runs in 0 bytes, so that is kUsage.
Result<std::uint64_t> parse_cap(const std::string& text, const std::string& option);

}  // namespace sealpack::cli
