// Rows of a table by token id.
#pragma once

#include <cstdint>
#include <span>

#include "autograd/tape.h"

namespace witan::ops {

// table [V, D], ids [T] -> [T, D]. Throws Error for an id outside [0, V).
Tensor embedding(Tape& tape, const Tensor& table, std::span<const std::int32_t> ids);

}  // namespace witan::ops
