// Ctrl-C, SIGTERM and SIGHUP as a flag that long work looks at, so that it can save and leave in order. Only a program
// installs it; the library only asks.
#pragma once

#include <stdexcept>

namespace witan {

// While one lives, the first SIGINT, SIGTERM or SIGHUP (unless nohup has it ignored) sets the flag, and the second
// ends the process in the usual way (for work that does not listen). The end of the scope restores the handlers that
// were there before and clears the flag.
class InterruptScope {
 public:
  InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
  ~InterruptScope();
};

// False forever when nobody installed a scope. Costs one relaxed load.
bool interrupted();

// For work that has nothing to save: thrown where it stands, and turned into an exit code by the program.
class Interrupted : public std::runtime_error {
 public:
  Interrupted();
  // As shells report a signal: 128 + its number, 130 for Ctrl-C (also when nobody sent any), 143 for SIGTERM.
  int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
};
void throw_if_interrupted();

}  // namespace witan
