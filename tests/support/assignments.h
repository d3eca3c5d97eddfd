// Assignments for tests of what comes after the router.
#pragma once

#include <span>

#include "witan/assignment.h"

namespace witan::test {

// From the experts of each row, `choices[t]`, in order of rank; weights are random in (0, 1].
Assignment assignment_of(std::span<const std::vector<std::int32_t>> choices, std::int64_t num_experts,
                         std::uint64_t seed = 1);

// Every row to `top_k` different experts, drawn with probability falling with the expert's number, so that the load is
// uneven.
Assignment random_assignment(std::int64_t num_rows, std::int64_t num_experts, std::int64_t top_k,
                             std::uint64_t seed = 1);

}  // namespace witan::test
