// How long threads that wait for work burn a core before they sleep.
#pragma once

namespace witan::cli {

// GNU's OpenMP spins for some ten milliseconds by default: good on an idle machine, ruinous beside other work, where
// the spinning thread takes the core that the awaited one needs (measured with two threads on two cores that others
// use: 2 tokens/s generated, against 40). Some ten microseconds are enough to bridge the gap between two kernels.
// The runtime reads its settings once, when the program is loaded, so this sets GOMP_SPINCOUNT and starts the program
// again. Does nothing when the user has set GOMP_SPINCOUNT or OMP_WAIT_POLICY.
void limit_spinning(char** argv);

}  // namespace witan::cli
