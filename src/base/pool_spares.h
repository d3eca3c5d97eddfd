// Blocks of the pool (base/pool.h) made ahead of their need.
#pragma once

#include <cstddef>

namespace witan {

// Makes sure that of every size in use, but for the largest, `count` blocks more are there than were ever in use at
// once. After the first step of a training run: what differs between steps from then on, the load of experts and which
// threads happen to want scratch memory at the same moment, finds its blocks. They take no memory until written to.
void pool_add_spares(std::size_t count);

}  // namespace witan
