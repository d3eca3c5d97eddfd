// What a router says of scores that are no numbers.
#pragma once

#include "base/error.h"

namespace witan {

// The rows that came in, or the weights of the gate, have diverged: no choice among their experts can be made.
class ScoresNotFinite : public Error {
 public:
  using Error::Error;
};

}  // namespace witan
