// A restart with the environment that OpenMP's runtime should see.
#include "witan/thread_waiting.h"

#include <unistd.h>

#include <cstdlib>

namespace witan::cli {

void limit_spinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (::setenv("GOMP_SPINCOUNT", "1000", 0) != 0) return;
  ::execv("/proc/self/exe", argv);  // returns only when it fails: then all works as before, spinning
}

}  // namespace witan::cli
