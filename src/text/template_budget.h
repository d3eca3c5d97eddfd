// What a template may use. Templates come with models, so they are not trusted: work that makes nothing counts too.
#pragma once

#include <cstddef>

namespace witan {

// What a template has used so far. Each throws Error "..." when it is more than a template may use.
class TemplateBudget {
 public:
  void step(std::size_t count = 1);
  // Text that is made or gone through. Charge before making it.
  void charge(std::size_t bytes);
  // Values that are made, copied or looked at, as every walk over lists and dicts does with each: the same list may
  // stand in a value at many places.
  void visit(std::size_t values = 1);

 private:
  std::size_t steps_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace witan
