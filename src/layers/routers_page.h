// docs/routers.md, made from the tables of routers, weightings, dropping policies, gates and balance rules.
#pragma once

#include <string>

namespace witan {

// The page as Markdown, with a newline at its end.
std::string routers_page();

}  // namespace witan
