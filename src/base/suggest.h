// "Did you mean": the nearest known names to one that is not known.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace witan {

// " (did you mean 'top_k' or 'topology'?)" by edit distance, or " (known: a, b, c)" when nothing is near and there are
// few, else "".
std::string suggestion(std::string_view name, std::span<const std::string> known);

// "a, b, c"
std::string comma_list(std::span<const std::string> names);

}  // namespace witan
