// Signal handlers. A handler may only touch lock-free atomics.
#include "base/interrupt.h"

#include <atomic>
#include <csignal>

#include "base/error.h"

namespace witan {
namespace {

std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free);

constexpr int kSignals[] = {SIGINT, SIGTERM};
struct sigaction previous[2];
bool installed = false;

extern "C" void witan_note_interrupt(int) { flag.store(true, std::memory_order_relaxed); }

}  // namespace

InterruptScope::InterruptScope() {
  WITAN_ASSERT(!installed);
  installed = true;
  struct sigaction action {};
  action.sa_handler = witan_note_interrupt;
  // Once only: the second signal finds the default action. Slow system calls go on (SA_RESTART).
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < 2; ++i) sigaction(kSignals[i], &action, &previous[i]);
}

InterruptScope::~InterruptScope() {
  for (int i = 0; i < 2; ++i) sigaction(kSignals[i], &previous[i], nullptr);
  installed = false;
  flag.store(false, std::memory_order_relaxed);
}

bool interrupted() { return flag.load(std::memory_order_relaxed); }

void throw_if_interrupted() {
  if (interrupted()) throw Interrupted();
}

}  // namespace witan
