// Control characters and their pictures.
#include "witan/terminal_text.h"

#include <unistd.h>

#include "text/utf8.h"

namespace witan::cli {
namespace {

// U+2400 to U+243F all begin with these two bytes; the third is 0x80 and the distance from U+2400.
std::string picture(unsigned char distance) { return std::string("\xE2\x90") + static_cast<char>(0x80U + distance); }

}  // namespace

std::string visible_controls(std::string_view text) {
  constexpr unsigned char kDelete = 0x7F;
  constexpr unsigned char kPictureOfDelete = 0x21;
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == kDelete) {
      result += picture(kPictureOfDelete);
    } else if (byte < 0x20 && byte != '\n' && byte != '\t') {
      result += picture(byte);
    } else if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      result += kReplacementCharacter;
      ++i;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::string on_one_line(std::string_view name) {
  std::string text;
  for (const char c : visible_controls(name)) {
    if (c == '\n' || c == '\t') {
      text += c == '\n' ? "\\n" : "\\t";
    } else {
      text += c;
    }
  }
  return text;
}

std::string for_standard_output(const std::string& text) {
  return ::isatty(STDOUT_FILENO) == 1 ? visible_controls(text) : text;
}

}  // namespace witan::cli
