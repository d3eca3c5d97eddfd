// Lines of a name and what there is to say, and tables of layers.
#include "witan/inspect_table.h"

#include <fmt/core.h>

#include "inspection/inventory.h"
#include "witan/terminal_text.h"
#include "witan/training_display.h"

namespace witan::cli {
namespace {

std::string in_bytes(std::int64_t bytes) { return size_text(static_cast<double>(bytes)); }

std::string labelled(const char* name, const std::string& text) { return fmt::format("{:<16} {}\n", name, text); }

std::string storage_text(const Storage& storage) {
  std::string text = fmt::format("{} in {} file{} and {} tensors:", in_bytes(storage.bytes), storage.files,
                                 storage.files == 1 ? "" : "s", storage.tensors);
  for (const StoredKind& kind : storage.kinds) text += fmt::format(" {} {},", kind.dtype, in_bytes(kind.bytes));
  text.pop_back();
  return text;
}

std::string memory_line(const Inventory& inventory) {
  const MemoryNeeds& memory = inventory.memory;
  std::string text = fmt::format("{} for weights as {}, {} for each position of keys and values",
                                 in_bytes(memory.weights), memory.held_as, in_bytes(memory.per_position));
  if (memory.whole_context > 0) text += fmt::format(" ({} for the whole context)", in_bytes(memory.whole_context));
  return text;
}

std::string tokenizer_text(const TokenizerInventory& tokenizer) {
  std::string files;
  for (const std::string& file : tokenizer.files) files += (files.empty() ? "" : ", ") + file;
  const auto id = [](std::int64_t token) { return token < 0 ? std::string("none") : fmt::format("{}", token); };
  return fmt::format("{} tokens ({}), bos {}, eos {}, {} chat template", tokenizer.vocab_size, files, id(tokenizer.bos),
                     id(tokenizer.eos), tokenizer.chat_template ? "with a" : "no");
}

std::string shares_text(const Inventory& inventory) {
  const ParameterShares& shares = inventory.shares;
  const auto total = static_cast<double>(inventory.parameters.total);
  std::string text;
  const auto add = [&](std::int64_t count, const char* name) {
    if (count == 0) return;
    text += fmt::format("{}{:.1f} % {}", text.empty() ? "" : ", ", 100.0 * static_cast<double>(count) / total, name);
  };
  add(shares.experts, "routed experts");
  add(shares.shared, "shared experts");
  add(shares.dense, "dense networks");
  add(shares.attention, "attention and norms");
  add(shares.routing, "routers");
  add(shares.outside, "embedding and head");
  return text;
}

// Whether two layers differ in their place only.
bool alike(const LayerInventory& a, const LayerInventory& b) {
  return a.stack == b.stack && a.experts == b.experts && a.width == b.width && a.shared_width == b.shared_width &&
         a.window == b.window;
}

std::string layer_table(const Inventory& inventory) {
  std::string table = fmt::format("\n{:<17} {:>7} {:>9} {:>7} {:>7} {:>7} {:>15} {:>15}\n", "layers", "experts",
                                  "per token", "width", "shared", "window", "parameters", "active");
  const auto or_dash = [](std::int64_t value) { return value == 0 ? std::string("-") : fmt::format("{}", value); };
  for (std::size_t first = 0; first < inventory.layers.size();) {
    const LayerInventory& layer = inventory.layers[first];
    std::size_t last = first;
    while (last + 1 < inventory.layers.size() && alike(layer, inventory.layers[last + 1])) ++last;
    const std::int64_t end = inventory.layers[last].layer;
    const std::string places = first == last ? fmt::format("{}", layer.layer) : fmt::format("{}-{}", layer.layer, end);
    table += fmt::format("{:<17} {:>7} {:>9} {:>7} {:>7} {:>7} {:>15} {:>15}\n", layer.stack + " " + places,
                         layer.experts == 0 ? "dense" : fmt::format("{}", layer.experts),
                         or_dash(layer.experts_per_token), layer.width, or_dash(layer.shared_width),
                         or_dash(layer.window), layer.parameters.total, layer.parameters.active);
    first = last + 1;
  }
  return table + "(parameters of one layer)\n";
}

}  // namespace

std::string inventory_table(const Inventory& inventory) {
  std::string table = labelled("model", visible_controls(inventory.name));
  table += labelled("architecture", inventory.architecture + ": " + inventory.summary);
  table += labelled("size", counts_text(inventory.parameters));
  table += labelled("", shares_text(inventory));
  table += labelled("layers",
                    fmt::format("{}, {} of them with a mixture", inventory.layers.size(), inventory.mixture_layers()));
  if (!inventory.routing.empty()) table += labelled("routing", inventory.routing);
  table += labelled("attention", inventory.attention);
  table +=
      labelled("width", fmt::format("{}; {} tokens, {} for input and output", inventory.hidden_size,
                                    inventory.vocab_size, inventory.tied_embeddings ? "one table" : "a table each"));
  table += labelled("context", inventory.context > 0 ? fmt::format("{} positions at the most", inventory.context)
                                                     : "no end, as far as memory goes");
  if (inventory.storage) table += labelled("on disk", storage_text(*inventory.storage));
  table += labelled("memory", memory_line(inventory));
  table += labelled("read per token", in_bytes(inventory.memory.read_per_token));
  if (inventory.tokenizer) table += labelled("tokenizer", tokenizer_text(*inventory.tokenizer));
  for (const std::string& note : inventory.notes) table += labelled("note", visible_controls(note));
  return table + layer_table(inventory);
}

}  // namespace witan::cli
