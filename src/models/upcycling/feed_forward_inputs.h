// What the feed-forward layers of a dense model get to see of some text: from it routers can be made that send such
// text to the expert that this model becomes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/upcycling/dense_model.h"

namespace witan {

// For each layer the mean over all tokens of the rows that enter its feed-forward network, each divided by its length,
// and the mean divided by its own: a unit vector [hidden_size] (the "hidden" gates of mergekit, Goddard et al. 2024).
// Loads the model in f32. Throws Error for no tokens at all and for ids outside the vocabulary; Interrupted between
// prompts.
std::vector<std::vector<float>> mean_feed_forward_inputs(const DenseModel& dense,
                                                         std::span<const std::vector<std::int32_t>> prompts);

}  // namespace witan
