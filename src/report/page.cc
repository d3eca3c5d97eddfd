// Escaping and filling: the only place where data becomes part of HTML.
#include "report/page.h"

#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace witan {
namespace {

constexpr std::string_view kGap = "{\"witan\":\"data\"}";

// "<" opens every sequence an HTML parser looks for inside a script: </script, <script and <!--. The two separators
// are legal in JSON but end a line in older JavaScript. Outside strings JSON has none of the three, so replacing them
// by their escapes changes no value.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kEscapes = {{
    {"<", "\\u003c"},
    {"\xE2\x80\xA8", "\\u2028"},
    {"\xE2\x80\xA9", "\\u2029"},
}};

}  // namespace

std::string json_for_script(const nlohmann::json& data) {
  // Names of files may be no UTF-8.
  const std::string text = data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size() + text.size() / 64);
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = std::string_view(text).substr(at);
    std::size_t taken = 0;
    for (const auto& [plain, escaped] : kEscapes) {
      if (rest.starts_with(plain)) {
        safe += escaped;
        taken = plain.size();
        break;
      }
    }
    if (taken == 0) {
      safe += rest.front();
      taken = 1;
    }
    at += taken;
  }
  return safe;
}

std::string fill_page(std::string_view page, const nlohmann::json& data) {
  const std::size_t gap = page.find(kGap);
  WITAN_ASSERT(gap != std::string_view::npos);
  WITAN_ASSERT(page.find(kGap, gap + 1) == std::string_view::npos);
  std::string filled(page.substr(0, gap));
  filled += json_for_script(data);
  filled += page.substr(gap + kGap.size());
  return filled;
}

}  // namespace witan
