// The one seam to threads (OpenMP, the pool that oneDNN uses too). Work is cut by index and thread count alone, never
// by timing, so that a run with the same number of threads computes the same bits.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

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

// Hands out the tasks 0 .. n - 1, of which those before task i cost cost_before[i] together (n + 1 numbers, ascending
// from 0). Each thread calls body(next) once, and next() gives it another task, or -1 when all are taken: first its own
// share, neighbouring tasks of equal cost for all; then what is left of others' shares, since a core may be slowed by
// something else. Who does a task is thus left to timing: only for tasks whose results do not depend on that.
// One thread when the whole costs less than `grain`, or inside another parallel loop.
void parallel_shares(std::span<const std::int64_t> cost_before, std::int64_t grain,
                     const std::function<void(const std::function<std::int64_t()>&)>& body);

}  // namespace witan
