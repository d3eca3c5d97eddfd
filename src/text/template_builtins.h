// What chat templates call: filters, tests, and the methods of strings and dicts, as Jinja and Python have them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "text/template_budget.h"
#include "text/template_value.h"

namespace witan {

// Each throws Error "..." without a place for what does not fit (the evaluator adds the line), and for unknown names.
TemplateValue apply_filter(const std::string& name, const TemplateValue& value, const TemplateArguments& arguments,
                           TemplateBudget& budget);
bool apply_test(const std::string& name, const TemplateValue& value, const TemplateArguments& arguments,
                TemplateBudget& budget);
// text.name(arguments), dict.name(arguments).
bool has_method(const TemplateValue& value, std::string_view name);
TemplateValue call_method(const TemplateValue& value, const std::string& name, const TemplateArguments& arguments,
                          TemplateBudget& budget);

}  // namespace witan
