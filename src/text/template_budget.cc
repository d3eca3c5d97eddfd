// The limits of a template: far above what a conversation takes, and over within a second.
#include "text/template_budget.h"

#include "base/error.h"
#include "text/template_value.h"

namespace witan {

void TemplateBudget::step(std::size_t count) {
  constexpr std::size_t kMostSteps = 1'000'000;
  steps_ += count;
  if (steps_ > kMostSteps) fail("the template takes more than {} steps", kMostSteps);
}

void TemplateBudget::charge(std::size_t bytes) {
  constexpr std::size_t kMostBytes = std::size_t{256} << 20;
  if (bytes > kMostBytes - bytes_) fail("the template makes or goes through more than {} bytes", kMostBytes);
  bytes_ += bytes;
}

void TemplateBudget::visit(std::size_t values) { charge(values * sizeof(TemplateValue)); }

}  // namespace witan
