// What was found in a model as JSON: for `witan inspect --json`, and the data of the page.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace witan {

struct Inspection;
struct Inventory;
class Tokenizer;

// {"name", "architecture", "summary", "kind", "parameters", "layers", "storage", "memory", "tokenizer", "notes", ...};
// docs/inspecting.md describes every field. Sizes in bytes.
nlohmann::ordered_json inventory_json(const Inventory& inventory);

// The same with "weights" and "text", null where there is nothing. `tokenizer` names tokens; null without a text.
// Numbers have five digits. Of pairs of experts there is the mean, the ten strongest, and up to 64 experts the matrix.
nlohmann::ordered_json inspection_json(const Inspection& inspection, const Tokenizer* tokenizer);

}  // namespace witan
