// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/plan_svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace sealpack::plan {
namespace {

constexpr double kWidth = 880;
constexpr double kHeight = 520;
constexpr double kLeft = 72;
constexpr double kRight = 640;  // of the plot; the legend is behind it
constexpr double kTop = 72;
constexpr double kBottom = 452;

// Colours that differ for people who see few, and in grey.
constexpr const char* kColours[] = {"#1b4f8f", "#2a9d8f", "#e9a03b", "#c0392b"};
constexpr Worth kWorths[] = {Worth::kBlackBox, Worth::kSome, Worth::kLittle, Worth::kNone};

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    }
  }
  return out;
}

std::string number(double value, int digits = 1) {
  char text[48];
  (void)std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

// Without zeros at the end.
std::string short_number(double value) {
  char text[48];
  (void)std::snprintf(text, sizeof text, "%g", value);
  return text;
}

std::string milliseconds(double seconds) {
  const double ms = seconds * 1e3;
  return number(ms, ms >= 100 ? 0 : ms >= 10 ? 1 : ms >= 1 ? 2 : 3);
}

// 1, 2 or 5 times a power of ten, at least `least`.
double nice_step(double least) {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (power * factor >= least) return power * factor;
  }
  return power * 10;
}

// The horizontal axis: linear from zero, or logarithmic where the times differ tenfold.
class Axis {
 public:
  explicit Axis(std::span<const Choice> choices) {
    low_ = high_ = choices.empty() ? 1e-3 : choices[0].estimate.latency;
    for (const Choice& choice : choices) {
      low_ = std::min(low_, choice.estimate.latency);
      high_ = std::max(high_, choice.estimate.latency);
    }
    low_ = std::max(low_, 1e-9);
    high_ = std::max(high_, low_);
    logarithmic_ = high_ / low_ > 10;
    if (logarithmic_) {
      low_ = std::pow(10, std::floor(std::log10(low_)));
      high_ *= 1.2;
    } else {
      low_ = 0;
      high_ *= 1.1;
    }
  }

  double x(double seconds) const {
    const double part = logarithmic_ ? std::log(seconds / low_) / std::log(high_ / low_)
                                     : (seconds - low_) / (high_ - low_);
    return kLeft + part * (kRight - kLeft);
  }

  std::vector<double> ticks() const {
    std::vector<double> list;
    if (!logarithmic_) {
      const double step = nice_step((high_ - low_) / 7);
      for (double value = 0; value <= high_; value += step) list.push_back(value);
      return list;
    }
    for (double power = low_; power <= high_; power *= 10) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        if (power * factor <= high_) list.push_back(power * factor);
      }
    }
    return list;
  }
  bool logarithmic() const { return logarithmic_; }

 private:
  double low_ = 0;
  double high_ = 1;
  bool logarithmic_ = false;
};

double y(double share) {
  return kBottom - share * (kBottom - kTop);
}

std::string line(double x1, double y1, double x2, double y2, const char* style) {
  return "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) +
         "\" y2=\"" + number(y2) + "\" " + style + "/>\n";
}

std::string text(double at_x, double at_y, const std::string& style, const std::string& words) {
  return "<text x=\"" + number(at_x) + "\" y=\"" + number(at_y) + "\" " + style + ">" +
         escaped(words) + "</text>\n";
}

std::string axes(const Axis& axis) {
  std::string out;
  for (int percent = 0; percent <= 100; percent += 20) {
    const double at = y(percent / 100.0);
    out += line(kLeft, at, kRight, at, "stroke=\"#e3e6ea\"");
    out += text(kLeft - 8, at + 4, "text-anchor=\"end\"", std::to_string(percent) + " %");
  }
  for (const double tick : axis.ticks()) {
    const double at = axis.x(tick);
    out += line(at, kTop, at, kBottom, "stroke=\"#e3e6ea\"");
    out += text(at, kBottom + 18, "text-anchor=\"middle\"", short_number(tick * 1e3));
  }
  out += line(kLeft, kBottom, kRight, kBottom, "stroke=\"#444\"");
  out += line(kLeft, kTop, kLeft, kBottom, "stroke=\"#444\"");
  out += text(
      (kLeft + kRight) / 2, kBottom + 42, "text-anchor=\"middle\" font-size=\"14\"",
      std::string("estimated time an answer, ms") + (axis.logarithmic() ? " (logarithmic)" : ""));
  out += text(0, 0,
              "text-anchor=\"middle\" font-size=\"14\" transform=\"translate(22 " +
                  number((kTop + kBottom) / 2) + ") rotate(-90)\"",
              "share of the computation inside the TEE");
  return out;
}

double radius(const Choice& choice, std::uint64_t most) {
  const double share =
      most == 0 ? 1 : static_cast<double>(choice.estimate.secure_peak) / static_cast<double>(most);
  return 5 + 11 * std::sqrt(share);
}

