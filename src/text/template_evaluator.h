// Runs a parsed chat template.
#pragma once

#include <string>
#include <vector>

#include "text/template_syntax.h"
#include "text/template_value.h"

namespace witan {

// The text that the statements print, with `variables` (a dict) at hand. Throws Error "where: line 3: ...".
std::string evaluate_template(const std::vector<TemplateStatement>& statements, const TemplateValue& variables,
                              const std::string& where);

}  // namespace witan
