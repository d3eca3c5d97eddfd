// Ctrl-C and SIGTERM as a flag that long work looks at, so that it can save and leave in order. Only a program installs
// it; the library only asks.
#pragma once

#include <stdexcept>

namespace witan {

// While one lives, the first SIGINT or SIGTERM sets the flag, and the second ends the process in the usual way (for
// work that does not listen). The end of the scope restores the handlers that were there before and clears the flag.
class InterruptScope {
 public:
  InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
  ~InterruptScope();
};

// False forever when nobody installed a scope. Costs one relaxed load.
bool interrupted();

// For work that has nothing to save: thrown where it stands, and turned into exit code 130 by the program.
class Interrupted : public std::runtime_error {
 public:
  Interrupted() : std::runtime_error("interrupted") {}
};
void throw_if_interrupted();

}  // namespace witan