// Labels go where no other label or point is, if there is such a place.
class Labels {
 public:
  void add_point(double x, double y_at, double r) {
    taken_.push_back({x - r, y_at - r, x + r, y_at + r});
  }
  std::string place(double x, double y_at, double r, const std::string& words) {
    const double width = 6.5 * static_cast<double>(words.size());
    const double offsets[][2] = {{r + 3, 4},           {-r - 3 - width, 4}, {-width / 2, -r - 4},
                                 {-width / 2, r + 14}, {r + 1, -r},         {r + 1, r + 8}};
    Box best{};
    std::size_t fewest = ~std::size_t{0};
    for (const auto& offset : offsets) {
      const Box box = {x + offset[0], y_at + offset[1] - 11, x + offset[0] + width,
                       y_at + offset[1] + 2};
      const auto hits = static_cast<std::size_t>(
          std::count_if(taken_.begin(), taken_.end(), [&](const Box& b) { return box.meets(b); }));
      if (hits >= fewest) continue;
      fewest = hits;
      best = box;
    }
    taken_.push_back(best);
    return text(best.left, best.bottom - 2, "font-size=\"11\" font-weight=\"600\"", words);
  }

 private:
  struct Box {
    double left, top, right, bottom;
    bool meets(const Box& o) const {
      return left < o.right && o.left < right && top < o.bottom && o.top < bottom;
    }
  };
  std::vector<Box> taken_;
};

std::string tooltip(const Choice& choice) {
  return choice.id + ", " + choice.candidate.label + ": " + milliseconds(choice.estimate.latency) +
         " ms, " + format_size(choice.estimate.secure_peak) + " inside, " +
         format_size(choice.estimate.crossing) + " cross; worth: " + to_string(choice.worth);
}

std::string points(std::span<const Choice> choices, const Axis& axis) {
  std::uint64_t most = 0;
  for (const Choice& choice : choices) most = std::max(most, choice.estimate.secure_peak);
  Labels labels;
  for (const Choice& choice : choices) {
    labels.add_point(axis.x(choice.estimate.latency), y(choice.estimate.multiply_add_share),
                     radius(choice, most));
  }
  std::string out;
  // Large ones first, so that they hide none.
  std::vector<std::size_t> order(choices.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return choices[a].estimate.secure_peak > choices[b].estimate.secure_peak;
  });
  for (const std::size_t i : order) {
    const Choice& choice = choices[i];
    const std::string colour = kColours[static_cast<std::size_t>(choice.worth)];
    out += "<circle cx=\"" + number(axis.x(choice.estimate.latency)) + "\" cy=\"" +
           number(y(choice.estimate.multiply_add_share)) + "\" r=\"" +
           number(radius(choice, most)) + "\" fill=\"" + colour + "\" fill-opacity=\"" +
           (choice.worth == Worth::kNone ? "0.12" : "0.75") + "\" stroke=\"" + colour +
           "\" stroke-width=\"1.5\"><title>" + escaped(tooltip(choice)) + "</title></circle>\n";
  }
  for (const Choice& choice : choices) {
    out += labels.place(axis.x(choice.estimate.latency), y(choice.estimate.multiply_add_share),
                        radius(choice, most), choice.id);
  }
  return out;
}

std::string legend(std::span<const Choice> choices) {
  constexpr double kAt = kRight + 28;
  constexpr const char* kWords[] = {"all inside: black-box", "the deep half: some",
                                    "last layers: little", "first layers, oracles: none"};
  std::string out = text(kAt, kTop + 6, "font-weight=\"600\"", "What it is worth");
  for (std::size_t i = 0; i < 4; ++i) {
    const double at = kTop + 30 + 24 * static_cast<double>(i);
    const bool hollow = kWorths[i] == Worth::kNone;
    out += "<circle cx=\"" + number(kAt + 7) + "\" cy=\"" + number(at - 4) + "\" r=\"7\" fill=\"" +
           kColours[i] + "\" fill-opacity=\"" + (hollow ? "0.12" : "0.75") + "\" stroke=\"" +
           kColours[i] + "\" stroke-width=\"1.5\"/>\n";
    out += text(kAt + 22, at, "", kWords[i]);
  }
  std::uint64_t most = 0;
  for (const Choice& choice : choices) most = std::max(most, choice.estimate.secure_peak);
  out += text(kAt, kTop + 150, "font-weight=\"600\"", "Secure memory (area)");
  out += "<circle cx=\"" + number(kAt + 16) + "\" cy=\"" + number(kTop + 178) +
         "\" r=\"16\" fill=\"none\" stroke=\"#666\"/>\n";
  out += text(kAt + 40, kTop + 182, "", format_size(most));
  return out;
}

}  // namespace

std::string draw_choices(std::span<const Choice> choices, const std::string& title,
                         const std::string& subtitle) {
  const Axis axis(choices);
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg "
      "xmlns=\"http://www.w3.org/2000/svg\" width=\"" +
      number(kWidth, 0) + "\" height=\"" + number(kHeight, 0) + "\" viewBox=\"0 0 " +
      number(kWidth, 0) + " " + number(kHeight, 0) +
      "\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#222\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  out += text(kLeft, 30, "font-size=\"18\" font-weight=\"600\"", title);
  out += text(kLeft, 50, "fill=\"#555\"", subtitle);
  out += axes(axis) + points(choices, axis) + legend(choices);
  return out + "</svg>\n";
}

}  // namespace sealpack::plan
