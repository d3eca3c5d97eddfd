// What a model folder holds, from its config, the headers of its weights and its tokenizer: nothing is loaded. What the
// experts do with text is in inspection.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/decoder.h"

namespace witan {

struct LayerInventory {
  std::string stack;  // "decoder", or "encoder" of an encoder-decoder
  std::int64_t layer = 0;
  std::int64_t experts = 0;            // routed; 0: one dense network
  std::int64_t experts_per_token = 0;  // of the routed ones
  std::int64_t width = 0;              // of a routed expert, or of the dense network
  std::int64_t shared_width = 0;       // of what serves every token beside the routed experts; 0: nothing
  std::int64_t window = 0;             // how far attention looks back; 0: all the way
  ParameterCounts parameters;
};

// Parameters by what they are for; they sum to the total.
struct ParameterShares {
  std::int64_t experts = 0;  // routed
  std::int64_t shared = 0;
  std::int64_t dense = 0;
  std::int64_t attention = 0;  // with norms
  std::int64_t routing = 0;
  std::int64_t outside = 0;  // embedding, head, final norm
};

struct StoredKind {
  std::string dtype;  // of safetensors, or "MXFP4"
  std::int64_t tensors = 0;
  std::int64_t bytes = 0;
};

struct Storage {
  std::int64_t files = 0;
  std::int64_t tensors = 0;
  std::int64_t bytes = 0;         // of the tensors; headers are not counted
  std::vector<StoredKind> kinds;  // by bytes, the most first
};

struct TokenizerInventory {
  std::int64_t vocab_size = 0;
  std::vector<std::string> files;
  std::int64_t bos = -1;  // -1: none
  std::int64_t eos = -1;
  bool chat_template = false;
};

// In bytes, of weights held as `witan generate` holds them unless told otherwise.
struct MemoryNeeds {
  std::string held_as = "f32";  // or bf16, f16
  std::int64_t weights = 0;
  std::int64_t per_position = 0;    // keys and values of one more position of a sequence
  std::int64_t whole_context = 0;   // keys and values of context positions; 0 where the context has no end
  std::int64_t read_per_token = 0;  // of weights that work on one new token
};

struct Inventory {
  std::string name;          // of the folder
  std::string architecture;  // model_type
  std::string summary;       // of the architecture
  bool encoder_decoder = false;
  std::int64_t hidden_size = 0;
  std::int64_t vocab_size = 0;
  std::int64_t context = 0;  // positions of a sequence; 0: no end
  std::string attention;     // in words
  std::string routing;       // in words; empty without mixtures
  bool tied_embeddings = false;
  ParameterCounts parameters;
  ParameterShares shares;
  std::vector<LayerInventory> layers;
  MemoryNeeds memory;
  std::optional<Storage> storage;  // none: the folder holds no weights
  std::optional<TokenizerInventory> tokenizer;
  std::vector<std::string> notes;  // what is missing or odd, in words

  // Without layers: 0.
  std::int64_t mixture_layers() const;
};

// The last part of a path, as UTF-8: "mine" of "runs/mine/".
std::string folder_name(const std::filesystem::path& folder);
// Throws Error as load_config, load_encoder_decoder_config and SafetensorsReader do, and when the weights hold fewer
// numbers than the config asks for. Missing weights and tokenizers are notes.
Inventory take_inventory(const std::filesystem::path& folder);

}  // namespace witan
