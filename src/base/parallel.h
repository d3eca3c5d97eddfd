// The one seam to threads (OpenMP, the pool that oneDNN uses too). Work is cut by index and thread count alone, never
// by timing, so that a run with the same number of threads computes the same bits.
#pragma once

#include <cstdint>
#include <functional>

namespace witan {

// Threads used by parallel loops: OMP_NUM_THREADS or the machine's cores, until set_num_threads.
int num_threads();
void set_num_threads(int count);

// Calls body(begin, end) on contiguous pieces of [0, count), one per thread at the most, none smaller than `grain`
// (but for the last). Runs inline when one piece is enough or inside another parallel loop.
// The first exception of a piece is rethrown here.
void parallel_for(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& body);

// Calls body(thread, threads) once per thread. Inside another parallel loop: body(0, 1).
void parallel_region(const std::function<void(int, int)>& body);

}  // namespace witan
