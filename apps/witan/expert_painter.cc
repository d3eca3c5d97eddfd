// Colours of experts.
#include "witan/expert_painter.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "base/progress.h"

namespace witan::cli {
namespace {

constexpr std::string_view kReset = "\x1b[0m";

// A pastel, so that black text is readable on it. Hues advance by the golden ratio: any number of experts gets hues
// that are far apart from those before. Red, green, blue in 0 .. 1.
std::array<double, 3> pastel(std::int32_t expert) {
  constexpr double kGoldenRatio = 0.6180339887498949;
  const double hue = std::fmod(static_cast<double>(expert) * kGoldenRatio, 1.0) * 6.0;
  std::array<double, 3> color{};
  constexpr std::array kShift = {0.0, 4.0, 2.0};
  for (std::size_t channel = 0; channel < 3; ++channel) {
    const double distance = std::fabs(std::fmod(hue + kShift.at(channel), 6.0) - 3.0);
    const double pure = std::clamp(distance - 1.0, 0.0, 1.0);
    color.at(channel) = 0.55 + 0.45 * pure;
  }
  return color;
}

std::string background(ColorMode mode, std::int32_t expert) {
  const std::array<double, 3> color = pastel(expert);
  if (mode == ColorMode::kTrueColor) {
    return fmt::format("\x1b[30;48;2;{:.0f};{:.0f};{:.0f}m", color[0] * 255.0, color[1] * 255.0, color[2] * 255.0);
  }
  // The colour cube of xterm: 16 + 36 r + 6 g + b, where level n > 0 shines with 55 + 40 n of 255; pastels stay above.
  const auto level = [](double value) { return static_cast<int>(std::lround((value * 255.0 - 55.0) / 40.0)); };
  return fmt::format("\x1b[30;48;5;{}m", 16 + 36 * level(color[0]) + 6 * level(color[1]) + level(color[2]));
}

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

ColorMode detect_color_mode() {
  constexpr int kStdout = 1;
  if (!is_terminal(kStdout) || is_set("NO_COLOR")) return ColorMode::kNone;
  const std::string_view depth = is_set("COLORTERM") ? std::getenv("COLORTERM") : "";
  return depth == "truecolor" || depth == "24bit" ? ColorMode::kTrueColor : ColorMode::k256;
}

ExpertPainter::ExpertPainter(ColorMode mode, std::int64_t num_experts)
    : mode_(mode), counts_(static_cast<std::size_t>(num_experts)) {}

std::string ExpertPainter::paint(std::string_view text, std::int32_t expert) {
  if (expert < 0) return std::string(text);
  ++counts_.at(static_cast<std::size_t>(expert));
  if (mode_ == ColorMode::kNone) return fmt::format("{}[e{}]", text, expert);
  return colored(text, expert);
}

std::string ExpertPainter::colored(std::string_view text, std::int32_t expert) const {
  const std::string begin = background(mode_, expert);
  std::string result;
  while (!text.empty()) {
    // No colour across a line's end: terminals would paint the rest of the line.
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) result += fmt::format("{}{}{}", begin, text.substr(0, end), kReset);
    if (end < text.size()) result += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

std::string ExpertPainter::legend() const {
  std::vector<std::int32_t> order(counts_.size());
  std::iota(order.begin(), order.end(), 0);
  const auto count = [this](std::int32_t expert) { return counts_[static_cast<std::size_t>(expert)]; };
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return count(a) > count(b); });
  const std::int64_t total = std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
  std::string text;
  for (const std::int32_t expert : order) {
    if (count(expert) == 0) break;
    const std::string name = fmt::format("e{}", expert);
    text += fmt::format("{}{} {:.0f} %", text.empty() ? "" : "  ",
                        mode_ == ColorMode::kNone ? name : colored(" " + name + " ", expert),
                        100.0 * static_cast<double>(count(expert)) / static_cast<double>(total));
  }
  return text;
}

}  // namespace witan::cli
