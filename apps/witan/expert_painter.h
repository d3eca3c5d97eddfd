// Text that shows which expert made it: a colour per expert on a terminal, a mark elsewhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace witan::cli {

enum class ColorMode { kNone, k256, kTrueColor };

// For stdout: none when it is no terminal, NO_COLOR is set (no-color.org) or TERM says "dumb"; true colours when
// COLORTERM says "truecolor" or "24bit".
ColorMode detect_color_mode();

// Counts what it paints, for the legend.
class ExpertPainter {
 public:
  ExpertPainter(ColorMode mode, std::int64_t num_experts);

  // The text on the colour of its first-choice expert, or "text[e3]"; without an expert (-1) as it is.
  std::string paint(std::string_view text, std::int32_t expert);
  // The experts seen so far, the busiest first, with their share of the tokens: "e3 41 %  e0 33 % ...".
  std::string legend() const;

 private:
  std::string colored(std::string_view text, std::int32_t expert) const;

  ColorMode mode_;
  std::vector<std::int64_t> counts_;
};

}  // namespace witan::cli
