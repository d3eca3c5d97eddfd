// Signal handlers. A handler may only touch lock-free atomics.
#include "base/interrupt.h"

#include <atomic>
#include <csignal>
#include <iterator>

#include "base/error.h"

namespace witan {
namespace {

std::atomic<int> received{0};  // the signal; 0: none
static_assert(std::atomic<int>::is_always_lock_free);

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr std::size_t kNumSignals = std::size(kSignals);
struct sigaction previous[kNumSignals];
bool installed = false;

extern "C" void witan_note_interrupt(int signal) { received.store(signal, std::memory_order_relaxed); }

int exit_code_of(int signal) {
  constexpr int kSignalBase = 128;
  return kSignalBase + (signal != 0 ? signal : SIGINT);
}

}  // namespace

InterruptScope::InterruptScope() {
  WITAN_ASSERT(!installed);
  installed = true;
  struct sigaction action {};
  action.sa_handler = witan_note_interrupt;
  // Once only: the second signal finds the default action. Slow system calls go on (SA_RESTART).
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kNumSignals; ++i) {
    sigaction(kSignals[i], nullptr, &previous[i]);
    const bool kept = kSignals[i] == SIGHUP && previous[i].sa_handler == SIG_IGN;  // by nohup
    if (!kept) sigaction(kSignals[i], &action, nullptr);
  }
}

InterruptScope::~InterruptScope() {
  for (std::size_t i = 0; i < kNumSignals; ++i) sigaction(kSignals[i], &previous[i], nullptr);
  installed = false;
  received.store(0, std::memory_order_relaxed);
}

bool interrupted() { return received.load(std::memory_order_relaxed) != 0; }

Interrupted::Interrupted()
    : std::runtime_error("interrupted"), exit_code_(exit_code_of(received.load(std::memory_order_relaxed))) {}

void throw_if_interrupted() {
  if (interrupted()) throw Interrupted();
}

}  // namespace witan
