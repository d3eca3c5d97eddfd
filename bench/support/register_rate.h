// The limit that products are held against: f32 multiply-adds on registers alone, on all threads at once, with the
// instruction set the kernels use.
#pragma once

namespace witan::bench {

// FLOP per second, over about three milliseconds of work.
double register_rate();

}  // namespace witan::bench
