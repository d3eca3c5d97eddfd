// What `witan inspect` found, as tables for a terminal.
#pragma once

#include <string>
#include <vector>

namespace witan {
struct Inventory;
struct TextInspection;
struct WeightStatistics;
class Tokenizer;
}  // namespace witan

namespace witan::cli {

// Sizes, layers, files, memory and tokenizer.
std::string inventory_table(const Inventory& inventory);
// One line per layer: ranks and outliers of the experts' matrices, and how alike the experts are.
std::string weights_table(const std::vector<WeightStatistics>& weights);
// How well the text is predicted, one line per layer on the routing and the outputs, who serves which domain and which
// tokens in the most telling layer, and the super experts.
std::string text_table(const TextInspection& text, const Tokenizer& tokenizer);

}  // namespace witan::cli
